"""The components as other languages see them: their schema, and what becomes of what such a program gives."""

import asyncio
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import grpc
import pulumi
import pytest
from pulumi.errors import InputPropertiesError
from pulumi.provider.server import ComponentInitError, ProviderServicer
from pulumi.runtime.proto import errors_pb2, provider_pb2, status_pb2
from pulumi.runtime.proto.provider_pb2_grpc import ResourceProviderStub, add_ResourceProviderServicer_to_server

from components.cert_manager import chart_values
from components.inputs import InputsError
from components.problem import Problem
from plugin import provider, reference
from plugin.provider import NAME, Provider, Servicer, to_engine_error
from sandbox import paths
from tests.unit.harness import CERTIFICATE, ISSUER, RECORD, VIRTUAL_SERVICE, Recorder, run

ROOT = Path(__file__).parents[2]
COMMAND = "python -m plugin.reference"
HOST = "shop.sandbox.test"
CREDENTIALS = [{"secretName": "certs", "hosts": [HOST]}]
TLS = {
    "credentials": CREDENTIALS,
    "hosts": [{"host": HOST, "routes": [{"service": "shop", "namespace": "shop", "port": 8080.0}]}],
}


def construct(component: str, inputs: Callable[[], dict[str, Any]], *, preview: bool = False) -> Recorder:
    """Construct as the engine asks for it; numbers are floats, as they are on its wire."""
    return run(lambda: served().construct("it", f"{NAME}:index:{component}", inputs()), preview=preview)


@cache
def served() -> Provider:
    return Provider()


def refused(component: str, inputs: dict[str, Any]) -> dict[str, str]:
    """The problem of each input that has one, by its path."""
    with pytest.raises(ComponentInitError) as caught:
        construct(component, lambda: inputs)
    error = to_engine_error(caught.value.inner)
    assert isinstance(error, InputPropertiesError), "the engine prints these without a traceback"
    return {each["property_path"]: each["reason"] for each in error.errors or []}


def test_the_schema_is_the_components_own() -> None:
    assert (ROOT / "plugin" / "schema.json").read_text() == provider.schema(), COMMAND


def test_the_page_of_the_components_is_made_from_the_schema() -> None:
    assert (ROOT / "docs" / "components.md").read_text() == reference.page(), COMMAND


def test_every_component_is_served_under_the_token_that_it_registers() -> None:
    def program() -> None:
        for each in provider.COMPONENTS:
            with pytest.raises(InputsError):
                each("it", {"no such": "input"})  # type: ignore[arg-type]

    registered = {each.type for each in run(program)}
    assert registered == {f"{NAME}:index:{each.__name__}" for each in provider.COMPONENTS}
    assert len(registered) == 13, "all of them"


def test_the_plugin_installs_what_the_lock_pins() -> None:
    uv = paths.cache() / "uv" / "bin" / "uv"
    command = [
        str(uv) if uv.exists() else "uv", "export", "--quiet", "--frozen", "--offline", "--no-default-groups",
        "--no-emit-project", "--no-annotate", "--no-header", "--format=requirements.txt",
    ]  # fmt: skip
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    held = (ROOT / "plugin" / "requirements.txt").read_text()
    assert held == done.stdout, f"{' '.join(command[1:])} > plugin/requirements.txt"


class TestNumbers:
    """Every number of another language is a float when it arrives."""

    def test_seconds_of_hsts_are_whole_in_the_header(self) -> None:
        made = construct("TlsGateway", lambda: {**TLS, "hsts": 31536000.0}).of(VIRTUAL_SERVICE)
        headers = made[0].inputs["spec"]["http"][0]["headers"]["response"]["set"]
        assert headers == {"strict-transport-security": "max-age=31536000"}, "browsers ignore max-age=31536000.0"

    def test_so_are_those_of_an_output(self) -> None:
        made = construct("TlsGateway", lambda: {**TLS, "hsts": pulumi.Output.from_input(86400.0)}).of(VIRTUAL_SERVICE)
        headers = made[0].inputs["spec"]["http"][0]["headers"]["response"]["set"]
        assert headers == {"strict-transport-security": "max-age=86400"}

    def test_a_port_is_whole(self, monkeypatch: pytest.MonkeyPatch) -> None:
        spec = Mock(return_value={})
        monkeypatch.setattr("components.tls_gateway.istio.virtual_service_spec", spec)
        construct("TlsGateway", lambda: TLS)
        _, served, *_ = spec.call_args.args
        assert repr(served["routes"][0]["port"]) == "8080"

    def test_a_bound_is_whole(self) -> None:
        inputs = {"issuer": "letsencrypt-staging-istio", "credentials": CREDENTIALS, "timeout": 90.0}
        made = construct("GatewayCertificate", lambda: inputs)
        assert made.of(CERTIFICATE)[0].create_timeout == "90s", "the engine refuses 90.0s"

        made = construct("AcmeIssuers", lambda: {"email": "platform@sandbox.test", "timeout": 120.0})
        assert {each.create_timeout for each in made.of(ISSUER)} == {"120s"}

    def test_the_size_of_a_key_and_the_time_of_renewal_are_whole(self, monkeypatch: pytest.MonkeyPatch) -> None:
        spec = Mock(return_value={})
        monkeypatch.setattr("components.gateway_certificate.certificate_spec", spec)
        inputs = {
            "issuer": "letsencrypt-staging-istio",
            "credentials": CREDENTIALS,
            "key": {"algorithm": "RSA", "size": 2048.0},
            "renewBeforePercentage": 25.0,
        }
        construct("GatewayCertificate", lambda: inputs)
        _, given = spec.call_args.args
        assert repr(given["key"]["size"]) == "2048"
        assert repr(given["renew_before_percentage"]) == "25"

    def test_a_ttl_is_whole(self, monkeypatch: pytest.MonkeyPatch) -> None:
        record = Mock(return_value=SimpleNamespace(rrdatas=["192.0.2.1"]))
        monkeypatch.setattr("components.dns_records.gcp.dns.RecordSet", record)
        construct("DnsRecords", lambda: {"hosts": [HOST], "ip": "192.0.2.1", "zone": "sandbox", "ttl": 60.0})
        assert repr(record.call_args.kwargs["ttl"]) == "60"

    def test_whole_numbers_among_the_chart_s_values_are_whole(self, monkeypatch: pytest.MonkeyPatch) -> None:
        merged = Mock(side_effect=chart_values)
        monkeypatch.setattr("components.cert_manager.chart_values", merged)
        given = {"replicaCount": 2.0, "webhook": {"ports": [10250.0]}, "ratio": 0.5}
        construct("CertManager", lambda: {"values": given})
        values = chart_values(*merged.call_args.args)
        assert repr(values["replicaCount"]) == "2", "Helm renders 2.0 as it is"
        assert repr(values["webhook"]["ports"]) == "[10250]"
        assert values["ratio"] == 0.5


class TestInputs:
    def test_every_problem_is_told_at_its_path_as_the_user_wrote_it(self) -> None:
        routes = [{"service": "shop", "namespace": "shop", "port": 70000.0}]
        inputs = {"credentials": [{"hosts": [HOST]}], "hosts": [{"host": HOST, "routes": routes}], "minVersion": "1.1"}
        assert refused("TlsGateway", inputs) == {
            "credentials[0].secretName": "is missing",
            "hosts[0].routes[0].port": "70000 should be less than or equal to 65535",
            "minVersion": "'1.1' is not one of 1.2, 1.3",
        }

    def test_what_is_no_input_and_what_is_missing_is_told_as_well(self) -> None:
        found = refused("HttpGateway", {"selectors": {}})
        assert found["hosts"] == "is missing"
        assert found["selectors"].startswith("is not an input")

    def test_a_value_of_another_type_is_told_and_does_not_end_in_a_traceback(self) -> None:
        assert list(refused("HttpGateway", {"hosts": [5.0]})) == ["hosts[0]"]

    def test_outputs_are_translated_when_they_are_known(self) -> None:
        def inputs() -> dict[str, Any]:
            routes = pulumi.Output.from_input(TLS["hosts"][0]["routes"])  # type: ignore[index]
            return {**TLS, "hosts": [{"host": pulumi.Output.from_input("Shop.sandbox.test"), "routes": routes}]}

        spec = construct("TlsGateway", inputs).of(VIRTUAL_SERVICE)[0].inputs["spec"]
        assert spec["hosts"] == [HOST], "normalised"
        assert spec["http"][0]["route"][0]["destination"]["port"] == {"number": 8080}

    def test_what_a_preview_does_not_know_does_not_stop_it(self) -> None:
        def inputs() -> dict[str, Any]:
            return {"hosts": [HOST], "ip": pulumi.Output.from_input(pulumi.UNKNOWN), "zone": "sandbox"}

        assert [each.name for each in construct("DnsRecords", inputs, preview=True).of(RECORD)] == [f"it-{HOST}"]

    def test_a_component_that_gives_up_does_so_in_its_own_words(self, monkeypatch: pytest.MonkeyPatch) -> None:
        error = answered(monkeypatch, pulumi.RunError("Service istio-system/gateway has no port 443"))
        assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
        assert error.details() == "Service istio-system/gateway has no port 443"

    def test_the_inputs_that_have_a_problem_reach_the_engine(self, monkeypatch: pytest.MonkeyPatch) -> None:
        problems = [
            Problem("hosts[0].routes[0].port", "70000 is not between 1 and 65535"),
            Problem("min_version", "no"),
        ]
        error = answered(monkeypatch, ComponentInitError(InputsError("TlsGateway 'tls'", problems)))
        (details,) = [value for key, value in error.trailing_metadata() or () if key == "grpc-status-details-bin"]
        found = errors_pb2.InputPropertiesError()
        assert isinstance(details, bytes), "gRPC's name for it ends in -bin"
        status_pb2.Status.FromString(details).details[0].Unpack(found)
        assert [(each.property_path, each.reason) for each in found.errors] == [
            ("hosts[0].routes[0].port", "70000 is not between 1 and 65535"),
            ("minVersion", "no"),
        ]

    def test_a_defect_keeps_its_traceback(self, monkeypatch: pytest.MonkeyPatch) -> None:
        details = answered(monkeypatch, KeyError("nobody expects this")).details() or ""
        assert "nobody expects this" in details
        assert "test_schema.py" in details, "whoever fixes it needs the lines"


def answered(monkeypatch: pytest.MonkeyPatch, error: Exception) -> grpc.aio.AioRpcError:
    """What the engine is answered when the construction of a component ends in an error."""

    async def fails(*_: object) -> None:
        raise error

    async def ask() -> None:
        endpoint = grpc.aio.server()
        add_ResourceProviderServicer_to_server(Servicer(served(), [], ""), endpoint)
        port = endpoint.add_insecure_port("127.0.0.1:0")
        await endpoint.start()
        try:
            async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
                await ResourceProviderStub(channel).Construct(provider_pb2.ConstructRequest(), timeout=10)
        finally:
            await endpoint.stop(grace=None)

    monkeypatch.setattr(ProviderServicer, "_construct", fails)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        asyncio.run(ask())
    return caught.value
