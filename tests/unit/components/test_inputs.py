"""The check of inputs: plain values and Outputs, good and bad, in whichever language they were written."""

import inspect
import re
from collections.abc import Iterator
from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes
import pytest
from pydantic import BaseModel, TypeAdapter

from components import AcmeIssuers, DnsRecords, GatewayCertificate, HttpGateway, TlsGateway, fields
from components.args import config_model, model_in
from components.inputs import InputsError
from components.kube.credentials import Credentials, credentials_of
from components.specs.external_dns import unpublished
from plugin.provider import COMPONENTS
from tests.unit.components.support import ROUTE, TLS, tls
from tests.unit.harness import CERTIFICATE, GATEWAY, RECORD, VIRTUAL_SERVICE, run


def later(value: Any) -> pulumi.Output[Any]:
    """An Output, as another resource would give it."""
    return pulumi.Output.from_input(value)


def test_a_gateway_is_hardened_by_default() -> None:
    gateway = run(lambda: TlsGateway("tls", TLS)).of(GATEWAY)[0].inputs

    assert gateway["metadata"] == unpublished("tls", "istio-system"), "named after the component"
    assert gateway["spec"]["selector"] == {"istio": "ingressgateway"}, "Istio's own gateway"
    hardened = gateway["spec"]["servers"][0]["tls"]
    assert hardened["minProtocolVersion"] == "TLSV1_2", "Istio hardens nothing by itself"
    assert len(hardened["cipherSuites"]) == 6, "Mozilla's intermediate profile"


@pytest.mark.parametrize(("algorithm", "size"), [("ECDSA", 256), ("RSA", 2048)])
def test_a_key_has_the_size_that_is_usual_for_its_algorithm(algorithm: str, size: int) -> None:
    args: Any = {"issuer": "ca", "credentials": TLS["credentials"], "key": {"algorithm": algorithm}}
    made = run(lambda: GatewayCertificate("certificate", args)).of(CERTIFICATE)[0]

    assert made.inputs["spec"]["privateKey"]["size"] == size


@pytest.mark.parametrize("annotation", ["Number", "Port", "Seconds", "Wait", "Ttl", "Hsts", "Percentage", "Retries"])
def test_a_whole_number_is_an_integer_though_other_languages_send_a_float(annotation: str) -> None:
    adapter = TypeAdapter[Any](getattr(fields, annotation))
    assert repr(adapter.validate_python(9.0)) == "9", "the engine refuses 9.0s, and browsers max-age=9.0"


def test_so_are_those_among_the_values_of_a_chart() -> None:
    values = fields.integers({"replicaCount": 2.0, "webhook": {"ports": [10250.0]}, "ratio": 0.5})
    assert repr(values) == "{'replicaCount': 2, 'webhook': {'ports': [10250]}, 'ratio': 0.5}"


class TestOutputs:
    def test_every_value_may_be_one(self) -> None:
        def program() -> None:
            route = {"service": later("shop"), "namespace": later("shops"), "port": later(80.0)}
            args: Any = {
                "gateway": later("tls-mine"),
                "namespace": later("gateways"),
                "selector": later({"istio": "mine"}),
                "credentials": [{"secret_name": later("certs"), "hosts": [later("SHOP.sandbox.test")]}],
                "hosts": [{"host": later("shop.sandbox.test"), "routes": [route]}],
                "hsts": later(31536000.0),
            }
            TlsGateway("tls", args)
            DnsRecords("dns", {"hosts": [later("shop.sandbox.test")], "ip": later("203.0.113.10"), "zone": later("z")})
            HttpGateway("http", {"hosts": later(["shop.sandbox.test"])})

        made = run(program)

        gateway, route = made.named("tls-gateway").inputs, made.named("tls-0")
        assert gateway["metadata"] == unpublished("tls-mine", "gateways")
        assert gateway["spec"]["servers"][0]["hosts"] == ["./shop.sandbox.test"], "normalised once it is known"
        assert route.inputs["metadata"]["name"] == "shop.sandbox.test", "the program does not know it, but the engine"
        (http,) = route.inputs["spec"]["http"]
        assert http["route"][0]["destination"] == {"host": "shop.shops.svc.cluster.local", "port": {"number": 80}}
        assert http["headers"]["response"]["set"] == {"strict-transport-security": "max-age=31536000"}
        assert made.of(RECORD)[0].inputs["name"] == "shop.sandbox.test."
        assert all(service.inputs["spec"]["hosts"] == ["shop.sandbox.test"] for service in made.of(VIRTUAL_SERVICE))

    @pytest.mark.parametrize(
        ("hosts", "problem"),
        [
            (lambda: later(["shop.sandbox.test"]), "hosts is an Output; the program has to know it"),
            (lambda: [later("no host")], r"hosts\[0\]: 'no host' has the label"),
            (lambda: [pulumi.Output.secret("no host")], r"hosts\[0\] is a secret that is not accepted$"),
        ],
        ids=["it decides how many resources there are", "not accepted", "a secret, which is not shown"],
    )
    def test_one_that_is_not_accepted_is_refused(self, hosts: Any, problem: str) -> None:
        with pytest.raises(InputsError, match=f"DnsRecords 'dns':\n  {problem}"):
            run(lambda: DnsRecords("dns", {"hosts": hosts(), "ip": "203.0.113.10", "zone": "sandbox"}))


SECRETS = [
    (AcmeIssuers, {"email": "a@b.test"}, ("external_accounts", "prod", "key_secret")),
    (AcmeIssuers, {"email": "a@b.test"}, ("ca_bundle",)),
    (TlsGateway, TLS, ("client_ca", "certificates")),
]
CANARY = "hunter2"
PRIVATE_KEY = f"-----BEGIN PRIVATE KEY-----\n{CANARY}\n-----END PRIVATE KEY-----\n"


@pytest.mark.parametrize("wrap", [lambda value: value, later, pulumi.Output.secret], ids=["plain", "Output", "secret"])
@pytest.mark.parametrize("value", [CANARY, PRIVATE_KEY, [CANARY], {"a": CANARY}, b"hunter2"], ids=str)
@pytest.mark.parametrize(("component", "args", "path"), SECRETS, ids=lambda part: str(part))
def test_no_error_shows_the_value_of_a_field_for_a_secret(
    component: Any, args: dict[str, Any], path: tuple[str, ...], value: Any, wrap: Any
) -> None:
    for depth in range(len(path)):

        def program(depth: int = depth) -> None:
            given = wrap(value)
            for name in reversed(path[1 : depth + 1]):
                given = {name: given}
            component("it", {**args, path[0]: given})

        with pytest.raises(InputsError, match=re.escape(path[0])) as refused:
            run(program)
        assert CANARY not in str(refused.value)


def test_every_field_for_a_secret_is_among_them() -> None:
    def secrets(model: Any, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        for name, field in model.model_fields.items():
            inner = model_in(field.annotation)
            if inner:
                yield from secrets(inner, (*path, name))
            elif not field.repr:
                yield (*path, name)

    found = set()
    for component in COMPONENTS:
        args = inspect.get_annotations(component.__init__)["args"]
        found |= {(component, path) for path in secrets(config_model(args, BaseModel), ())}
    assert found == {(one, tuple(part for part in path if part != "prod")) for one, _, path in SECRETS}


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"min_version": "1.1"}, "min_version: '1.1' is not one of 1.2, 1.3"),
        ({"hsts": 1.5}, "hsts: 1.5 should be a valid integer"),
        ({"hsts": -1}, "hsts: -1 should be greater than or equal to 0"),
        ({"selector": {}}, "selector: {} should have at least 1 item"),
        ({"gateway": "Tls_1"}, "gateway: 'Tls_1' is not a Kubernetes name"),
        ({"cipher_suites": ["AES128-SHA"]}, "cipher_suites[0]: 'AES128-SHA' is not one of ECDHE-"),
        ({"credentials": []}, "credentials: [] should have at least 1 item"),
        ({"hosts": "shop.sandbox.test"}, "hosts: 'shop.sandbox.test' should be a valid list"),
        (
            {"hosts": [{"host": "shop.sandbox.test", "routes": [{**ROUTE, "port": 0, "path": "v2"}]}]},
            "hosts[0].routes[0].port: 0 should be greater than or equal to 1\n"
            "  hosts[0].routes[0].path: 'v2' is not a path that begins with /",
        ),
        ({"host": "shop.sandbox.test"}, "host is not an input; accepted: credentials, "),
    ],
)
def test_every_input_that_is_wrong_is_named(changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(pulumi.RunError) as refused:
        run(lambda: TlsGateway("tls", tls(**changes)))

    assert f"TlsGateway 'tls':\n  {problem}" in str(refused.value)


def test_a_key_of_another_algorithms_size_is_refused() -> None:
    args: Any = {"issuer": "ca", "credentials": TLS["credentials"], "key": {"algorithm": "RSA", "size": 256}}

    with pytest.raises(InputsError, match=r"key\.size is 256; accepted for RSA: 2048, 3072, 4096"):
        run(lambda: GatewayCertificate("certificate", args))


@pytest.mark.parametrize(
    ("provider", "credentials"),
    [
        (
            lambda: kubernetes.Provider("a", kubeconfig=pulumi.Output.secret("/etc/kubeconfig"), context="blue"),
            Credentials("/etc/kubeconfig", "blue"),
        ),
        (lambda: kubernetes.Provider("a"), Credentials()),
        (lambda: None, Credentials(None, "green")),
    ],
    ids=["its own provider", "a provider with the ambient kubeconfig", "the default provider"],
)
@pytest.mark.parametrize("preview", [False, True])
def test_a_component_reads_the_cluster_of_its_provider(provider: Any, credentials: Credentials, preview: bool) -> None:
    read: list[Credentials] = []

    def program() -> None:
        options = pulumi.ResourceOptions(provider=provider())
        credentials_of(pulumi.ComponentResource("test:index:C", "c", {}, options)).apply(read.append)

    run(program, {"kubernetes:context": "green"}, preview=preview)
    assert read == [credentials]
