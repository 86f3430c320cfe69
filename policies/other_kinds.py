"""Other ways into the ingress gateway than its own gateways and routes, and objects that are not whole.

Policies refuse what they cannot follow, because it could serve an application without TLS.
"""

from collections.abc import Iterator

from components.problem import Problem
from components.specs import solver_route
from components.specs.cert_manager import GROUP as CERT_MANAGER
from policies import gateway_api, istio
from policies.findings import Finding, Rule, Unjudged
from policies.issuers import ISSUERS
from policies.objects import KubernetesObject, Stack, get, matching, objects, reading

_INGRESS = ("networking.k8s.io", "extensions")
_DEFAULT_CLASS = "ingressclass.kubernetes.io/is-default-class"

_GATEWAY_API = (gateway_api.GROUP, "gateway.networking.x-k8s.io")
_OF_THE_MESH = {"GatewayClass", "Service", "ServiceEntry"}
"""Kinds to which routes and policies of the mesh refer. Of the GatewayClasses, Istio takes that of waypoints alone."""
_ROUTES = ("HTTPRoute", "GRPCRoute", "TLSRoute", "TCPRoute", "UDPRoute", "XListenerSet")

_GOOGLE_INGRESS_CLASSES = {"gce", "gce-internal"}
_EXTENSIONS = "extensions.istio.io"
_SELECTORS = {
    (istio.GROUP, "EnvoyFilter"): ("spec", "workloadSelector", "labels"),
    (_EXTENSIONS, "WasmPlugin"): ("spec", "selector", "matchLabels"),
    (_EXTENSIONS, "TrafficExtension"): ("spec", "selector", "matchLabels"),
    ("security.istio.io", "AuthorizationPolicy"): ("spec", "selector", "matchLabels"),
}
"""Where the kinds that can answer or rewrite requests in a gateway have their selectors."""

_FIX_INGRESS_CLASS = (
    "pulumi import kubernetes:networking.k8s.io/v1:IngressClass NAME NAME    # tells the policy its controller",
    "ingressClassName: NAME    # on an Ingress without a class",
)

_WHOLE = {
    istio.GROUP: ("Gateway", "VirtualService", "EnvoyFilter"),
    _EXTENSIONS: ("WasmPlugin", "TrafficExtension"),
    CERT_MANAGER: ("Certificate", "CertificateRequest", *ISSUERS[1:]),
    **dict.fromkeys(_INGRESS, ("Ingress", "IngressClass")),
    **dict.fromkeys(_GATEWAY_API, (*gateway_api.PARENTS, "GatewayClass", "ReferenceGrant", *_ROUTES)),
}
"""Kinds that cannot be judged from the fields of a Patch."""


def _other_way(obj: KubernetesObject, stack: Stack) -> Iterator[Finding]:
    if any(obj.is_a(group, "Ingress") for group in _INGRESS):
        yield from _ingress(obj, stack)
    elif obj.is_a(gateway_api.GROUP, "Gateway"):
        yield from _gateway(obj, stack)
    elif any(obj.is_a(group, *_ROUTES) for group in _GATEWAY_API):
        for kind, name in _on_istios_gateways(obj, "parentRef", stack):
            if obj.kind != "HTTPRoute" or kind not in gateway_api.PARENTS:
                yield Problem(obj.where, f"is on the {kind} {name} of the Gateway API, which no policy judges")
    elif not obj.patch and (obj.group, obj.kind) in _SELECTORS:
        yield from _extension(obj, stack)


def _gateway(gateway: KubernetesObject, stack: Stack) -> Iterator[Problem]:
    """Judge a Gateway of the Gateway API by its class, and by whether others may add listeners to it."""
    name = gateway_api.class_name(gateway)
    if name != gateway_api.CLASS and gateway_api.may_be_istios(gateway, stack):
        what = f"has the class {name}" if name else "has no class"
        yield Problem(gateway.where, f"{what}: it may be Istio's, and the policies judge the class istio alone")
    accepted = gateway.get("spec", "allowedListeners", "namespaces", "from") or "None"
    if name == gateway_api.CLASS and accepted not in ("None", "Same"):
        yield Problem(
            gateway.where, "has allowedListeners for ListenerSets of other namespaces, which can take any host"
        )


def _ingress(ingress: KubernetesObject, stack: Stack) -> Iterator[Finding]:
    """Judge an Ingress by its class. As in Istio, the annotation wins over the field."""
    name = str(
        ingress.get("metadata", "annotations", solver_route.CLASS_ANNOTATION)
        or ingress.get("spec", "ingressClassName")
        or ""
    )
    if name in _GOOGLE_INGRESS_CLASSES:
        return

    def applies(candidate: KubernetesObject) -> bool:
        is_default: bool = candidate.get("metadata", "annotations", _DEFAULT_CLASS) == "true"
        return candidate.name == name if name else is_default

    classes = matching(stack.of_kind("networking.k8s.io", "IngressClass"), applies)
    controllers = set()
    for ingress_class in classes:
        with reading(ingress_class):
            controllers.add(ingress_class.get("spec", "controller"))
    if name == solver_route.CLASS or solver_route.CONTROLLER in controllers:
        yield Problem(ingress.where, "is for Istio, which serves every Ingress over plain HTTP on port 80 too")
    elif not classes:
        unknown = f"has the class {name}" if name else "has no class, and so the default one"
        yield Unjudged(ingress.where, f"{unknown}, which is not of this stack", _FIX_INGRESS_CLASS)


def _extension(obj: KubernetesObject, stack: Stack) -> Iterator[Finding]:
    if obj.kind == "EnvoyFilter" and istio.is_for_sidecars(obj):
        return
    authorizes = obj.kind == "AuthorizationPolicy"
    if authorizes and obj.get("spec", "action") != "CUSTOM":
        # The other actions refuse requests, or let them pass.
        return
    if obj.get("spec", "targetRef") or obj.get("spec", "targetRefs"):
        # Istio passes over its selector, and over gateways that are not of the Gateway API.
        reaches = any(_on_istios_gateways(obj, "targetRef", stack))
    else:
        reaches = istio.may_reach_gateway(obj, obj.get(*_SELECTORS[obj.group, obj.kind]), stack)
    if reaches:
        if authorizes:
            yield Unjudged(obj.where, "has another server answer at the gateway, on port 80 too")
        else:
            yield Problem(obj.where, "has changes for the gateway itself, which no policy judges")


def _on_istios_gateways(obj: KubernetesObject, field: str, stack: Stack) -> Iterator[tuple[str, str]]:
    """Yield kind and name of what an object refers to, unless it belongs to the mesh or to another implementation."""
    for reference in [*obj.items("spec", f"{field}s"), *filter(None, [obj.get("spec", field)])]:
        kind = get(reference, "kind") or "Gateway"
        if kind in _OF_THE_MESH:
            continue
        namespace, name = get(reference, "namespace") or obj.namespace, get(reference, "name")
        gateways = stack.named(gateway_api.GROUP, "Gateway", namespace, name) if kind == "Gateway" else []
        if not gateways or any(gateway_api.may_be_istios(gateway, stack) for gateway in gateways):
            yield kind, f"{namespace}/{name}"


def _patched(obj: KubernetesObject, _stack: Stack) -> Iterator[Problem]:
    if obj.patch and obj.kind in _WHOLE.get(obj.group, ()):
        yield Problem(obj.where, "is changed by a Patch, and no policy sees the rest of it")


OTHER_WAYS = Rule(
    name="no-other-way-in",
    description="Only Istio's Gateways and VirtualServices, and the Gateway API's Gateways of the class istio,"
    " ListenerSets and HTTPRoutes open the ingress gateway, since the policies judge those. No Ingress does, no other"
    " class and no other route of the Gateway API, and no EnvoyFilter, WasmPlugin or TrafficExtension. No Gateway takes"
    " ListenerSets of other namespaces.",
    fix=("write a VirtualService or an HTTPRoute on a Gateway of port 443; or use TlsGateway",),
    cannot_see="an Ingress whose class is of another stack, and an AuthorizationPolicy with the action CUSTOM"
    " (reported as advisories; the former is refused in production); what MeshConfig sets: another ingress class or"
    " root namespace, `ingressControllerMode: DEFAULT`; another name that istiod has for its controllers; a"
    " ConfigMap with patches of a gateway that Istio runs; a load balancer in front of the gateway; what a Helm release"
    " installs",
    subjects=objects,
    find=_other_way,
)

WHOLE = Rule(
    name="objects-are-whole",
    description="Gateways, routes, their grants, certificates and issuers are written whole, not changed by Patches.",
    fix=("pulumi import TYPE NAME NAMESPACE/NAME    # makes the object a resource of the stack, to be written whole",),
    cannot_see="changes by other programs: `pulumi preview --refresh` shows them. The objects of ConfigGroup,"
    " ConfigFile, Directory and Chart are resources of their own, which every policy judges",
    subjects=objects,
    find=_patched,
    needs_stack=False,
)
