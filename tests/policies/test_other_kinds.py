"""Other ways into the gateway: Ingresses, the Gateway API, EnvoyFilters; and objects that are not whole."""

import pytest
from pulumi_policy import PolicyResource

from policies.gateways import NO_PLAIN_HTTP
from policies.other_kinds import OTHER_WAYS, WHOLE
from tests.policies.support import (
    api_class,
    api_gateway,
    api_route,
    breaks,
    findings,
    holds,
    http,
    ingress,
    kubernetes,
)

FOR_ISTIO = {"kubernetes.io/ingress.class": "istio"}


def ingress_class(name: str, controller: str = "istio.io/ingress-controller", default: str = "false") -> PolicyResource:
    metadata = {"annotations": {"ingressclass.kubernetes.io/is-default-class": default}}
    spec = {"controller": controller}
    return kubernetes("networking.k8s.io/v1:IngressClass", name, None, metadata=metadata, spec=spec)


def envoy_filter(*contexts: str, labels: dict[str, str] | None = None) -> PolicyResource:
    patches = [{"applyTo": "LISTENER", **({"match": {"context": name}} if name else {})} for name in contexts]
    spec = {"configPatches": patches, **({"workloadSelector": {"labels": labels}} if labels else {})}
    return kubernetes("networking.istio.io/v1alpha3:EnvoyFilter", spec=spec)


INGRESS = "Ingress shop/it is for Istio, which serves every Ingress over plain HTTP"
API_GATEWAY = "Gateway shop/api is a Gateway of the Gateway API for Istio"
API_ROUTE = "of the Gateway API, which no policy judges"
FILTER = "EnvoyFilter shop/it has patches for the gateway itself"
KINDS = ("HTTPRoute", "GRPCRoute", "TLSRoute", "TCPRoute", "UDPRoute", "ListenerSet")

REFUSED: dict[str, tuple[list[PolicyResource], str]] = {
    "Ingress by annotation": ([ingress(**FOR_ISTIO)], INGRESS),
    "Ingress of the old group": ([ingress(group="extensions", **FOR_ISTIO)], INGRESS),
    "Ingress with annotation before field": ([ingress("nginx", **FOR_ISTIO)], INGRESS),
    "Ingress by name": ([ingress("istio")], INGRESS),
    "Ingress by IngressClass": ([ingress("public"), ingress_class("public")], INGRESS),
    "Ingress by default class": ([ingress(), ingress_class("public", default="true")], INGRESS),
    "Gateway of class istio": ([api_gateway()], API_GATEWAY),
    "Gateway of an unknown class": ([api_gateway("ours")], API_GATEWAY),
    "Gateway without a class": ([api_gateway(None)], API_GATEWAY),
    "Gateway by controller": ([api_gateway("ours"), api_class("ours", "istio.io/gateway-controller")], API_GATEWAY),
    "unmanaged Gateway": ([api_gateway("ours"), api_class("ours", "istio.io/unmanaged-gateway")], API_GATEWAY),
    **{kind: ([api_route(kind)], f"{kind} shop/route is on the Gateway shop/api {API_ROUTE}") for kind in KINDS},
    "experimental ListenerSet": ([api_route("XListenerSet", group="gateway.networking.x-k8s.io")], API_ROUTE),
    "route on another team's Gateway": ([api_route(namespace="platform", name="shared")], API_ROUTE),
    "EnvoyFilter for gateways": ([envoy_filter("GATEWAY")], FILTER),
    "EnvoyFilter without context": ([envoy_filter("")], FILTER),
    "EnvoyFilter with one patch for gateways": ([envoy_filter("SIDECAR_INBOUND", "GATEWAY")], FILTER),
}


@pytest.mark.parametrize(("stack", "saying"), REFUSED.values(), ids=REFUSED)
def test_another_way_into_the_gateway_is_refused(stack: list[PolicyResource], saying: str) -> None:
    breaks(OTHER_WAYS, *stack, saying=saying)


HOLDS = {
    "annotation before field": [ingress("istio", **{"kubernetes.io/ingress.class": "gce"})],
    "another controller": [ingress("public"), ingress_class("public", controller="k8s.io/ingress-nginx")],
    "no default class": [ingress(), ingress_class("public")],
    "another default class": [ingress(), ingress_class("gce", controller="gce", default="true")],
    "Google's Gateway": [api_gateway("gke-l7-gxlb", "platform"), api_route(namespace="platform")],
    "Gateway of another controller": [api_gateway("ours"), api_class("ours", "example.net/controller"), api_route()],
    "waypoint": [api_gateway("istio-waypoint"), api_route()],
    "route of the mesh": [api_route(kind="Service")],
    "EnvoyFilter for sidecars": [envoy_filter("SIDECAR_INBOUND", "SIDECAR_OUTBOUND")],
    "EnvoyFilter for other Pods": [envoy_filter("GATEWAY", labels={"istio": "egressgateway"})],
}


@pytest.mark.parametrize("stack", HOLDS.values(), ids=HOLDS)
def test_what_does_not_reach_the_gateway_holds(stack: list[PolicyResource]) -> None:
    holds(OTHER_WAYS, *stack)


@pytest.mark.parametrize(
    "type_",
    [
        "networking.istio.io/v1beta1:Gateway",
        "networking.k8s.io/v1:Ingress",
        "extensions/v1beta1:Ingress",
        "cert-manager.io/v1:Issuer",
        "gateway.networking.k8s.io/v1:HTTPRoute",
        "gateway.networking.x-k8s.io/v1alpha1:XListenerSet",
    ],
)
def test_a_patch_of_an_object_that_must_be_whole_is_refused(type_: str) -> None:
    api_version, _, kind = type_.partition(":")
    patch = kubernetes(f"{type_}Patch", apiVersion=api_version, kind=kind, spec={"servers": [http()]})
    breaks(WHOLE, patch, saying=f"{kind} shop/it is changed by a Patch")
    for rule in (NO_PLAIN_HTTP, OTHER_WAYS):
        assert findings(rule.policy(), patch) == [], "other rules do not guess"


def test_patches_of_other_kinds_hold() -> None:
    for type_ in ("core/v1:Namespace", "apps/v1:Deployment", "networking.k8s.io/v1:NetworkPolicy"):
        holds(WHOLE, kubernetes(f"{type_}Patch"), kubernetes(type_))
