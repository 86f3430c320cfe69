"""What else opens the gateway: Ingresses, the Gateway API, EnvoyFilters, and objects in pieces."""

from typing import Any

import pytest
from pulumi_policy import PolicyResource

from policies.other_kinds import OTHER_WAYS, WHOLE
from policies.plain_http import NO_PLAIN_HTTP
from tests.policies.support import api_class, api_gateway, api_route, breaks, findings, gateway, holds, http, kubernetes

SOLVER = {"kubernetes.io/ingress.class": "istio"}


def ingress(group: str = "networking.k8s.io", annotations: Any = None, **spec: Any) -> PolicyResource:
    metadata = {"annotations": annotations} if annotations else {}
    return kubernetes(f"{group}/v1:Ingress", metadata=metadata, spec=spec)


def ingress_class(name: str, controller: str = "istio.io/ingress-controller", default: str = "false") -> PolicyResource:
    annotations = {"ingressclass.kubernetes.io/is-default-class": default}
    return kubernetes(
        "networking.k8s.io/v1:IngressClass",
        name,
        None,
        metadata={"annotations": annotations},
        spec={"controller": controller},
    )


@pytest.mark.parametrize(
    "stack",
    [
        [ingress(annotations=SOLVER)],
        [ingress("extensions", annotations=SOLVER)],
        [ingress(annotations=SOLVER, ingressClassName="nginx")],
        [ingress(ingressClassName="istio")],
        [ingress(ingressClassName="public"), ingress_class("public")],
        [ingress(), ingress_class("public", default="true")],
        [
            kubernetes(
                "networking.k8s.io/v1:IngressList",
                items=[{"metadata": {"name": "it", "namespace": "shop", "annotations": SOLVER}}],
            )
        ],
    ],
    ids=["annotation", "old group", "annotation first", "name", "IngressClass", "default class", "list"],
)
def test_an_ingress_for_istio_is_refused(stack: list[PolicyResource]) -> None:
    breaks(OTHER_WAYS, *stack, saying="Ingress shop/it is for Istio, which serves every Ingress over plain HTTP")


@pytest.mark.parametrize(
    "stack",
    [
        [ingress(annotations={"kubernetes.io/ingress.class": "gce"}, ingressClassName="istio")],
        [ingress(ingressClassName="nginx"), ingress_class("public")],
        [ingress(ingressClassName="public"), ingress_class("public", controller="k8s.io/ingress-nginx")],
        [ingress(), ingress_class("public")],
        [ingress(), ingress_class("gce", controller="gce", default="true")],
    ],
    ids=["annotation first", "another class", "another controller", "no default", "another default"],
)
def test_an_ingress_for_another_controller_holds(stack: list[PolicyResource]) -> None:
    holds(OTHER_WAYS, *stack)


@pytest.mark.parametrize(
    "stack",
    [
        [api_gateway()],
        [api_gateway("istio-remote")],
        [api_gateway("ours")],
        [api_gateway(None)],
        [api_gateway("ours"), api_class("ours", "istio.io/gateway-controller")],
        [api_gateway("ours"), api_class("ours", "istio.io/unmanaged-gateway")],
    ],
    ids=["istio", "remote", "unknown class", "no class", "class by its controller", "class of another controller"],
)
def test_a_gateway_of_the_gateway_api_for_istio_is_refused(stack: list[PolicyResource]) -> None:
    breaks(OTHER_WAYS, *stack, saying="Gateway shop/api is a Gateway of the Gateway API for Istio")


@pytest.mark.parametrize("kind", ["HTTPRoute", "GRPCRoute", "TLSRoute", "TCPRoute", "UDPRoute", "ListenerSet"])
def test_every_kind_of_the_gateway_api_that_attaches_to_it_is_refused(kind: str) -> None:
    breaks(OTHER_WAYS, api_route(kind), saying=f"{kind} shop/route is on the Gateway shop/api of the Gateway API")


@pytest.mark.parametrize(
    "route",
    [
        api_route("XListenerSet", group="gateway.networking.x-k8s.io"),
        api_route(namespace="platform", name="shared"),
        api_route(kind="Gateway"),
    ],
    ids=["experimental", "another team's Gateway", "kind written"],
)
def test_a_route_of_the_gateway_api_to_a_gateway_that_may_be_istios_is_refused(route: PolicyResource) -> None:
    breaks(OTHER_WAYS, route, saying="of the Gateway API, which no policy judges")


@pytest.mark.parametrize(
    "stack",
    [
        [api_gateway("gke-l7-global-external-managed"), api_route()],
        [api_gateway("ours"), api_class("ours", "example.net/controller"), api_route()],
        [api_gateway("gke-l7-gxlb", namespace="platform"), api_route(namespace="platform")],
        [api_gateway("istio-waypoint"), api_route()],
        [
            kubernetes(
                "gateway.networking.k8s.io/v1:HTTPRoute", spec={"parentRefs": [{"kind": "Service", "name": "shop"}]}
            )
        ],
    ],
    ids=["Google's", "another controller", "another namespace", "waypoint", "mesh"],
)
def test_the_gateway_api_of_others_and_of_the_mesh_holds(stack: list[PolicyResource]) -> None:
    holds(OTHER_WAYS, *stack)


@pytest.mark.parametrize("kind", ["Ingress", "Gateway", "HTTPRoute", "EnvoyFilter"])
def test_kinds_of_other_groups_hold(kind: str) -> None:
    spec = {"ingressClassName": "istio", "parentRefs": [{"name": "api"}], "configPatches": [{}]}
    holds(OTHER_WAYS, kubernetes(f"config.openshift.io/v1:{kind}", spec=spec))


def envoy_filter(*contexts: str, labels: dict[str, str] | None = None) -> PolicyResource:
    patches = [{"applyTo": "LISTENER", **({"match": {"context": each}} if each else {})} for each in contexts]
    return kubernetes(
        "networking.istio.io/v1alpha3:EnvoyFilter",
        spec={"configPatches": patches, **({"workloadSelector": {"labels": labels}} if labels else {})},
    )


@pytest.mark.parametrize("contexts", [("GATEWAY",), ("ANY",), ("",), ("SIDECAR_INBOUND", "GATEWAY")], ids=str)
def test_an_envoy_filter_that_reaches_the_gateway_is_refused(contexts: tuple[str, ...]) -> None:
    breaks(OTHER_WAYS, envoy_filter(*contexts), saying="EnvoyFilter shop/it has patches for the gateway itself")


def test_an_envoy_filter_for_sidecars_or_other_pods_holds() -> None:
    holds(OTHER_WAYS, envoy_filter("SIDECAR_INBOUND", "SIDECAR_OUTBOUND"))
    holds(OTHER_WAYS, envoy_filter("GATEWAY", labels={"istio": "egressgateway"}))


@pytest.mark.parametrize(
    "type_",
    [
        "networking.istio.io/v1:GatewayPatch",
        "networking.istio.io/v1beta1:VirtualServicePatch",
        "networking.k8s.io/v1:IngressPatch",
        "networking.istio.io/v1alpha3:EnvoyFilterPatch",
        "networking.k8s.io/v1:IngressClassPatch",
        "extensions/v1beta1:IngressPatch",
        "cert-manager.io/v1:CertificatePatch",
        "cert-manager.io/v1:CertificateRequestPatch",
        "cert-manager.io/v1:IssuerPatch",
        "cert-manager.io/v1:ClusterIssuerPatch",
        "gateway.networking.k8s.io/v1:HTTPRoutePatch",
        "gateway.networking.k8s.io/v1:GatewayPatch",
        "gateway.networking.k8s.io/v1:GatewayClassPatch",
        "gateway.networking.x-k8s.io/v1alpha1:XListenerSetPatch",
    ],
)
def test_a_patch_of_what_is_judged_as_a_whole_is_refused(type_: str) -> None:
    kind = type_.rpartition(":")[2].removesuffix("Patch")
    patch = kubernetes(type_, apiVersion=type_.partition(":")[0], kind=kind, spec={"servers": [http()]})
    breaks(WHOLE, patch, saying=f"{kind} shop/it is changed by a Patch")
    for rule in (NO_PLAIN_HTTP, OTHER_WAYS):
        assert findings(rule.policy(), patch) == [], "and nothing else is guessed of it"


def test_patches_of_other_kinds_and_groups_of_yaml_hold() -> None:
    for type_ in ("core/v1:Namespace", "apps/v1:Deployment", "networking.k8s.io/v1:NetworkPolicy"):
        holds(WHOLE, kubernetes(f"{type_}Patch"), kubernetes(type_))
    holds(WHOLE, kubernetes("networking.istio.io/v1:DestinationRulePatch"), gateway(http()))
