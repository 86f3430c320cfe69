"""The Gateway API's kinds, as Istio serves them: Gateway and HTTPRoute.

How istiod reads them: https://github.com/istio/istio/blob/1.31.0/pilot/pkg/config/kube/gateway/conversion.go
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from components.specs import gateway_api
from policies.listeners import ANY_NAMESPACE, Listener, Parent, Route
from policies.objects import KubernetesObject, Stack, get, items, matching, reading

GROUP = gateway_api.GROUP
CLASS = gateway_api.CLASS
PARENTS = (gateway_api.GATEWAY, gateway_api.LISTENER_SET)
"""Kinds with listeners, to which HTTPRoutes attach."""

_OTHER_CLASSES = re.compile(
    r"istio-waypoint|gke-l7-(gxlb|rilb|(global|regional)-external-managed|cross-regional-internal-managed)(-mc)?"
)
"""Istio's for the mesh, and Google's.

https://docs.cloud.google.com/kubernetes-engine/docs/how-to/gatewayclass-capabilities
"""
_ISTIO_CONTROLLERS = "istio.io/"
"""Prefix of the controllers of Istio's GatewayClasses."""
_MESH_CONTROLLER = "istio.io/mesh-controller"

_MODES = {"MUTUAL", "OPTIONAL_MUTUAL", "ISTIO_SIMPLE", "ISTIO_MUTUAL"}
"""What Istio knows of this option. The last two present the workload's own certificate."""
_OPTIONS = {gateway_api.TERMINATE_MODE, gateway_api.CIPHER_SUITES}
_ISTIOS_OPTIONS = "gateway.istio.io/"


class ApiListener(Listener):
    """One listener of a Gateway or of a ListenerSet."""

    word = "listener"
    certificate_key = "certificateRefs"

    @property
    def name(self) -> str:
        """Its name."""
        return str(get(self.spec, "name") or "")

    @property
    def port(self) -> float | None:
        """The number of its port."""
        number = get(self.spec, "port")
        return number if isinstance(number, float | int) else None

    @property
    def protocol(self) -> str:
        """The protocol."""
        return str(get(self.spec, "protocol") or "").upper()

    @property
    def mode(self) -> str:
        """The TLS mode: Terminate if nothing else is set, or what Istio's option makes of it."""
        mode, option = self.tls("mode") or "Terminate", self.tls("options", gateway_api.TERMINATE_MODE)
        return str(option if mode == "Terminate" and option in _MODES else mode)

    def weak_versions(self) -> Iterator[str]:
        """Yield Istio's options that no policy knows: no listener has a version, and Envoy's default is 1.2."""
        for option in self.tls("options") or ():
            if option.startswith(_ISTIOS_OPTIONS) and option not in _OPTIONS:
                yield f"has the option {option}, which no policy judges"

    @property
    def cipher_suites(self) -> Sequence[str]:
        """The cipher suites that it lists."""
        listed = self.tls("options", gateway_api.CIPHER_SUITES) or ""
        return [suite.strip() for suite in listed.split(",") if suite.strip()]

    @property
    def credentials(self) -> Sequence[tuple[str, str]]:
        """The Secrets of the certificates. Istio takes nothing but Secrets."""
        references = [ref for ref in items(self.tls("certificateRefs")) if get(ref, "kind") in (None, "Secret")]
        return [(get(ref, "namespace") or self.gateway.namespace, get(ref, "name")) for ref in references]

    @property
    def hosts(self) -> Iterator[tuple[str, str]]:
        """The namespaces whose routes it accepts, and its host."""
        host = str(get(self.spec, "hostname") or ANY_NAMESPACE).lower()
        accepted = get(self.spec, "allowedRoutes")
        for namespace in gateway_api.accepted_namespaces(accepted, self.gateway.namespace):
            yield namespace, host


class HttpRoute(Route):
    """An HTTPRoute."""

    def parents(self) -> Iterator[Parent]:
        """Yield the Gateways and ListenerSets that it attaches to."""
        for reference in self.obj.items("spec", "parentRefs"):
            kind = get(reference, "kind") or gateway_api.GATEWAY
            if kind in PARENTS:
                namespace = get(reference, "namespace") or self.obj.namespace
                section, port = get(reference, "sectionName"), get(reference, "port")
                yield Parent(GROUP, kind, namespace, get(reference, "name"), section, port)

    def applications(self, _parent: Parent) -> Iterator[str]:
        """Yield the names of all rules that are not redirects to HTTPS."""
        for position, rule in enumerate(self.obj.items("spec", "rules"), start=1):
            if not _is_https_redirect(rule):
                yield f"rule {get(rule, 'name') or position}"

    def hosts(self) -> Sequence[str]:
        """Return its hosts."""
        return self.obj.items("spec", "hostnames") or [ANY_NAMESPACE]


def _is_https_redirect(rule: Any) -> bool:
    filters = items(get(rule, "filters"))
    redirects = any(get(one, "requestRedirect", "scheme") == "https" for one in filters)
    mirrors = any(get(one, "requestMirror") for one in filters)
    return redirects and not mirrors and not items(get(rule, "backendRefs"))


def listeners(gateway: KubernetesObject) -> Iterator[ApiListener]:
    """Yield the listeners of a Gateway of Istio's class, whatever Service it is bound to, or of a ListenerSet."""
    if gateway.kind == gateway_api.LISTENER_SET or class_name(gateway) == CLASS:
        for position, spec in enumerate(gateway.items("spec", "listeners"), start=1):
            yield ApiListener(gateway, position, spec)


def class_name(gateway: KubernetesObject) -> str:
    """Return the name of a Gateway's class."""
    return str(gateway.get("spec", "gatewayClassName") or "")


def may_be_istios(gateway: KubernetesObject, stack: Stack) -> bool:
    """Tell whether Istio may implement a Gateway: it is not Google's, and not the mesh's own."""
    with reading(gateway):
        name = class_name(gateway)
    for gateway_class in matching(stack.of_kind(GROUP, "GatewayClass"), lambda candidate: candidate.name == name):
        with reading(gateway_class):
            controller = str(gateway_class.get("spec", "controllerName"))
            return controller.startswith(_ISTIO_CONTROLLERS) and controller != _MESH_CONTROLLER
    return not _OTHER_CLASSES.fullmatch(name)
