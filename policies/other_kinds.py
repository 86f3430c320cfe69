"""Other ways to the ingress gateway than Istio's Gateways and VirtualServices, and objects in pieces.

What the policies cannot follow is refused: it could serve an application without TLS.
"""

from collections.abc import Iterator

from pulumi_policy import PolicyResource

from components.problem import Problem
from policies.certificates import CERT_MANAGER
from policies.findings import Finding, ResourceRule, StackRule, guarded
from policies.gateways import ISTIO, is_foreign
from policies.issuers import KINDS
from policies.objects import KubernetesObject, Resource, Stack, get, matching, named, objects, reading

_INGRESS = ("networking.k8s.io", "extensions")
_ISTIO_CLASS = "istio"
_ISTIO_CONTROLLER = "istio.io/ingress-controller"
_CLASS = "kubernetes.io/ingress.class"
_DEFAULT_CLASS = "ingressclass.kubernetes.io/is-default-class"

_GATEWAY_API = ("gateway.networking.k8s.io", "gateway.networking.x-k8s.io")
_ROUTES = ("HTTPRoute", "GRPCRoute", "TLSRoute", "TCPRoute", "UDPRoute", "ListenerSet", "XListenerSet")
_MESH_CLASSES = {"istio-waypoint"}
_GOOGLE_CLASSES = "gke-"
_ISTIO_GATEWAY_CONTROLLERS = ("istio.io/gateway-controller", "istio.io/unmanaged-gateway")

_SIDECARS = {"SIDECAR_INBOUND", "SIDECAR_OUTBOUND"}

_WHOLE = {
    ISTIO: ("Gateway", "VirtualService", "EnvoyFilter"),
    CERT_MANAGER: ("Certificate", "CertificateRequest", *KINDS),
    **dict.fromkeys(_INGRESS, ("Ingress", "IngressClass")),
    **dict.fromkeys(_GATEWAY_API, ("Gateway", "GatewayClass", *_ROUTES)),
}
"""What policies judge by more than what a Patch may show."""


def other_ways(resource: PolicyResource, stack: Stack) -> Iterator[Finding]:
    """Yield the objects that open the gateway in another way."""
    for each in objects(resource):
        if each.patch:
            continue
        if each.group in _INGRESS and each.kind == "Ingress":
            yield from guarded(each.where, _ingress(each, stack))
        elif each.group in _GATEWAY_API and each.kind == "Gateway":
            yield from guarded(each.where, _api_gateway(each, stack))
        elif each.group in _GATEWAY_API and each.kind in _ROUTES:
            yield from guarded(each.where, _api_route(each, stack))
        elif each.group == ISTIO and each.kind == "EnvoyFilter":
            yield from guarded(each.where, _envoy_filter(each))


def _ingress(ingress: KubernetesObject, stack: Stack) -> Iterator[Problem]:
    """Judge an Ingress by its class; the annotation counts first, as it does to Istio."""
    annotated, named = ingress.get("metadata", "annotations", _CLASS), ingress.get("spec", "ingressClassName")
    if annotated:
        istio = annotated == _ISTIO_CLASS
    elif named:
        istio = named == _ISTIO_CLASS or bool(
            matching(_istio_classes(stack), lambda each: each.name == named and _is_istio(each))
        )
    else:
        istio = bool(matching(_istio_classes(stack), lambda each: _is_istio(each) and _is_default(each)))
    if istio:
        yield Problem(ingress.where, "is for Istio, which serves every Ingress over plain HTTP on port 80 too")


def _istio_classes(stack: Stack) -> list[KubernetesObject]:
    return stack.of_kind("networking.k8s.io", "IngressClass")


def _is_istio(ingress_class: KubernetesObject) -> bool:
    return bool(ingress_class.get("spec", "controller") == _ISTIO_CONTROLLER)


def _is_default(ingress_class: KubernetesObject) -> bool:
    return bool(ingress_class.get("metadata", "annotations", _DEFAULT_CLASS) == "true")


def _api_gateway(gateway: KubernetesObject, stack: Stack) -> Iterator[Problem]:
    if _may_be_istios(gateway, stack):
        yield Problem(gateway.where, "is a Gateway of the Gateway API for Istio, whose listeners no policy judges")


def _may_be_istios(gateway: KubernetesObject, stack: Stack) -> bool:
    """Tell whether a Gateway of the Gateway API may be Istio's: not Google's, nor the mesh's own."""
    with reading(gateway):
        name = gateway.get("spec", "gatewayClassName") or ""
    if name in _MESH_CLASSES:
        return False
    classes = stack.of_kind(_GATEWAY_API[0], "GatewayClass")
    controlled = matching(classes, lambda each: each.name == name)
    for gateway_class in controlled:
        with reading(gateway_class):
            return gateway_class.get("spec", "controllerName") in _ISTIO_GATEWAY_CONTROLLERS
    return not name.startswith(_GOOGLE_CLASSES)


def _api_route(route: KubernetesObject, stack: Stack) -> Iterator[Problem]:
    """Judge a route by what it is attached to: a Service is the mesh's, a Gateway that is not seen may be Istio's."""
    parents = [*route.items("spec", "parentRefs"), *filter(None, [route.get("spec", "parentRef")])]
    gateways = stack.of_kind(_GATEWAY_API[0], "Gateway")
    for parent in parents:
        if get(parent, "kind") == "Service":
            continue
        namespace, name = get(parent, "namespace") or route.namespace, get(parent, "name")
        meant = named(gateways, namespace, name)
        if not meant or any(_may_be_istios(each, stack) for each in meant):
            yield Problem(
                route.where, f"is on the Gateway {namespace}/{name} of the Gateway API, which no policy judges"
            )


def _envoy_filter(envoy_filter: KubernetesObject) -> Iterator[Problem]:
    if is_foreign(envoy_filter.get("spec", "workloadSelector", "labels")):
        return
    contexts = {get(patch, "match", "context") or "ANY" for patch in envoy_filter.items("spec", "configPatches")}
    if not contexts <= _SIDECARS:
        yield Problem(envoy_filter.where, "has patches for the gateway itself, which no policy judges")


def patches(resource: Resource) -> Iterator[Finding]:
    """Yield the resources that change some fields of an object that policies judge as a whole."""
    for each in objects(resource):
        if each.patch and each.kind in _WHOLE.get(each.group, ()):
            yield Problem(each.where, "is changed by a Patch, and no policy sees the rest of it")


OTHER_WAYS = StackRule(
    name="no-other-way-in",
    description="Only Istio's Gateways and VirtualServices open the ingress gateway, since the policies judge those.",
    fix=("write a VirtualService on a Gateway of port 443; or use TlsGateway",),
    stops="Ingresses of Istio's class (by annotation, by name, by an IngressClass of the stack, by default); Gateways,"
    " routes and ListenerSets of the Gateway API for Istio, or for a Gateway that neither its class (`gke-…`) nor"
    " the stack shows to be another one's; EnvoyFilters that reach the gateway",
    cannot_see="Ingresses without a class where MeshConfig has `ingressControllerMode: DEFAULT`; what a Helm release"
    " installs",
    find=other_ways,
)

WHOLE = ResourceRule(
    name="objects-are-whole",
    description="Gateways, routes, certificates and issuers are written whole, not changed by Patches.",
    fix=("pulumi import TYPE NAME NAMESPACE/NAME    # makes the object a resource of the stack, to be written whole",),
    stops="`…Patch` resources of Gateways, VirtualServices, EnvoyFilters, Certificates, issuers, Ingresses and of the"
    " Gateway API",
    cannot_see="changes by other programs: `pulumi preview --refresh` shows them. The objects of ConfigGroup,"
    " ConfigFile, Directory and Chart are resources of their own, which every policy judges",
    find=patches,
)
