"""Gateways and routes as Istio writes them: Gateway and VirtualService.

Whatever reads a value that the preview does not know raises `UnknownValueError`; `unencrypted_listeners`, which reads
another object than the one being judged, raises `CannotJudgeError`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pulumi_policy.proxy import UnknownValueError

from components.specs import istio, names, tls
from policies.objects import KubernetesObject, Resource, Stack, get, items, matching, of_kind, reading
from policies.stack_config import namespaces, selectors

GROUP = "networking.istio.io"

SECURE_VERSIONS = {tls.istio_version(version) for version in tls.VERSIONS}
NO_MAXIMUM = "TLS_AUTO"
TERMINATING_MODES = {"SIMPLE", "MUTUAL", "OPTIONAL_MUTUAL"}
"""The modes in which the gateway presents a certificate."""

_TLS_PROTOCOLS = {"HTTPS", "TLS"}
_HTTP_PROTOCOLS = {"HTTP", "HTTP2", "GRPC", "GRPC-WEB"}
_APPLICATION_ACTIONS = ("route", "directResponse", "delegate", "mirror", "mirrors")
_SIDECARS = {"SIDECAR_INBOUND", "SIDECAR_OUTBOUND"}
_BOUND_TO_SERVICE = "internal.istio.io/gateway-service"


@dataclass(frozen=True)
class Listener:
    """A port of a gateway, for some hosts: one server of a Gateway."""

    gateway: KubernetesObject
    position: int
    spec: Any

    @property
    def where(self) -> str:
        """The listener as findings name it."""
        return f"{self.gateway.where}, server {self.name}"

    @property
    def name(self) -> str:
        """The port's name, else its number, else the position of the server."""
        try:
            # Numbers arrive as floats.
            return get(self.spec, "port", "name") or f"{get(self.spec, 'port', 'number'):.0f}"
        except (UnknownValueError, ValueError, TypeError):
            return f"number {self.position}"

    @property
    def protocol(self) -> str:
        """The port's protocol in capitals; Istio ignores case."""
        return str(get(self.spec, "port", "protocol") or "").upper()

    @property
    def speaks_tls(self) -> bool:
        """Whether the protocol is one over TLS."""
        return self.protocol in _TLS_PROTOCOLS

    @property
    def encrypted(self) -> bool:
        """Whether traffic is encrypted. A TLS protocol without TLS settings is not."""
        return self.speaks_tls and bool(self.tls())

    @property
    def terminates_tls(self) -> bool:
        """Whether the gateway presents a certificate.

        Istio's default is PASSTHROUGH, which is rarely intended: a listener without a mode is judged as SIMPLE.
        """
        return self.speaks_tls and (self.tls("mode") or "SIMPLE") in TERMINATING_MODES

    @property
    def redirects_to_https(self) -> bool:
        """Whether every request is redirected to HTTPS (`httpsRedirect`)."""
        return self.protocol in _HTTP_PROTOCOLS and self.tls("httpsRedirect") is True

    @property
    def credentials(self) -> Sequence[str]:
        """The Secrets of the certificates: several have keys of different types."""
        return items(self.tls("credentialNames")) or list(filter(None, [self.tls("credentialName")]))

    @property
    def hosts(self) -> Iterator[tuple[str, str]]:
        """The namespace whose routes a host accepts (`*` for all), and the host."""
        for host in items(get(self.spec, "hosts")):
            yield istio.split_host(host, self.gateway.namespace)

    def tls(self, *path: str) -> Any:
        """Return the TLS settings or one of them, None if not set."""
        return get(self.spec, "tls", *path)


gateways_of = of_kind(GROUP, "Gateway")
"""Picks the gateways from a resource."""


def listeners_of_gateway(gateway: KubernetesObject) -> Iterator[Listener]:
    """Yield the listeners of a gateway, none if it is not for the stack's ingress Pods."""
    if not is_of_other_gateways(gateway):
        for position, spec in enumerate(gateway.items("spec", "servers"), start=1):
            yield Listener(gateway, position, spec)


def listeners_of(resource: Resource) -> Iterator[Listener]:
    """Yield the listeners of a resource's gateways for the stack's ingress Pods."""
    for gateway in gateways_of(resource):
        yield from listeners_of_gateway(gateway)


def is_of_other_gateways(gateway: KubernetesObject) -> bool:
    """Tell whether a Gateway cannot be for an ingress gateway of the stack.

    Istio reads no selector beside the annotation, by which it binds what it makes of the Gateway API.
    """
    bound = gateway.get("metadata", "annotations", _BOUND_TO_SERVICE)
    return not bound and _is_for_other_pods(gateway.get("spec", "selector"))


def _is_for_other_pods(labels: Any) -> bool:
    """Tell whether a selector cannot match an ingress gateway: a Pod has one value for a label."""
    return all(any(get(labels, key) not in (None, value) for key, value in ours.items()) for ours in selectors())


def may_reach_gateway(obj: KubernetesObject, labels: Any, stack: Stack) -> bool:
    """Tell whether Istio may apply an object with a selector to an ingress gateway of the stack.

    Istio applies those of the gateway's namespace and of the root namespace.
    """
    if _is_for_other_pods(labels):
        return False
    return obj.namespace in namespaces() or bool(
        matching(stack.of_kind(GROUP, "Gateway"), lambda gateway: gateway.namespace == obj.namespace)
    )


def is_for_sidecars(envoy_filter: KubernetesObject) -> bool:
    """Tell whether an EnvoyFilter changes sidecars alone."""
    patches = envoy_filter.items("spec", "configPatches")
    return {get(patch, "match", "context") or "ANY" for patch in patches} <= _SIDECARS


def gateway_names(service: KubernetesObject) -> Iterator[tuple[str, str]]:
    """Yield namespace and name of the gateways that a VirtualService attaches to."""
    for reference in service.items("spec", "gateways"):
        if reference != istio.MESH:
            yield istio.resolve_gateway(reference, service.namespace)


def unencrypted_listeners(gateway: KubernetesObject) -> list[Listener]:
    """Return a gateway's listeners that serve routes without TLS."""
    with reading(gateway):
        return [
            listener
            for listener in listeners_of_gateway(gateway)
            if not listener.encrypted and not listener.redirects_to_https
        ]


def application_routes(service: KubernetesObject, gateway: tuple[str, str]) -> Iterator[str]:
    """Yield the names of all routes for a gateway that are not redirects to HTTPS."""
    for position, route in enumerate(service.items("spec", "http"), start=1):
        if _is_for_gateway(route, gateway, service.namespace) and not _is_https_redirect(route):
            yield f"http route {get(route, 'name') or position}"
    for position, _ in enumerate(service.items("spec", "tcp"), start=1):
        yield f"tcp route {position}"


def _is_for_gateway(route: Any, gateway: tuple[str, str], namespace: str) -> bool:
    """Tell whether a route is for a gateway: each of its matches may name some of the VirtualService's gateways."""
    references = [items(get(match, "gateways")) for match in items(get(route, "match"))]
    return not references or any(
        not named or any(istio.resolve_gateway(name, namespace) == gateway for name in named) for named in references
    )


def _is_https_redirect(route: Any) -> bool:
    return get(route, "redirect", "scheme") == "https" and not any(get(route, key) for key in _APPLICATION_ACTIONS)


def attaches(service: KubernetesObject, listener: Listener) -> bool:
    """Tell whether a listener serves one of a VirtualService's hosts."""
    return any(
        namespace in (istio.ANY_NAMESPACE, service.namespace)
        and any(names.common_host(host, route_host) for route_host in service.items("spec", "hosts"))
        for namespace, host in listener.hosts
    )
