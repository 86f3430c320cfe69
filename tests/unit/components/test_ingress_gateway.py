"""The Service of the gateway: its problems, and the wait for an address."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes
import pytest
import yaml
from kubernetes import client

from components.ingress_gateway import IngressGateway
from components.kube.load_balancer import (
    GatewayProblemsError,
    UnreachableError,
    Wanted,
    asks_for_address,
    external_ips,
    find_address,
)
from components.kube.solver_route import DEFAULTS, ControlPlane, ingress_label, solver_problem
from components.problem import COMMANDS
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
def api() -> Iterator[Api]:
    served = Api(service())
    yield served
    served.close()


def find(api: Api, timeout: float = 5, family: str = "ipv4") -> Sequence[str] | None:
    with api.client() as connected:
        return find_address(connected, "istio-system", "istio-ingressgateway", timeout, Wanted(family))


def up(
    api: Api,
    *,
    preview: bool = False,
    timeout: int = 1,
    output: str = "ip",
    commands: Mapping[str, str] | None = None,
    **args: Any,
) -> Any:
    given: Any = {"namespace": "istio-system", "service": "istio-ingressgateway", "timeout": timeout, **args}

    def program() -> None:
        COMMANDS.update({} if commands is None else {"ingress": commands})
        cluster = kubernetes.Provider("cluster", kubeconfig=pulumi.Output.secret(api.kubeconfig))
        gateway = IngressGateway("ingress", given, pulumi.ResourceOptions(provider=cluster))
        pulumi.export("ip", gateway.ip)
        pulumi.export("ipv6", gateway.ipv6)

    return run(program, preview=preview).outputs.get(output)


class TestAddress:
    def test_the_external_ip_is_read(self, api: Api) -> None:
        assert find(api) == [IP]

    def test_it_is_waited_for_by_watching(self, api: Api) -> None:
        api.now = service(points=[])
        api.later = [("ADDED", service(points=[])), ("MODIFIED", service())]

        assert find(api) == [IP], "the watch told it"

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

        assert find(api) == [IP], "an A record holds no other"

    def test_the_ipv6_address_is_taken_where_it_is_wanted(self, api: Api) -> None:
        api.now = service(points=[{"ip": IP}, {"ip": IPV6}])

        assert find(api, family="ipv6") == [IPV6], "an AAAA record holds no other"
        assert find(api, family="dual") == [IP, IPV6], "both, whatever their order"

    def test_of_two_stacks_the_second_is_waited_for(self, api: Api) -> None:
        both = {"families": ["IPv4", "IPv6"]}
        api.now = service(points=[{"ip": IP}], **both)
        assert find(api, timeout=0.1, family="dual") is None, "it is still on its way"

        api.later = [("MODIFIED", service(points=[{"ip": IPV6}, {"ip": IP}], **both))]
        assert find(api, family="dual") == [IP, IPV6], "the watch told it"


class TestProblems:
    @pytest.mark.parametrize(
        ("changes", "words", "command"),
        [
            ({"ports": [80]}, "no port 443 (https)", '"port":443,"targetPort":443'),
            ({"ports": [443]}, "no port 80 (http)", '"port":80,"targetPort":80'),
            ({"ports": [80], "target": 8080}, "no port 443 (https)", '"port":443,"targetPort":8443'),
            ({"type": "ClusterIP", "points": []}, "is of type ClusterIP", '{"spec":{"type":"LoadBalancer"}}'),
            ({"points": [{"hostname": "lb.cloud.test"}]}, "hostname lb.cloud.test", "set the input service to NAME"),
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

    @pytest.mark.parametrize(
        ("points", "family", "words", "change", "instead"),
        [
            ([IPV6], "ipv4", "only the IPv6 address 2001:db8::1; an A record", '"ipFamilies":["IPv4"]', "ipv6"),
            ([IP], "ipv6", f"only the IPv4 address {IP}; an AAAA record", '"ipFamilies":["IPv6"]', "ipv4"),
            (
                [IP],
                "dual",
                f"only the IPv4 address {IP}; an AAAA record",
                '"ipFamilyPolicy":"RequireDualStack"',
                "ipv4",
            ),
            ([IPV6], "dual", "only the IPv6 address 2001:db8::1; an A record", '"RequireDualStack"', "ipv6"),
        ],
    )
    def test_addresses_of_another_version_are_explained_with_both_ways_out(
        self, api: Api, points: list[str], family: str, words: str, change: str, instead: str
    ) -> None:
        api.now = service(points=[{"ip": each} for each in points])

        with pytest.raises(GatewayProblemsError) as refused:
            find(api, family=family)

        first, patch, setting = str(refused.value).splitlines()
        assert words in first, "what there is, and what is needed"
        assert change in patch, "the Service can change"
        assert f"set the input family to {instead}" in setting, "or the records"

    def test_all_are_explained_at_once(self, api: Api) -> None:
        api.now = service(ports=[], type="NodePort", points=[])

        with pytest.raises(GatewayProblemsError) as refused:
            find(api)

        assert len(str(refused.value).splitlines()) == 6, "type, port 80 and port 443, each with its command"

    def test_a_missing_service_is_explained(self, api: Api) -> None:
        api.now = None

        with pytest.raises(
            GatewayProblemsError, match=r"does not exist\n.*kubectl get services[^$]*set the input service to NAME"
        ):
            find(api)

    def test_an_empty_service_is_judged_too(self) -> None:
        with pytest.raises(GatewayProblemsError):
            external_ips(client.V1Service())


class TestIngressGateway:
    def test_up_gets_the_address_and_it_is_no_secret(self, api: Api) -> None:
        assert up(api) == IP, "though the kubeconfig is one"

    def test_up_explains_an_address_that_does_not_come(self, api: Api) -> None:
        api.now = service(points=[])

        with pytest.raises(
            pulumi.RunError, match=r"no external IP in 1 s.*\n.*describe service[^$]*set the input timeout to 2"
        ):
            up(api)

    def test_up_gets_both_addresses_where_both_are_wanted(self, api: Api) -> None:
        api.now = service(points=[{"ip": IPV6}, {"ip": IP}])

        assert up(api, family="dual") == IP, "the A records' address"
        assert up(api, family="dual", output="ipv6") == IPV6, "the AAAA records'"
        assert up(api, family="ipv6") == IPV6, "the only one"
        assert up(api, output="ipv6") is None, "nobody asked for it"

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

    @pytest.mark.parametrize("gke", [True, False])
    def test_a_kubeconfig_is_named_where_the_config_takes_one(self, api: Api, gke: bool) -> None:
        api.close()

        with pytest.raises(pulumi.RunError, match="cannot be read") as refused:
            up(api, commands=ingress_commands(gke=gke))

        assert ("pulumi config set kubeconfig" in str(refused.value)) is not gke, "it is refused beside `gke`"
        assert "the input" not in str(refused.value)

    def test_forbidden_is_not_missing(self, api: Api) -> None:
        api.status = 403

        with pytest.raises(UnreachableError, match="403"):
            find(api)

    def test_a_program_has_its_own_commands_told(self, api: Api) -> None:
        api.now = service(points=[])

        with pytest.raises(pulumi.RunError, match=r"pulumi config set --path ingress\.timeout 2") as refused:
            up(api, commands=ingress_commands())

        assert "the input" not in str(refused.value), "its users know no component"


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

        assert "istio=other; this gateway's have istio=ingressgateway" in str(refused.value), "both are named"
        assert "helm upgrade istiod istio/istiod" in str(refused.value), "the mesh can be changed"
        assert "meshConfig.ingressSelector=ingressgateway" in str(refused.value), "like so"
        assert "pulumi config set challenge dns01" in str(refused.value), "or the challenge"

    def test_without_http01_nothing_of_it_is_asked(self, api: Api) -> None:
        mesh_config(api, ingressControllerMode="OFF")

        assert up(api) == IP, "no solver has an Ingress"

    @pytest.mark.parametrize("status", [403, 404])
    def test_a_mesh_config_that_cannot_be_read_is_passed_over(self, api: Api, status: int) -> None:
        api.refused = status

        assert up(api, http01={}) == IP, "Istio may be Google's to manage"

    def test_no_mesh_config_is_passed_over_and_a_broken_one(self, api: Api) -> None:
        api.objects["/api/v1/namespaces/istio-system/configmaps/istio"] = {"data": {"mesh": "{"}}

        assert up(api, http01={}) == IP, "istiod goes on with the last one that it could read"

    def test_the_label_is_the_deployments_where_the_selector_has_none(self, api: Api) -> None:
        mesh_config(api)
        deployment(api, istio="edge", app="edge")

        with pytest.raises(pulumi.RunError, match="this gateway's have istio=edge"):
            up(api, http01={"selector": {"app": "edge"}})

    def test_a_label_that_is_not_known_is_not_guessed(self, api: Api) -> None:
        mesh_config(api)

        assert up(api, http01={"selector": {"app": "edge"}}) == IP, "its Pods may well have the other label"

    def test_the_revision_is_the_deployments(self, api: Api) -> None:
        mesh_config(api)
        mesh_config(api, name="istio-1-31", ingressControllerMode="OFF")
        deployment(api, istio="ingressgateway", **{"istio.io/rev": "1-31"})

        with pytest.raises(
            pulumi.RunError, match=r"istio-1-31 has ingressControllerMode OFF[^$]*deployment istiod-1-31"
        ):
            up(api, http01={})

    def test_the_revision_and_its_place_can_be_given(self, api: Api) -> None:
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


@pytest.mark.parametrize("mode", ["OFF", 1])
def test_a_mode_may_be_a_number(mode: object) -> None:
    found = solver_problem({"ingressControllerMode": mode}, {}, "class", None, ControlPlane(), {})

    assert found is not None, "MeshConfig is a protobuf message, whose enums have numbers"


@pytest.mark.parametrize(
    ("spec", "annotations", "asks"),
    [
        ({}, {}, False),
        ({"load_balancer_ip": IP}, {}, True),
        ({}, {"networking.gke.io/load-balancer-ip-addresses": "gateway"}, True),
    ],
)
def test_a_service_that_names_its_address_keeps_it(
    spec: dict[str, str], annotations: dict[str, str], asks: bool
) -> None:
    found = client.V1Service(metadata=client.V1ObjectMeta(annotations=annotations), spec=client.V1ServiceSpec(**spec))

    assert asks_for_address(found) is asks, "it gets the same one when it is made anew"
