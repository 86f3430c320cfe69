"""Istio's own kinds: Gateway and VirtualService, and those that change what a gateway does."""

from collections.abc import Iterator, Sequence
from typing import Any

from components.specs import istio, tls
from policies import gateway_api
from policies.listeners import Listener, Parent, Route
from policies.objects import KubernetesObject, Stack, get, items, matching
from policies.stack_config import namespaces, selectors

GROUP = istio.GROUP

_SECURE_VERSIONS = {tls.istio_version(version) for version in tls.VERSIONS}
_NO_MAXIMUM = "TLS_AUTO"
_HTTP_PROTOCOLS = {"HTTP", "HTTP2", "GRPC", "GRPC-WEB"}
_APPLICATION_ACTIONS = ("route", "directResponse", "delegate", "mirror", "mirrors")
_SIDECARS = {"SIDECAR_INBOUND", "SIDECAR_OUTBOUND"}


class Server(Listener):
    """One server of a Gateway."""

    word = "server"
    certificate_key = "credentialName"

    @property
    def name(self) -> str:
        """The port's name, else its number."""
        return str(get(self.spec, "port", "name") or (f"{self.port:.0f}" if self.port else ""))

    @property
    def port(self) -> float | None:
        """The number of its port."""
        number = get(self.spec, "port", "number")
        return number if isinstance(number, float | int) else None

    @property
    def protocol(self) -> str:
        """The port's protocol in capitals; Istio ignores case."""
        return str(get(self.spec, "port", "protocol") or "").upper()

    @property
    def mode(self) -> str:
        """The TLS mode. Istio's default is PASSTHROUGH, which is rarely intended."""
        return str(self.tls("mode") or "")

    @property
    def redirects_to_https(self) -> bool:
        """Whether every request is redirected to HTTPS (`httpsRedirect`)."""
        return self.protocol in _HTTP_PROTOCOLS and self.tls("httpsRedirect") is True

    def weak_versions(self) -> Iterator[str]:
        """Yield the bounds of TLS versions that let an old one in."""
        lowest, highest = self.tls("minProtocolVersion"), self.tls("maxProtocolVersion")
        if lowest not in _SECURE_VERSIONS:
            yield f"minProtocolVersion is {lowest or 'not set'}"
        if highest and highest not in _SECURE_VERSIONS | {_NO_MAXIMUM}:
            yield f"maxProtocolVersion is {highest}"

    @property
    def cipher_suites(self) -> Sequence[str]:
        """The cipher suites that it lists."""
        return items(self.tls("cipherSuites"))

    @property
    def credentials(self) -> Sequence[tuple[str, str]]:
        """The Secrets of the certificates, which are in the Gateway's namespace."""
        secrets = items(self.tls("credentialNames")) or list(filter(None, [self.tls("credentialName")]))
        return [(self.gateway.namespace, secret) for secret in secrets]

    @property
    def hosts(self) -> Iterator[tuple[str, str]]:
        """The namespace whose routes a host accepts, and the host."""
        for host in items(get(self.spec, "hosts")):
            yield istio.split_host(host, self.gateway.namespace)


class VirtualService(Route):
    """A VirtualService."""

    def parents(self) -> Iterator[Parent]:
        """Yield the Gateways that it attaches to."""
        for reference in self.obj.items("spec", "gateways"):
            if reference != istio.MESH:
                yield Parent(GROUP, "Gateway", *istio.resolve_gateway(reference, self.obj.namespace))

    def applications(self, parent: Parent) -> Iterator[str]:
        """Yield the names of all routes for a Gateway that are not redirects to HTTPS."""
        for position, route in enumerate(self.obj.items("spec", "http"), start=1):
            if _is_for_gateway(route, parent, self.obj.namespace) and not _is_https_redirect(route):
                yield f"http route {get(route, 'name') or position}"
        for position, _ in enumerate(self.obj.items("spec", "tcp"), start=1):
            yield f"tcp route {position}"

    def hosts(self) -> Sequence[str]:
        """Return its hosts."""
        return self.obj.items("spec", "hosts")


def servers(gateway: KubernetesObject) -> Iterator[Server]:
    """Yield the servers of a Gateway, none if it is not for the stack's ingress Pods."""
    if not is_of_other_gateways(gateway):
        for position, spec in enumerate(gateway.items("spec", "servers"), start=1):
            yield Server(gateway, position, spec)


def is_of_other_gateways(gateway: KubernetesObject) -> bool:
    """Tell whether a Gateway cannot be for an ingress gateway of the stack.

    Istio reads no selector beside the annotation, by which it binds what it makes of the Gateway API.
    """
    bound = gateway.get("metadata", "annotations", istio.GATEWAY_SERVICE)
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
    if obj.namespace in namespaces():
        return True
    istios = matching(stack.of_kind(GROUP, "Gateway"), lambda gateway: gateway.namespace == obj.namespace)
    others = matching(
        stack.of_kind(gateway_api.GROUP, "Gateway"),
        lambda gateway: gateway.namespace == obj.namespace and gateway_api.class_name(gateway) == gateway_api.CLASS,
    )
    return bool(istios or others)


def is_for_sidecars(envoy_filter: KubernetesObject) -> bool:
    """Tell whether an EnvoyFilter changes sidecars alone."""
    patches = envoy_filter.items("spec", "configPatches")
    return {get(patch, "match", "context") or "ANY" for patch in patches} <= _SIDECARS


def _is_for_gateway(route: Any, parent: Parent, namespace: str) -> bool:
    """Tell whether a route is for a Gateway: each of its matches may name some of the VirtualService's Gateways."""
    references = [items(get(match, "gateways")) for match in items(get(route, "match"))]
    wanted = (parent.namespace, parent.name)
    return not references or any(
        not named or any(istio.resolve_gateway(name, namespace) == wanted for name in named) for named in references
    )


def _is_https_redirect(route: Any) -> bool:
    return get(route, "redirect", "scheme") == "https" and not any(get(route, key) for key in _APPLICATION_ACTIONS)
