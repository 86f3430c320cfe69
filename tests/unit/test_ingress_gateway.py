"""The Service of the gateway: its problems, the wait for an address, and the reading of failures."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes
import pytest
from kubernetes import client

from components.ingress_gateway import IngressGateway
from components.issuance import problems_of
from components.kubernetes_api import api_client
from components.load_balancer import GatewayProblemsError, UnreachableError, external_ip, find_address
from components.rules.issuance import UNANSWERED, chain_of_problems
from components.rules.kubeconfig import gke_kubeconfig, is_content
from components.rules.problem import Problem, text
from tests.unit.harness import run

IP = "203.0.113.10"
VERSION = "7"
"""Of the cluster, when it is listed."""


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


class Api:
    """An API server that knows one Service: a list answers `now`, a watch from there tells `later`."""

    def __init__(self) -> None:
        self.now: dict[str, Any] | None = service()
        self.status = 200
        self.later: list[tuple[str, dict[str, Any]]] = []
        self.objects: dict[str, Any] = {}
        api = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, body = api.answer(self.path)
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, path: str) -> tuple[int, bytes]:
        route, _, query = path.partition("?")
        if route in self.objects:
            return 200, json.dumps(self.objects[route]).encode()
        if "watch=true" in query:
            if f"resourceVersion={VERSION}" not in query:
                return 504, b"Too large resource version"
            events = [{"type": kind, "object": each} for kind, each in self.later]
            return 200, b"".join(json.dumps(event).encode() + b"\n" for event in events)
        found = {"metadata": {"resourceVersion": VERSION}, "items": [self.now] if self.now else []}
        return self.status, json.dumps(found).encode()

    @property
    def kubeconfig(self) -> str:
        spec = gke_kubeconfig("test", "unused", "")
        spec["clusters"][0]["cluster"] = {"server": f"http://127.0.0.1:{self.server.server_address[1]}"}
        spec["users"][0]["user"] = {}
        return json.dumps(spec)

    def client(self) -> client.ApiClient:
        return api_client(self.kubeconfig)


@pytest.fixture
def api() -> Iterator[Api]:
    served = Api()
    yield served
    served.server.shutdown()
    served.server.server_close()


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
        api.server.shutdown()
        api.server.server_close()

        assert up(api, preview=True) != IP, "unknown, but no error"

    def test_up_without_the_cluster_is_explained(self, api: Api) -> None:
        api.server.shutdown()
        api.server.server_close()

        with pytest.raises(pulumi.RunError, match=r"cannot be read.*\n.*kubectl cluster-info"):
            up(api)

    def test_forbidden_is_not_missing(self, api: Api) -> None:
        api.status = 403

        with pytest.raises(UnreachableError, match="403"):
            find(api)


class TestKubeconfig:
    @pytest.mark.parametrize(
        ("text", "content"),
        [("~/.kube/config", False), ("/run/kubeconfig\n", False), ("{}", True), ("apiVersion: v1\nkind: Config", True)],
    )
    def test_content_is_told_from_a_path(self, text: str, content: bool) -> None:
        assert is_content(text) is content

    def test_gke_is_entered_with_the_plugin(self) -> None:
        spec = gke_kubeconfig("platform", "192.0.2.1", "Q0E=")

        assert spec["users"][0]["user"]["exec"]["command"] == "gke-gcloud-auth-plugin"
        assert spec["clusters"][0]["cluster"]["server"] == "https://192.0.2.1"
        assert spec["current-context"] == "platform"


def owned(kind: str, owner: str, name: str, **rest: Any) -> dict[str, Any]:
    return {
        "metadata": {
            "name": name,
            "ownerReferences": [{"kind": kind, "name": owner}],
            "creationTimestamp": rest.pop("at", "2026-01-01T00:00:00Z"),
        },
        **rest,
    }


def not_ready(message: str) -> dict[str, Any]:
    return {"conditions": [{"type": "Ready", "status": "False", "message": message}]}


class TestDiagnosis:
    ACME = "urn:ietf:params:acme:error:dns: no such name"

    def test_it_ends_with_the_acme_servers_words(self) -> None:
        found = chain_of_problems(
            "certs",
            [{"metadata": {"name": "certs"}, "status": not_ready("Issuing certificate")}],
            [
                owned("Certificate", "certs", "certs-1", at="2025-01-01T00:00:00Z", status=not_ready("old")),
                owned("Certificate", "certs", "certs-2", status=not_ready("Waiting on the order")),
                owned("Certificate", "other", "other-1", at="2027-01-01T00:00:00Z", status=not_ready("other")),
            ],
            [owned("CertificateRequest", "certs-2", "certs-2-1", status={"state": "invalid"})],
            [
                owned(
                    "Order",
                    "certs-2-1",
                    "certs-2-1-1",
                    spec={"dnsName": "shop.sandbox.test"},
                    status={"state": "invalid", "reason": self.ACME},
                )
            ],
        )

        assert text(found).splitlines() == [
            "Certificate: Issuing certificate",
            "CertificateRequest: Waiting on the order",
            "Order: invalid: no reason given",
            f"Challenge for shop.sandbox.test: invalid: {self.ACME}",
        ], "down the newest request of this Certificate"

    def test_an_order_that_the_acme_server_has_not_answered_is_told(self) -> None:
        found = chain_of_problems(
            "certs",
            [],
            [owned("Certificate", "certs", "certs-1", status={})],
            [owned("CertificateRequest", "certs-1", "certs-1-1", status={})],
            [],
        )

        assert found == [UNANSWERED], "cert-manager writes the reason nowhere but into its log"

    def test_what_is_ready_is_not_mentioned(self) -> None:
        ready = {"conditions": [{"type": "Ready", "status": "True", "message": "fine"}]}

        assert chain_of_problems("certs", [{"metadata": {"name": "certs"}, "status": ready}], [], [], []) == []

    @pytest.mark.parametrize(
        ("kind", "namespace", "path"),
        [("ClusterIssuer", None, "clusterissuers"), ("Issuer", "gateways", "namespaces/gateways/issuers")],
    )
    def test_an_issuers_reason_is_its_condition(self, api: Api, kind: str, namespace: str | None, path: str) -> None:
        api.objects[f"/apis/cert-manager.io/v1/{path}/letsencrypt-staging-istio"] = {
            "status": not_ready("x509: certificate signed by unknown authority")
        }
        with api.client() as connected:
            found = problems_of(connected, kind, namespace, "letsencrypt-staging-istio")

        assert found == [Problem(kind, "x509: certificate signed by unknown authority")]
