"""The components as other languages see them: their schema, and what becomes of what such a program gives."""

import asyncio
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import grpc
import pulumi
import pytest
from pulumi.errors import InputPropertiesError
from pulumi.provider.server import ComponentInitError, ProviderServicer
from pulumi.runtime.proto import errors_pb2, provider_pb2, status_pb2
from pulumi.runtime.proto.provider_pb2_grpc import ResourceProviderStub, add_ResourceProviderServicer_to_server

from components.inputs import InputsError
from components.problem import Problem
from plugin import provider, reference
from plugin.provider import NAME, Provider, Servicer, to_engine_error
from sandbox import paths
from tests.unit.harness import RECORD, VIRTUAL_SERVICE, Recorder, run

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
    return {problem["property_path"]: problem["reason"] for problem in error.errors or []}


def test_the_schema_is_the_components_own() -> None:
    assert (ROOT / "plugin" / "schema.json").read_text() == provider.schema(), COMMAND


def test_the_page_of_the_components_is_made_from_the_schema() -> None:
    text = reference.PAGE.read_text()
    assert text == reference.page(text), COMMAND


def test_every_component_is_served_under_the_token_that_it_registers() -> None:
    def program() -> None:
        for component in provider.COMPONENTS:
            with pytest.raises(InputsError):
                component("it", {"no such": "input"})  # type: ignore[arg-type]

    registered = {component.type for component in run(program)}
    assert registered == {f"{NAME}:index:{component.__name__}" for component in provider.COMPONENTS}
    assert len(registered) == 15, "all of them"


def test_the_plugin_installs_what_the_lock_pins() -> None:
    uv = paths.cache() / "uv" / "bin" / "uv"
    command = [
        str(uv) if uv.exists() else "uv", "export", "--quiet", "--frozen", "--offline", "--no-default-groups",
        "--no-emit-project", "--no-annotate", "--no-header", "--format=requirements.txt",
    ]  # fmt: skip
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    held = (ROOT / "plugin" / "requirements.txt").read_text()
    assert held == done.stdout, f"{' '.join(command[1:])} > plugin/requirements.txt"


class TestInputs:
    def test_every_problem_is_reported_at_its_path_as_the_user_wrote_it(self) -> None:
        routes = [{"service": "shop", "namespace": "shop", "port": 70000.0}]
        hosts = [{"host": 5.0, "routes": routes}]
        problems = refused("TlsGateway", {"credentials": [{"hosts": [HOST]}], "hosts": hosts, "minversion": "1.3"})
        assert problems.pop("minversion").startswith("is not an input; accepted: credentials, hosts, ")
        assert problems == {
            "credentials[0].secretName": "is missing",
            "hosts[0].host": "5 should be a valid string",
            "hosts[0].routes[0].port": "70000 should be less than or equal to 65535",
        }

    def test_outputs_are_translated_when_they_are_known(self) -> None:
        def inputs() -> dict[str, Any]:
            routes = pulumi.Output.from_input(TLS["hosts"][0]["routes"])  # type: ignore[index]
            return {**TLS, "hosts": [{"host": pulumi.Output.from_input("Shop.sandbox.test"), "routes": routes}]}

        spec = construct("TlsGateway", inputs).of(VIRTUAL_SERVICE)[0].inputs["spec"]
        assert spec["hosts"] == [HOST], "normalised"
        assert spec["http"][0]["route"][0]["destination"]["port"] == {"number": 8080}

    def test_an_unknown_value_does_not_stop_a_preview(self) -> None:
        def inputs() -> dict[str, Any]:
            return {"hosts": [HOST], "ip": pulumi.Output.from_input(pulumi.UNKNOWN), "zone": "sandbox"}

        assert [record.name for record in construct("DnsRecords", inputs, preview=True).of(RECORD)] == [f"it-{HOST}"]

    def test_a_component_that_gives_up_does_so_in_its_own_words(self, monkeypatch: pytest.MonkeyPatch) -> None:
        error = answered(monkeypatch, pulumi.RunError("Service istio-system/gateway has no port 443"))
        assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
        assert error.details() == "Service istio-system/gateway has no port 443"

    def test_the_inputs_that_have_a_problem_reach_the_engine(self, monkeypatch: pytest.MonkeyPatch) -> None:
        problems = [Problem("hosts[0].redirect_to", "is the host itself"), Problem("min_version", "is missing")]
        error = answered(monkeypatch, ComponentInitError(InputsError("TlsGateway 'tls'", problems)))
        (details,) = [value for key, value in error.trailing_metadata() or () if key == "grpc-status-details-bin"]
        refusals = errors_pb2.InputPropertiesError()
        assert isinstance(details, bytes), "gRPC's name for it ends in -bin"
        status_pb2.Status.FromString(details).details[0].Unpack(refusals)
        assert [(refusal.property_path, refusal.reason) for refusal in refusals.errors] == [
            ("hosts[0].redirectTo", "is the host itself"),
            ("minVersion", "is missing"),
        ]

    def test_a_defect_keeps_its_traceback(self, monkeypatch: pytest.MonkeyPatch) -> None:
        details = answered(monkeypatch, KeyError("nobody expects this")).details() or ""
        assert "nobody expects this" in details
        assert "test_schema.py" in details, "the lines are needed to fix it"


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
