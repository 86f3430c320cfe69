"""Gateways of others that have a host of the stack; `tlsctl verify` judges them by the same rules on a live stack.

Istio binds a Gateway of its own API, of any namespace, to the ingress gateway's Pods.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..problem import Problem
from ..shell import word
from ..specs import apis, istio, names

Labels = Mapping[str, str]

_PARENT_NAMESPACE = "internal.istio.io/parent-namespace"
"""Annotation with another namespace of `istio.GATEWAY_SERVICE`. Istio's webhook refuses it, where it is in use."""


@dataclass(frozen=True)
class Owner:
    """An object that has listeners or routes."""

    kind: str
    plural: str
    """What kubectl calls the kind, with its group."""
    key: tuple[str, str]
    """Its namespace and name."""

    def __str__(self) -> str:
        return f"{self.kind} {'/'.join(self.key)}"


@dataclass(frozen=True)
class Listener:
    """Hosts on a port of the gateway's Pods."""

    owner: Owner
    port: int
    hosts: tuple[tuple[str, str], ...]
    """The namespace from which each host accepts routes, `*` for all, and the host."""
    section: str = ""
    """Its name, by which a route may choose among those of its owner."""
    secrets: tuple[str, ...] = ()
    """The Secrets of the gateway's namespace that it presents."""
    has_tls: bool = False
    redirects: bool = False
    """Whether it redirects every request to HTTPS itself."""

    def shared(
        self, hosts: Collection[str], route_namespaces: Callable[[str], Collection[str]]
    ) -> Iterator[tuple[str, str]]:
        """Yield each host of a stack that the listener has too, and what it does with it.

        Args:
            hosts: The stack's hosts.
            route_namespaces: Returns the namespaces from which the stack's port 443 accepts routes for a host, `*`
                for all; none where that is not known.
        """
        for namespace, listed in self.hosts:
            for host in named_hosts(listed, hosts):
                consequence = self._consequence(host, listed, namespace, route_namespaces(host))
                yield host, f"lists {listed} on port {self.port}{consequence}"

    def _consequence(self, host: str, listed: str, namespace: str, accepted: Collection[str]) -> str:
        if not self.has_tls:
            return ", in plain HTTP"
        if self.redirects:
            return " with httpsRedirect, which answers HTTP-01 challenges too"
        if listed != host:
            return ", which the stack's wildcard is for"
        if not accepted or namespace in accepted:
            return ": Istio uses the older of two Gateways"
        return " in another form than the stack's Gateway: Envoy refuses every change of a port that has both"


def named_hosts(name: str, hosts: Collection[str]) -> list[str]:
    """Return the host that a name is, or else the wildcards that it is below of."""
    name = name.lower().removesuffix(".")
    if name in hosts:
        return [name]
    return [wildcard for wildcard in filter(names.is_wildcard, hosts) if names.matches(wildcard, name)]


@dataclass(frozen=True)
class Pods:
    """The Pods of an ingress gateway, by what a Gateway of Istio's own API can name them by."""

    namespace: str
    service: str
    selector: Labels
    """Labels that all of them have."""
    labels: Sequence[Labels] = ()
    """The labels of each; empty if they cannot be read."""

    def listeners(self, gateways: Iterable[Mapping[str, Any]]) -> Iterator[Listener]:
        """Yield the listeners that Gateways have at the Pods."""
        for gateway in gateways:
            if not self._are_of(gateway):
                continue
            namespace, name = gateway["metadata"]["namespace"], gateway["metadata"]["name"]
            for server in _spec(gateway).get("servers") or ():
                tls = server.get("tls") or {}
                credentials = tls.get("credentialNames") or [tls.get("credentialName") or ""]
                yield Listener(
                    Owner("Gateway", apis.GATEWAYS[apis.ISTIO], (namespace, name)),
                    (server.get("port") or {}).get("number", 0),
                    tuple(istio.split_host(listed, namespace) for listed in server.get("hosts") or ()),
                    secrets=tuple(credential.rpartition("/")[2] for credential in credentials),
                    has_tls=bool(tls),
                    redirects=bool(tls.get("httpsRedirect")),
                )

    def _are_of(self, gateway: Mapping[str, Any]) -> bool:
        """Tell whether Istio binds a Gateway to the Pods, or may do so."""
        annotations = gateway["metadata"].get("annotations") or {}
        if istio.GATEWAY_SERVICE in annotations:
            namespace = annotations.get(_PARENT_NAMESPACE) or gateway["metadata"]["namespace"]
            services = [host.partition(".")[0] for host in annotations[istio.GATEWAY_SERVICE].split(",")]
            return namespace == self.namespace and self.service in services
        selector: Labels = _spec(gateway).get("selector") or {}
        if self.labels:
            return any(selector.items() <= labels.items() for labels in self.labels)
        return all(self.selector.get(label, value) == value for label, value in selector.items())


def _spec(gateway: Mapping[str, Any]) -> Mapping[str, Any]:
    return gateway.get("spec") or {}


@dataclass(frozen=True)
class Neighbours:
    """The Gateways of Istio's own API in all namespaces, beside a gateway that is to serve some hosts."""

    pods: Pods
    gateway: str
    """The name of the Gateway that is to be created."""
    hosts: Sequence[str]
    gateways: Sequence[Mapping[str, Any]] = ()
    routes_from: Collection[str] = ()
    """Further namespaces whose routes the stack accepts, except for `owned_hosts`."""
    owned_hosts: Collection[str] = ()
    moves: bool = False
    """Whether the stack uses the Gateway API: Gateways of its own namespace may be those that it moves away from."""

    def route_namespaces(self, host: str) -> Collection[str]:
        """Return the namespaces from which port 443 accepts routes for a host; none for one of an unknown owner."""
        return () if host in self.owned_hosts else istio.route_namespaces(self.pods.namespace, self.routes_from)


def same_host(neighbours: Neighbours) -> Iterator[Problem]:
    """Yield each listener of another that may serve hosts in place of the stack, or answer their challenges."""
    hosts = dict.fromkeys(neighbours.hosts)
    for listener in neighbours.pods.listeners(neighbours.gateways):
        namespace, name = listener.owner.key
        if namespace == neighbours.pods.namespace and (neighbours.moves or name == neighbours.gateway):
            continue
        shared = dict(listener.shared(hosts, neighbours.route_namespaces))
        if shared:
            first, *others = shared.values()
            more = f"; and {len(others)} more of the stack's hosts" if others else ""
            fix = f"kubectl --namespace {word(namespace)} edit {word(listener.owner.plural)} {word(name)}"
            yield Problem(str(listener.owner), f"{first}{more}", (fix,))
