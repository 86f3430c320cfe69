"""Other ways into the gateway: Ingresses, the Gateway API, EnvoyFilters; and objects that are not whole."""

from typing import Any

import pytest
from pulumi_policy import PolicyResource

from policies.gateways import NO_PLAIN_HTTP
from policies.other_kinds import OTHER_WAYS, WHOLE
from tests.policies.support import (
    advice,
    api_class,
    api_gateway,
    api_route,
    breaks,
    configured,
    findings,
    gateway,
    holds,
    http,
    https,
    ingress,
    kubernetes,
)

FOR_ISTIO = {"kubernetes.io/ingress.class": "istio"}


def ingress_class(name: str, controller: str = "istio.io/ingress-controller", default: str = "false") -> PolicyResource:
    metadata = {"annotations": {"ingressclass.kubernetes.io/is-default-class": default}}
    spec = {"controller": controller}
    return kubernetes("networking.k8s.io/v1:IngressClass", name, None, metadata=metadata, spec=spec)


def envoy_filter(*contexts: str, namespace: str = "istio-system", **labels: str) -> PolicyResource:
    patches = [{"applyTo": "LISTENER", **({"match": {"context": name}} if name else {})} for name in contexts]
    spec = {"configPatches": patches, **({"workloadSelector": {"labels": labels}} if labels else {})}
    return kubernetes("networking.istio.io/v1alpha3:EnvoyFilter", "it", namespace, spec=spec)


def extension(type_: str, namespace: str = "istio-system", **spec: Any) -> PolicyResource:
    return kubernetes(type_, "it", namespace, spec=spec)


INGRESS = "Ingress shop/it is for Istio, which serves every Ingress over plain HTTP"
API_GATEWAY = "Gateway shop/api has the class {}: it may be Istio's, and the policies judge the class istio alone"
API_ROUTE = "of the Gateway API, which no policy judges"
CHANGES = "istio-system/it has changes for the gateway itself, which no policy judges"
WASM, TRAFFIC = (f"extensions.istio.io/v1alpha1:{kind}" for kind in ("WasmPlugin", "TrafficExtension"))
AUTHORIZATION = "security.istio.io/v1:AuthorizationPolicy"
OURS, OTHERS = ({"matchLabels": {"istio": name}} for name in ("ingressgateway", "egressgateway"))
KINDS = ("GRPCRoute", "TLSRoute", "TCPRoute", "UDPRoute")

REFUSED: dict[str, tuple[list[PolicyResource], str]] = {
    "Ingress by annotation": ([ingress(**FOR_ISTIO)], INGRESS),
    "Ingress of the old group": ([ingress(group="extensions", **FOR_ISTIO)], INGRESS),
    "Ingress with annotation before field": ([ingress("nginx", **FOR_ISTIO)], INGRESS),
    "Ingress by name": ([ingress("istio")], INGRESS),
    "Ingress by IngressClass": ([ingress("public"), ingress_class("public")], INGRESS),
    "Ingress by default class": ([ingress(), ingress_class("public", default="true")], INGRESS),
    "Gateway of an unknown class": ([api_gateway("ours")], API_GATEWAY.format("ours")),
    "Gateway without a class": ([api_gateway(None)], "Gateway shop/api has no class"),
    **{
        f"Gateway of {controller}": (
            [api_gateway("ours"), api_class("ours", f"istio.io/{controller}")],
            API_GATEWAY.format("ours"),
        )
        for controller in ("gateway-controller", "unmanaged-gateway", "eastwest-controller", "agentgateway-controller")
    },
    "Gateway with a name like Google's": ([api_gateway("gke-ours")], API_GATEWAY.format("gke-ours")),
    **{
        f"class {name} with a controller of its own": (
            [api_gateway(name), api_class(name, "istio.io/gateway-controller")],
            API_GATEWAY.format(name),
        )
        for name in ("istio-waypoint", "gke-l7-rilb")
    },
    **{kind: ([api_route(kind)], f"{kind} shop/route is on the Gateway shop/api {API_ROUTE}") for kind in KINDS},
    "experimental ListenerSet": ([api_route("XListenerSet", group="gateway.networking.x-k8s.io")], API_ROUTE),
    "route on another team's Gateway": ([api_route("TCPRoute", namespace="platform", name="shared")], API_ROUTE),
    "route on an experimental ListenerSet": (
        [api_gateway("gke-l7-rilb"), api_route(kind="XListenerSet")],
        f"HTTPRoute shop/route is on the XListenerSet shop/api {API_ROUTE}",
    ),
    "EnvoyFilter for gateways": ([envoy_filter("GATEWAY")], CHANGES),
    "EnvoyFilter without context": ([envoy_filter("")], CHANGES),
    "EnvoyFilter with one patch for gateways": ([envoy_filter("SIDECAR_INBOUND", "GATEWAY")], CHANGES),
    "EnvoyFilter in the namespace of a Gateway": (
        [gateway(https(), namespace="edge"), envoy_filter("GATEWAY", namespace="edge")],
        "EnvoyFilter edge/it has changes for the gateway",
    ),
    "WasmPlugin": ([extension(WASM)], CHANGES),
    "WasmPlugin for the gateway": ([extension(WASM, selector=OURS)], CHANGES),
    "WasmPlugin for a Gateway of the Gateway API": (
        [extension(WASM, "shop", targetRefs=[{"kind": "Gateway", "name": "x"}])],
        "WasmPlugin shop/it has changes for the gateway itself, which no policy judges",
    ),
    "TrafficExtension": ([extension(TRAFFIC, lua={"inlineCode": ""})], CHANGES),
}


@pytest.mark.parametrize(("stack", "saying"), REFUSED.values(), ids=REFUSED)
def test_another_way_into_the_gateway_is_refused(stack: list[PolicyResource], saying: str) -> None:
    breaks(OTHER_WAYS, *stack, saying=saying)


HOLDS = {
    "annotation before field": [ingress("istio", **{"kubernetes.io/ingress.class": "gce"})],
    "another controller": [ingress("public"), ingress_class("public", controller="k8s.io/ingress-nginx")],
    "Google's internal class": [ingress(**{"kubernetes.io/ingress.class": "gce-internal"})],
    "another default class": [ingress(), ingress_class("gce", controller="gce", default="true")],
    "Google's Gateway": [
        *(
            api_gateway(f"gke-l7-{name}", "platform")
            for name in ("gxlb", "rilb-mc", "global-external-managed", "cross-regional-internal-managed-mc")
        ),
        api_route(namespace="platform"),
    ],
    "Gateway of another controller": [api_gateway("ours"), api_class("ours", "example.net/controller"), api_route()],
    "waypoint": [api_gateway("istio-waypoint"), api_route()],
    "waypoint of another class": [api_gateway("ours"), api_class("ours", "istio.io/mesh-controller")],
    "route of the mesh": [api_route(kind="Service"), api_route(kind="ServiceEntry")],
    "EnvoyFilter for sidecars": [envoy_filter("SIDECAR_INBOUND", "SIDECAR_OUTBOUND")],
    "EnvoyFilter for other Pods": [envoy_filter("GATEWAY", istio="egressgateway")],
    "EnvoyFilter of an application": [envoy_filter("ANY", namespace="shop")],
    "WasmPlugin for other Pods": [extension(WASM, selector=OTHERS)],
    "extensions of an application": [extension(WASM, "shop"), extension(TRAFFIC, "shop")],
    "extensions of a waypoint": [
        api_gateway("istio-waypoint", "istio-system"),
        extension(WASM, targetRef={"kind": "Gateway", "name": "api"}),
        extension(TRAFFIC, targetRefs=[{"kind": "Service", "name": "shop"}, {"kind": "GatewayClass"}]),
    ],
    "AuthorizationPolicies that refuse": [extension(AUTHORIZATION), extension(AUTHORIZATION, action="DENY")],
    "AuthorizationPolicy of an application": [extension(AUTHORIZATION, "shop", action="CUSTOM")],
}


@pytest.mark.parametrize("stack", HOLDS.values(), ids=HOLDS)
def test_what_does_not_reach_the_gateway_holds(stack: list[PolicyResource]) -> None:
    holds(OTHER_WAYS, *stack)


@pytest.mark.parametrize(
    ("stack", "saying"),
    [
        ([ingress("public")], "has the class public, which is not of this stack"),
        ([ingress("public"), ingress_class("other")], "has the class public, which is not of this stack"),
        ([ingress(**{"kubernetes.io/ingress.class": "public"})], "has the class public, which is not of this stack"),
        ([ingress()], "has no class, and so the default one, which is not of this stack"),
        ([ingress(), ingress_class("public")], "has no class, and so the default one, which is not of this stack"),
    ],
)
def test_an_ingress_of_an_unknown_class_is_refused_in_production(stack: list[PolicyResource], saying: str) -> None:
    assert findings(OTHER_WAYS.policy(), *stack) == []
    assert advice(*stack, rule=OTHER_WAYS) == [f"Ingress shop/it {saying} (no-other-way-in)"]
    with configured(production="true"):
        breaks(OTHER_WAYS, *stack, saying=f"Ingress shop/it cannot be judged: {saying}")


@pytest.mark.parametrize("production", ["false", "true"])
def test_a_server_that_answers_for_an_authorization_policy_is_an_advisory(production: str) -> None:
    custom = extension(AUTHORIZATION, action="CUSTOM", selector=OURS)
    with configured(production=production):
        assert findings(OTHER_WAYS.policy(), custom) == []
        assert "has another server answer at the gateway, on port 80 too" in advice(custom, rule=OTHER_WAYS)[0]


def test_the_config_names_the_namespaces_of_the_gateways() -> None:
    plugins = [extension(WASM, name) for name in ("edge", "mesh", "second")]
    holds(OTHER_WAYS, *plugins)
    second = {"name": "second", "ingress": {"namespace": "second"}}
    with configured(ingress={"namespace": "edge", "controlPlane": "mesh"}, gateways=[second]):
        breaks(OTHER_WAYS, *plugins, saying="has changes for the gateway", times=3)


@pytest.mark.parametrize(
    "type_",
    [
        "networking.istio.io/v1beta1:Gateway",
        "networking.k8s.io/v1:Ingress",
        "extensions/v1beta1:Ingress",
        "extensions.istio.io/v1alpha1:WasmPlugin",
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
