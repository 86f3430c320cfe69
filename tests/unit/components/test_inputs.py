"""What components are given: plain values and Outputs, good and bad, from whichever language."""

from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes
import pytest

from components import DnsRecords, GatewayCertificate, HttpGateway, TlsGateway
from components.inputs import InputsError
from components.kube.credentials import Credentials, credentials_of
from components.specs import istio
from tests.unit.harness import CERTIFICATE, GATEWAY, RECORD, VIRTUAL_SERVICE, run

ROUTE: Any = {"service": "shop", "namespace": "shop", "port": 80}
TLS: Any = {
    "credentials": [{"secret_name": "certs", "hosts": ["shop.sandbox.test"]}],
    "hosts": [{"host": "shop.sandbox.test", "routes": [ROUTE]}],
}


def tls(**changes: Any) -> Any:
    """The args of a TlsGateway, good but for the changes."""
    return {**TLS, **changes}


def later(value: Any) -> pulumi.Output[Any]:
    """An Output, as another resource would give it."""
    return pulumi.Output.from_input(value)


class TestDefaults:
    def test_a_gateway_needs_only_hosts_and_certificates(self) -> None:
        made = run(lambda: TlsGateway("tls", TLS))
        gateway = made.of(GATEWAY)[0].inputs

        assert gateway["metadata"] == istio.metadata("tls", "istio-system"), "named after the component"
        assert gateway["spec"]["selector"] == {"istio": "ingressgateway"}, "Istio's own gateway"
        hardened = gateway["spec"]["servers"][0]["tls"]
        assert hardened["minProtocolVersion"] == "TLSV1_2", "Istio hardens nothing by itself"
        assert len(hardened["cipherSuites"]) == 6, "Mozilla's intermediate profile"

    @pytest.mark.parametrize(("algorithm", "size"), [("ECDSA", 256), ("RSA", 2048)])
    def test_a_key_has_the_size_that_is_usual_for_its_algorithm(self, algorithm: str, size: int) -> None:
        args: Any = {"issuer": "ca", "credentials": TLS["credentials"], "key": {"algorithm": algorithm}}
        made = run(lambda: GatewayCertificate("certificate", args)).of(CERTIFICATE)[0]

        assert made.inputs["spec"]["privateKey"]["size"] == size


class TestOutputs:
    def test_every_value_may_be_one(self) -> None:
        args: Any = lambda: {  # noqa: E731
            "gateway": later("tls-mine"),
            "namespace": later("gateways"),
            "selector": later({"istio": "mine"}),
            "credentials": [{"secret_name": later("certs"), "hosts": [later("SHOP.sandbox.test")]}],
            "hosts": [
                {
                    "host": later("shop.sandbox.test"),
                    "routes": [{"service": later("shop"), "namespace": later("shops"), "port": later(80)}],
                }
            ],
            "hsts": later(31536000),
        }
        made = run(lambda: TlsGateway("tls", args()))
        gateway, route = made.of(GATEWAY)[0].inputs, made.of(VIRTUAL_SERVICE)[0]

        assert gateway["metadata"] == istio.metadata("tls-mine", "gateways")
        assert gateway["spec"]["servers"][0]["hosts"] == ["shop.sandbox.test"], "normalised once it is known"
        assert route.name == "tls-0", "named by its position: the host is not known when the program runs"
        assert route.inputs["metadata"]["name"] == "shop.sandbox.test"
        destination = route.inputs["spec"]["http"][0]["route"][0]["destination"]
        assert destination == {"host": "shop.shops.svc.cluster.local", "port": {"number": 80}}

    def test_records_and_port_80_take_them_as_well(self) -> None:
        def program() -> None:
            DnsRecords("dns", {"hosts": [later("shop.sandbox.test")], "ip": later("203.0.113.10"), "zone": later("z")})
            HttpGateway("http", {"hosts": later(["shop.sandbox.test"])})

        made = run(program)

        assert made.of(RECORD)[0].inputs["name"] == "shop.sandbox.test."
        assert made.of(VIRTUAL_SERVICE)[0].inputs["spec"]["hosts"] == ["shop.sandbox.test"]

    def test_what_decides_how_many_resources_there_are_has_to_be_known(self) -> None:
        args: Any = lambda: {"hosts": later(["shop.sandbox.test"]), "ip": "203.0.113.10", "zone": "sandbox"}  # noqa: E731

        with pytest.raises(InputsError, match="DnsRecords 'dns':\n  hosts is an Output; the program has to know it"):
            run(lambda: DnsRecords("dns", args()))

    def test_a_bad_one_fails_when_it_is_known(self) -> None:
        args: Any = lambda: {"hosts": [later("no host")], "ip": "203.0.113.10", "zone": "sandbox"}  # noqa: E731

        with pytest.raises(InputsError, match=r"hosts\[0\]: 'no host' has the label"):
            run(lambda: DnsRecords("dns", args()))

    def test_a_secret_one_is_not_shown(self) -> None:
        args: Any = lambda: {"hosts": [pulumi.Output.secret("no host")], "ip": "203.0.113.10", "zone": "sandbox"}  # noqa: E731

        with pytest.raises(InputsError, match=r"hosts\[0\] is a secret that is not accepted") as refused:
            run(lambda: DnsRecords("dns", args()))
        assert "no host" not in str(refused.value), "nor in the reason"


class TestOtherLanguages:
    def test_numbers_that_arrive_as_floats_are_written_as_integers(self) -> None:
        def program() -> None:
            host: Any = {"host": "shop.sandbox.test", "routes": [{**ROUTE, "port": 8080.0}]}
            TlsGateway("tls", tls(hosts=[host], hsts=31536000.0))
            records: Any = {"hosts": ["shop.sandbox.test"], "ip": "203.0.113.10", "zone": "sandbox", "ttl": 60.0}
            DnsRecords("dns", records)
            key: Any = {"algorithm": "RSA", "size": 4096.0}
            args: Any = {"issuer": "ca", "credentials": TLS["credentials"], "key": key, "timeout": 90.0}
            args["renew_before_percentage"] = 50.0
            GatewayCertificate("certificate", args)

        made = run(program)
        headers = made.of(VIRTUAL_SERVICE)[0].inputs["spec"]["http"][0]["headers"]
        assert headers["response"]["set"]["strict-transport-security"] == "max-age=31536000", "not 31536000.0"
        assert made.of(CERTIFICATE)[0].create_timeout == "90s", "not 90.0s"


class TestRefusals:
    @pytest.mark.parametrize(
        ("changes", "said"),
        [
            ({"min_version": "1.1"}, "min_version: '1.1' is not one of 1.2, 1.3"),
            ({"hsts": 1.5}, "hsts: 1.5 should be a valid integer"),
            ({"hsts": -1}, "hsts: -1 should be greater than or equal to 0"),
            ({"selector": {}}, "selector: {} should have at least 1 item"),
            ({"gateway": "Tls_1"}, "gateway: 'Tls_1' is not a Kubernetes name"),
            ({"cipher_suites": ["AES128-SHA"]}, "cipher_suites[0]: 'AES128-SHA' is not one of ECDHE-"),
            ({"credentials": []}, "credentials: [] should have at least 1 item"),
            ({"hosts": "shop.sandbox.test"}, "hosts: 'shop.sandbox.test' should be a valid list"),
            ({"hosts": [{"host": "shop.sandbox.test"}]}, "hosts[0].routes is missing"),
            (
                {"hosts": [{"host": "shop.sandbox.test", "routes": [{**ROUTE, "port": 0}]}]},
                "hosts[0].routes[0].port: 0 should be greater than or equal to 1",
            ),
            (
                {"hosts": [{"host": "shop.sandbox.test", "routes": [{**ROUTE, "path": "v2"}]}]},
                "hosts[0].routes[0].path: 'v2' is not a path that begins with /",
            ),
            ({"host": "shop.sandbox.test"}, "host is not an input; accepted: credentials, "),
        ],
    )
    def test_each_says_which_input_is_wrong_and_nothing_is_registered_below(
        self, changes: dict[str, Any], said: str
    ) -> None:
        with pytest.raises(pulumi.RunError) as refused:
            run(lambda: TlsGateway("tls", tls(**changes)))

        assert f"TlsGateway 'tls':\n  {said}" in str(refused.value)

    def test_all_are_said_at_once(self) -> None:
        with pytest.raises(InputsError) as refused:
            run(lambda: TlsGateway("tls", tls(min_version="1.1", hsts=-1)))

        assert [problem.where for problem in refused.value.problems] == ["min_version", "hsts"]

    def test_a_key_of_another_algorithms_size_is_refused(self) -> None:
        args: Any = {"issuer": "ca", "credentials": TLS["credentials"], "key": {"algorithm": "RSA", "size": 256}}

        with pytest.raises(InputsError, match=r"key\.size is 256; accepted for RSA: 2048, 3072, 4096"):
            run(lambda: GatewayCertificate("certificate", args))


class TestCredentials:
    """A component reads the cluster that its own provider is set up with."""

    @staticmethod
    def read(provider: Any, *, preview: bool = False, config: dict[str, str] | None = None) -> list[Credentials]:
        found: list[Credentials] = []

        def program() -> None:
            made = provider()
            component = pulumi.ComponentResource("test:index:C", "c", {}, pulumi.ResourceOptions(provider=made))
            credentials_of(component).apply(found.append)

        run(program, config, preview=preview)
        return found

    @pytest.mark.parametrize("preview", [False, True])
    def test_they_are_those_of_the_provider(self, preview: bool) -> None:
        def provider() -> Any:
            return kubernetes.Provider("cluster", kubeconfig=pulumi.Output.secret("/etc/kubeconfig"), context="blue")

        assert self.read(provider, preview=preview) == [Credentials("/etc/kubeconfig", "blue")]

    def test_a_provider_without_a_kubeconfig_has_the_ambient_one(self) -> None:
        assert self.read(lambda: kubernetes.Provider("cluster")) == [Credentials()]

    def test_without_a_provider_they_are_the_default_ones(self) -> None:
        found = self.read(lambda: None, config={"kubernetes:context": "green"})

        assert found == [Credentials(None, "green")], "as `pulumi config set kubernetes:context` says"
