"""The Service of the gateway: its problems, and the wait for an address."""

from collections.abc import Iterator
from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes
import pytest
from kubernetes import client

from components.ingress_gateway import IngressGateway
from components.load_balancer import GatewayProblemsError, UnreachableError, external_ip, find_address
from tests.unit.api_server import Api
from tests.unit.harness import run

IP = "203.0.113.10"


def service(**changes: Any) -> dict[str, Any]:
    """The gateway's Service as the API server writes it."""
    ports = changes.get("ports", [80, 443])
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "istio-ingressgateway", "namespace": "istio-system"},
        "spec": {
            "type": changes.get("type", "LoadBalancer"),
            "ports": [{"port": port, "targetPort": changes.get("target", port)} for port in ports],
        },
        "status": {"loadBalancer": {"ingress": changes.get("points", [{"ip": IP}])}},
    }


@pytest.fixture
def api() -> Iterator[Api]:
    served = Api(service())
    yield served
    served.close()


def find(api: Api, timeout: float = 5) -> str | None:
    with api.client() as connected:
        return find_address(connected, "istio-system", "istio-ingressgateway", timeout)


def up(api: Api, *, preview: bool = False, timeout: int = 1) -> Any:
    def program() -> None:
        cluster = kubernetes.Provider("cluster", kubeconfig=pulumi.Output.secret(api.kubeconfig))
        gateway = IngressGateway(
            "ingress",
            {"namespace": "istio-system", "service": "istio-ingressgateway", "timeout": timeout},
            pulumi.ResourceOptions(provider=cluster),
        )
        pulumi.export("ip", gateway.ip)

    return run(program, preview=preview).outputs.get("ip")


class TestAddress:
    def test_the_external_ip_is_read(self, api: Api) -> None:
        assert find(api) == IP

    def test_it_is_waited_for_by_watching(self, api: Api) -> None:
        api.now = service(points=[])
        api.later = [("ADDED", service(points=[])), ("MODIFIED", service())]

        assert find(api) == IP, "the watch told it"

    def test_the_wait_is_bounded(self, api: Api) -> None:
        api.now = service(points=[])

        assert find(api, timeout=0.2) is None, "none came"

    def test_a_service_deleted_meanwhile_ends_the_wait(self, api: Api) -> None:
        api.now = service(points=[])
        api.later = [("DELETED", service(points=[]))]

        with pytest.raises(GatewayProblemsError, match="does not exist"):
            find(api)

    def test_the_ipv4_address_is_taken(self, api: Api) -> None:
        api.now = service(points=[{"ip": "2001:db8::1"}, {"ip": IP}])

        assert find(api) == IP, "an A record holds no other"


class TestProblems:
    @pytest.mark.parametrize(
        ("changes", "words", "command"),
        [
            ({"ports": [80]}, "no port 443 (https)", '"port":443,"targetPort":443'),
            ({"ports": [443]}, "no port 80 (http)", '"port":80,"targetPort":80'),
            ({"ports": [80], "target": 8080}, "no port 443 (https)", '"port":443,"targetPort":8443'),
            ({"type": "ClusterIP", "points": []}, "is of type ClusterIP", '{"spec":{"type":"LoadBalancer"}}'),
            ({"points": [{"hostname": "lb.cloud.test"}]}, "hostname lb.cloud.test", "ingress.service NAME"),
            ({"points": [{"ip": "2001:db8::1"}]}, "only the IPv6 address", "ipFamilies"),
        ],
    )
    def test_each_is_explained_with_the_command(
        self, api: Api, changes: dict[str, Any], words: str, command: str
    ) -> None:
        api.now = service(**changes)

        with pytest.raises(GatewayProblemsError) as refused:
            find(api)

        first, fix = str(refused.value).splitlines()
        assert "Service istio-system/istio-ingressgateway" in first, "which one"
        assert words in first, "what is wrong"
        assert command in fix, "what fixes it"

    def test_all_are_explained_at_once(self, api: Api) -> None:
        api.now = service(ports=[], type="NodePort", points=[])

        with pytest.raises(GatewayProblemsError) as refused:
            find(api)

        assert len(str(refused.value).splitlines()) == 6, "type, port 80 and port 443, each with its command"

    def test_a_missing_service_is_explained(self, api: Api) -> None:
        api.now = None

        with pytest.raises(
            GatewayProblemsError, match=r"does not exist\n.*kubectl get services[^$]*ingress\.service NAME"
        ):
            find(api)

    def test_an_empty_service_is_judged_too(self) -> None:
        with pytest.raises(GatewayProblemsError):
            external_ip(client.V1Service())


class TestIngressGateway:
    def test_up_gets_the_address_and_it_is_no_secret(self, api: Api) -> None:
        assert up(api) == IP, "though the kubeconfig is one"

    def test_up_explains_an_address_that_does_not_come(self, api: Api) -> None:
        api.now = service(points=[])

        with pytest.raises(
            pulumi.RunError, match=r"no external IP in 1 s.*\n.*describe service[^$]*ingress\.timeout 2"
        ):
            up(api)

    def test_a_problem_is_explained_at_preview_already(self, api: Api) -> None:
        api.now = service(ports=[80])

        with pytest.raises(pulumi.RunError, match="no port 443"):
            up(api, preview=True)

    def test_a_preview_does_not_wait(self, api: Api) -> None:
        api.now = service(points=[])
        api.later = [("ADDED", service())]

        assert up(api, preview=True) != IP, "it reads once"

    def test_a_preview_without_the_cluster_goes_on(self, api: Api) -> None:
        api.close()

        assert up(api, preview=True) != IP, "unknown, but no error"

    def test_up_without_the_cluster_is_explained(self, api: Api) -> None:
        api.close()

        with pytest.raises(pulumi.RunError, match=r"cannot be read.*\n.*kubectl cluster-info"):
            up(api)

    def test_forbidden_is_not_missing(self, api: Api) -> None:
        api.status = 403

        with pytest.raises(UnreachableError, match="403"):
            find(api)
