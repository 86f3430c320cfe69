"""The Service of the gateway: its problems, and the wait for an address."""

from collections.abc import Mapping, Sequence
from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes
import pytest
import yaml

from components.ingress_gateway import IngressGateway
from components.kube.client import RefusedError
from components.kube.load_balancer import asks_for_address, find_address
from components.preflight.service import Wanted
from components.problem import COMMANDS, ProblemsError
from components.specs.solver_route import DEFAULTS, ingress_label
from config.cluster import ingress_commands
from tests.unit.api_server import Api
from tests.unit.harness import run

IP = "203.0.113.10"
IPV6 = "2001:db8::1"


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
            "ipFamilies": changes.get("families", ["IPv4"]),
        },
        "status": {"loadBalancer": {"ingress": changes.get("points", [{"ip": IP}])}},
    }


@pytest.fixture
def api(api: Api) -> Api:
    """The API server, with the gateway's Service."""
    api.now = service()
    return api


def find(api: Api, timeout: float = 5, family: str = "ipv4") -> Sequence[str] | None:
    return find_address(api.client(), "istio-system", "istio-ingressgateway", timeout, Wanted(family))


def up(
    api: Api,
    *,
    preview: bool = False,
    timeout: int = 1,
    output: str = "ip",
    commands: Mapping[str, str] | None = None,
    **args: Any,
) -> Any:
    inputs: Any = {"namespace": "istio-system", "service": "istio-ingressgateway", "timeout": timeout, **args}

    def program() -> None:
        COMMANDS.update({} if commands is None else {"ingress": commands})
        cluster = kubernetes.Provider("cluster", kubeconfig=pulumi.Output.secret(api.kubeconfig))
        gateway = IngressGateway("ingress", inputs, pulumi.ResourceOptions(provider=cluster))
        pulumi.export("ip", gateway.ip)
        pulumi.export("ipv6", gateway.ipv6)

    return run(program, preview=preview).outputs.get(output)


class TestAddress:
    @pytest.mark.parametrize(
        ("points", "family", "expected"),
        [
            ([IP], "ipv4", [IP]),
            ([IPV6, IP], "ipv4", [IP]),
            ([IP, IPV6], "ipv6", [IPV6]),
            ([IPV6, IP], "dual", [IP, IPV6]),
        ],
    )
    def test_the_addresses_of_the_wanted_versions_are_read(
        self, api: Api, points: list[str], family: str, expected: list[str]
    ) -> None:
        api.now = service(points=[{"ip": ip} for ip in points])

        assert find(api, family=family) == expected

    def test_an_address_is_waited_for_by_watching(self, api: Api) -> None:
        both = {"families": ["IPv4", "IPv6"]}
        api.now = service(points=[{"ip": IP}], **both)
        assert find(api, timeout=0.1, family="dual") is None, "the second one does not come in time"

        api.later = [("ADDED", api.now), ("MODIFIED", service(points=[{"ip": IPV6}, {"ip": IP}], **both))]
        assert find(api, family="dual") == [IP, IPV6]

    def test_a_service_that_is_deleted_meanwhile_ends_the_wait(self, api: Api) -> None:
        api.now = service(points=[])
        api.later = [("DELETED", service(points=[]))]

        with pytest.raises(ProblemsError, match="does not exist"):
            find(api)

    def test_a_service_that_istio_makes_is_waited_for_and_a_preview_may_be_without_it(self, api: Api) -> None:
        api.now = None
        assert up(api, preview=True, managed=True) != IP, "unknown, but no error"
        api.later = [("ADDED", service(ports=[80]))]
        assert up(api, managed=True) == IP

    def test_a_refused_request_is_not_taken_for_a_missing_service(self, api: Api) -> None:
        api.status = 403

        with pytest.raises(RefusedError, match="403"):
            find(api)


ONLY_IPV6, ONLY_IPV4 = "has only the IPv6 address 2001:db8::1; an A record", f"only the IPv4 address {IP}; an AAAA"


class TestProblems:
    @pytest.mark.parametrize(
        ("changes", "family", "problem", "fixes"),
        [
            ({"ports": [80]}, "ipv4", "has no port 443 (https)", ['"port":443,"targetPort":443']),
            ({"ports": [443]}, "ipv4", "has no port 80 (http)", ['"port":80,"targetPort":80']),
            ({"ports": [80], "target": 8080}, "ipv4", "has no port 443", ['"port":443,"targetPort":8443']),
            ({"type": "ClusterIP"}, "ipv4", "is of type ClusterIP", ['{"spec":{"type":"LoadBalancer"}}']),
            ({"points": [{"hostname": "lb.test"}]}, "ipv4", "the hostname lb.test", ["set the input service to NAME"]),
            ({"points": [{"ip": IPV6}]}, "ipv4", ONLY_IPV6, ['"ipFamilies":["IPv4"]', "input family to ipv6"]),
            ({"points": [{"ip": IP}]}, "ipv6", ONLY_IPV4, ['"ipFamilies":["IPv6"]', "input family to ipv4"]),
            ({"points": [{"ip": IP}]}, "dual", ONLY_IPV4, ['"RequireDualStack"', "input family to ipv4"]),
            ({"points": [{"ip": IPV6}]}, "dual", ONLY_IPV6, ['"RequireDualStack"', "input family to ipv6"]),
        ],
    )
    def test_a_problem_of_the_service_is_explained_with_the_commands_that_fix_it(
        self, api: Api, changes: dict[str, Any], family: str, problem: str, fixes: list[str]
    ) -> None:
        api.now = service(**changes)

        with pytest.raises(ProblemsError) as refused:
            find(api, family=family)

        first, *commands = str(refused.value).splitlines()
        assert first.startswith("Service istio-system/istio-ingressgateway ")
        assert problem in first
        for fix, command in zip(fixes, commands, strict=True):
            assert fix in command

    def test_all_problems_are_reported_at_once(self, api: Api) -> None:
        api.now = service(ports=[], type="NodePort", points=[])

        with pytest.raises(ProblemsError) as refused:
            find(api)

        assert len(refused.value.problems) == 3, "the type, port 80 and port 443"

    def test_a_missing_service_is_reported(self, api: Api) -> None:
        api.now = None

        with pytest.raises(
            ProblemsError, match=r"does not exist\n.*kubectl get services[^$]*set the input service to NAME"
        ):
            find(api)


class TestIngressGateway:
    def test_up_gets_the_addresses_and_they_are_no_secrets_though_the_kubeconfig_is_one(self, api: Api) -> None:
        assert up(api) == IP
        assert up(api, output="ipv6") is None, "the Service has none"

        api.now = service(points=[{"ip": IPV6}, {"ip": IP}])
        assert up(api, family="dual") == IP, "for the A records"
        assert up(api, family="dual", output="ipv6") == IPV6, "for the AAAA records"
        assert up(api, family="ipv6") == IPV6

    @pytest.mark.parametrize(
        ("commands", "timeout"),
        [(None, "set the input timeout to 2"), (ingress_commands(), "pulumi config set --path ingress.timeout 2")],
        ids=["the component alone", "in the program, whose users know no component"],
    )
    def test_up_explains_an_address_that_does_not_come(self, api: Api, commands: Any, timeout: str) -> None:
        api.now = service(points=[])

        with pytest.raises(pulumi.RunError, match=rf"no external IP in 1 s.*\n.*describe service.*\n +{timeout}"):
            up(api, commands=commands)

    def test_a_preview_refuses_a_problem_and_does_not_wait(self, api: Api) -> None:
        api.now = service(points=[])
        api.later = [("ADDED", service())]
        assert up(api, preview=True) != IP, "it reads once"

        api.now = service(ports=[80])
        with pytest.raises(pulumi.RunError, match="no port 443"):
            up(api, preview=True)

    @pytest.mark.parametrize("gke", [True, False])
    def test_only_up_needs_the_cluster_and_a_kubeconfig_is_named_where_the_config_takes_one(
        self, api: Api, gke: bool
    ) -> None:
        api.close()
        assert up(api, preview=True) != IP, "unknown, but no error"

        with pytest.raises(pulumi.RunError, match=r"cannot be read.*\n.*kubectl cluster-info") as refused:
            up(api, commands=ingress_commands(gke=gke))
        assert ("pulumi config set kubeconfig" in str(refused.value)) is not gke, "it is refused beside `gke`"


def mesh_config(api: Api, *, namespace: str = "istio-system", name: str = "istio", **mesh: Any) -> None:
    """Let the API server have a MeshConfig."""
    data = {"mesh": yaml.safe_dump({"rootNamespace": "istio-system", **mesh})}
    api.objects[f"/api/v1/namespaces/{namespace}/configmaps/{name}"] = {"data": data}


def deployment(api: Api, **labels: str) -> None:
    """Let the API server have the gateway's Deployment, with these labels of its Pods."""
    api.objects["/apis/apps/v1/namespaces/istio-system/deployments/istio-ingressgateway"] = {
        "spec": {"selector": {}, "template": {"metadata": {"labels": labels}}}
    }


class TestSolversRoute:
    @pytest.mark.parametrize("preview", [True, False])
    def test_a_mesh_that_sends_solvers_elsewhere_is_refused_with_both_fixes(self, api: Api, preview: bool) -> None:
        mesh_config(api, ingressSelector="other")

        with pytest.raises(pulumi.RunError) as refused:
            up(api, preview=preview, http01={}, commands=ingress_commands())

        assert "istio=other; this gateway's have istio=ingressgateway" in str(refused.value)
        assert "helm upgrade istiod istio/istiod" in str(refused.value)
        assert "meshConfig.ingressSelector=ingressgateway" in str(refused.value)
        assert "pulumi config set challenge dns01" in str(refused.value), "or the challenge"

    def test_the_mesh_is_not_read_without_http01(self, api: Api) -> None:
        mesh_config(api, ingressControllerMode="OFF")

        assert up(api) == IP, "no solver has an Ingress"

    @pytest.mark.parametrize("refused", [403, 404, "{", "a: " + "[" * 10_000, "a: !!int x"])
    def test_a_mesh_config_that_cannot_be_read_is_passed_over(self, api: Api, refused: int | str) -> None:
        if isinstance(refused, int):
            api.refused = refused
        else:
            api.objects["/api/v1/namespaces/istio-system/configmaps/istio"] = {"data": {"mesh": refused}}

        assert up(api, http01={}) == IP, "Istio may be Google's to manage, and istiod keeps the last one that it read"

    def test_the_label_and_the_revision_are_the_deployments_where_the_inputs_have_none(self, api: Api) -> None:
        mesh_config(api)
        selector = {"selector": {"app": "edge"}}
        assert up(api, http01=selector) == IP, "a label that is not known is not guessed"

        deployment(api, istio="edge", app="edge")
        with pytest.raises(pulumi.RunError, match="this gateway's have istio=edge"):
            up(api, http01=selector)

        mesh_config(api, name="istio-1-31", ingressControllerMode="OFF")
        deployment(api, istio="ingressgateway", **{"istio.io/rev": "1-31"})
        with pytest.raises(
            pulumi.RunError, match=r"istio-1-31 has ingressControllerMode OFF[^$]*deployment istiod-1-31"
        ):
            up(api, http01={})

    def test_the_revision_and_its_namespace_can_be_inputs(self, api: Api) -> None:
        mesh_config(api, namespace="control", name="istio-blue", ingressClass="blue")

        with pytest.raises(pulumi.RunError, match="ConfigMap control/istio-blue has ingressClass 'blue'"):
            up(api, http01={"control_plane": "control", "revision": "blue"})

    @pytest.mark.parametrize(
        ("mode", "controller", "refused"),
        [
            ("STRICT", "", True),
            ("STRICT", "istio.io/ingress-controller", False),
            ("STRICT", "k8s.io/ingress-nginx", True),
            ("DEFAULT", "", False),
            ("DEFAULT", "k8s.io/ingress-nginx", True),
        ],
    )
    def test_a_class_by_name_needs_its_ingress_class(self, api: Api, mode: str, controller: str, refused: bool) -> None:
        mesh_config(api, ingressControllerMode=mode, ingressClass="not-looked-at")
        if controller:
            api.objects["/apis/networking.k8s.io/v1/ingressclasses/istio"] = {"spec": {"controller": controller}}
        http01 = {"class_field": "ingressClassName"}

        if refused:
            with pytest.raises(pulumi.RunError, match="set the input class_field to class"):
                up(api, http01=http01)
        else:
            assert up(api, http01=http01) == IP, "Istio serves it"


@pytest.mark.parametrize(
    ("mesh", "label"),
    [
        ({}, "ingressgateway"),
        ({"ingressService": "istio-ingressgateway"}, "ingressgateway"),
        ({"ingressService": "edge"}, "edge"),
        ({"ingressService": "edge", "ingressSelector": "front"}, "front"),
        ({"ingressService": ""}, "ingressgateway"),
    ],
)
def test_the_label_of_an_ingress_is_the_one_that_istio_takes(mesh: dict[str, str], label: str) -> None:
    assert ingress_label({**DEFAULTS, **mesh}) == label, "getIngressGatewaySelector in gateways.go"


@pytest.mark.parametrize(
    ("spec", "annotations", "asks"),
    [
        ({}, {}, False),
        ({"loadBalancerIP": IP}, {}, True),
        ({}, {"networking.gke.io/load-balancer-ip-addresses": "gateway"}, True),
    ],
)
def test_a_service_that_names_its_address_keeps_it(spec: dict[str, str], annotations: Any, asks: bool) -> None:
    gateway = {"metadata": {"annotations": annotations}, "spec": spec}

    assert asks_for_address(gateway) is asks, "a new Service gets the same address"
