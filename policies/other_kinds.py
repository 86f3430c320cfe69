"""Other ways into the ingress gateway than its own gateways and routes, and objects that are not whole.

Policies refuse what they cannot follow, because it could serve an application without TLS.
"""

from collections.abc import Iterator

from components.problem import Problem
from policies import istio
from policies.certificates import CERT_MANAGER
from policies.findings import Rule
from policies.issuers import ISSUERS
from policies.objects import KubernetesObject, Stack, get, matching, objects, reading

_INGRESS = ("networking.k8s.io", "extensions")
_ISTIO_CLASS = "istio"
_ISTIO_CONTROLLER = "istio.io/ingress-controller"
_CLASS = "kubernetes.io/ingress.class"
_DEFAULT_CLASS = "ingressclass.kubernetes.io/is-default-class"

_GATEWAY_API = ("gateway.networking.k8s.io", "gateway.networking.x-k8s.io")
_ROUTES = ("HTTPRoute", "GRPCRoute", "TLSRoute", "TCPRoute", "UDPRoute", "ListenerSet", "XListenerSet")
_MESH_CLASSES = {"istio-waypoint"}
_GOOGLE_CLASS_PREFIX = "gke-"
_ISTIO_GATEWAY_CONTROLLERS = ("istio.io/gateway-controller", "istio.io/unmanaged-gateway")

_WHOLE = {
    istio.GROUP: ("Gateway", "VirtualService", "EnvoyFilter"),
    CERT_MANAGER: ("Certificate", "CertificateRequest", *ISSUERS[1:]),
    **dict.fromkeys(_INGRESS, ("Ingress", "IngressClass")),
    **dict.fromkeys(_GATEWAY_API, ("Gateway", "GatewayClass", *_ROUTES)),
}
"""Kinds that cannot be judged from the fields of a Patch."""


def _other_way(obj: KubernetesObject, stack: Stack) -> Iterator[Problem]:
    if any(obj.is_a(group, "Ingress") for group in _INGRESS):
        if _is_for_istio(obj, stack):
            yield Problem(obj.where, "is for Istio, which serves every Ingress over plain HTTP on port 80 too")
    elif any(obj.is_a(group, "Gateway") for group in _GATEWAY_API):
        if _may_be_istios(obj, stack):
            yield Problem(obj.where, "is a Gateway of the Gateway API for Istio, whose listeners no policy judges")
    elif any(obj.is_a(group, *_ROUTES) for group in _GATEWAY_API):
        yield from _api_route(obj, stack)
    elif obj.is_a(istio.GROUP, "EnvoyFilter") and istio.bypasses_policies(obj):
        yield Problem(obj.where, "has patches for the gateway itself, which no policy judges")


def _is_for_istio(ingress: KubernetesObject, stack: Stack) -> bool:
    """Judge an Ingress by its class. As in Istio, the annotation wins over the field."""
    annotation, name = ingress.get("metadata", "annotations", _CLASS), ingress.get("spec", "ingressClassName")
    if annotation or name == _ISTIO_CLASS:
        return bool((annotation or name) == _ISTIO_CLASS)

    def applies(candidate: KubernetesObject) -> bool:
        if name and candidate.name != name:
            return False
        is_istios = candidate.get("spec", "controller") == _ISTIO_CONTROLLER
        return is_istios and bool(name or candidate.get("metadata", "annotations", _DEFAULT_CLASS) == "true")

    return bool(matching(stack.of_kind("networking.k8s.io", "IngressClass"), applies))


def _may_be_istios(gateway: KubernetesObject, stack: Stack) -> bool:
    """Tell whether Istio may implement a Gateway of the Gateway API: not Google's, and not the mesh's own."""
    with reading(gateway):
        name = gateway.get("spec", "gatewayClassName") or ""
    if name in _MESH_CLASSES:
        return False
    classes = stack.of_kind(_GATEWAY_API[0], "GatewayClass")
    for gateway_class in matching(classes, lambda candidate: candidate.name == name):
        with reading(gateway_class):
            return gateway_class.get("spec", "controllerName") in _ISTIO_GATEWAY_CONTROLLERS
    return not name.startswith(_GOOGLE_CLASS_PREFIX)


def _api_route(route: KubernetesObject, stack: Stack) -> Iterator[Problem]:
    """Judge a route by its parents: a Service belongs to the mesh, an unknown Gateway may be Istio's."""
    parents = [*route.items("spec", "parentRefs"), *filter(None, [route.get("spec", "parentRef")])]
    for parent in parents:
        if get(parent, "kind") == "Service":
            continue
        namespace, name = get(parent, "namespace") or route.namespace, get(parent, "name")
        gateways = stack.named(_GATEWAY_API[0], "Gateway", namespace, name)
        if not gateways or any(_may_be_istios(gateway, stack) for gateway in gateways):
            yield Problem(
                route.where, f"is on the Gateway {namespace}/{name} of the Gateway API, which no policy judges"
            )


def _patched(obj: KubernetesObject, _stack: Stack) -> Iterator[Problem]:
    if obj.patch and obj.kind in _WHOLE.get(obj.group, ()):
        yield Problem(obj.where, "is changed by a Patch, and no policy sees the rest of it")


OTHER_WAYS = Rule(
    name="no-other-way-in",
    description="Only Istio's Gateways and VirtualServices open the ingress gateway, since the policies judge those: no"
    " Ingress, no object of the Gateway API and no EnvoyFilter does.",
    fix=("write a VirtualService on a Gateway of port 443; or use TlsGateway",),
    cannot_see="Ingresses without a class where MeshConfig has `ingressControllerMode: DEFAULT`; what a Helm release"
    " installs",
    subjects=objects,
    find=_other_way,
)

WHOLE = Rule(
    name="objects-are-whole",
    description="Gateways, routes, certificates and issuers are written whole, not changed by Patches.",
    fix=("pulumi import TYPE NAME NAMESPACE/NAME    # makes the object a resource of the stack, to be written whole",),
    cannot_see="changes by other programs: `pulumi preview --refresh` shows them. The objects of ConfigGroup,"
    " ConfigFile, Directory and Chart are resources of their own, which every policy judges",
    subjects=objects,
    find=_patched,
    needs_stack=False,
)
