"""The objects of others that have a host of the stack: Gateways, routes and Ingresses of both APIs, in all namespaces.

Istio binds a Gateway of its own API, of any namespace, to the ingress gateway's Pods, and reads the Secrets that it
presents in the namespace of the Pods. On port 80 it merges the routes of all Gateways and Ingresses by host, and tries
`/` last.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from components.preflight.neighbours import Listener, Owner, named_hosts
from components.specs import istio, names, solver_route
from tlsctl.own import Key
from tlsctl.verify.environment import Environment, Object, key
from tlsctl.verify.results import Result, ok
from tlsctl.verify.served import Route

_CHECK = "neighbour"


@dataclass(frozen=True)
class Finding:
    """An object that has a host or a Secret of the stack."""

    subject: str
    """The host, or the Certificate of the Secret."""
    owner: Owner
    does: str
    """What the object does with it."""


@dataclass(frozen=True)
class Neighbours:
    """What the cluster has beside the stack's own objects."""

    environment: Environment
    listeners: Sequence[Listener] = ()
    """Every listener at the gateway's Pods."""
    routes: Sequence[Route] = ()
    ingresses: Sequence[Object] = ()
    ingress_classes: Mapping[str, str | None] = field(default_factory=dict)
    """The controller of each IngressClass."""

    def judge(self) -> Iterator[Result]:
        """Yield who else has each host and each Secret, and whose wildcard attracts a browser's requests for a host."""
        environment = self.environment
        findings = list(dict.fromkeys((*self._listeners(), *self._routes(), *self._ingresses())))
        for finding in findings:
            owner, (namespace, name) = finding.owner, finding.owner.key
            other = {"other_kind": owner.plural, "other_namespace": namespace, "other_name": name}
            yield environment.failed(_CHECK, finding.subject, f"{owner} {finding.does}", **other)
        shared = {finding.subject for finding in findings}
        for subject in (*environment.certificates, *environment.hosts):
            if subject not in shared:
                yield ok(_CHECK, subject, "no other Gateway, route or Ingress has it")
        yield from self._attracted()

    def _listeners(self) -> Iterator[Finding]:
        for listener in self._others:
            if self._is_of_stack(listener.owner.key):
                continue
            for secret in listener.secrets:
                if secret in self.environment.certificates:
                    yield Finding(secret, listener.owner, f"presents it on port {listener.port}")
            for host, does in listener.shared(self.environment.hosts, self.environment.route_namespaces):
                yield Finding(host, listener.owner, does)

    def _routes(self) -> Iterator[Finding]:
        allowed = self.environment.settings.ingress.routes_from
        for route in self.routes:
            if self._is_trusted(route.owner.key[0]):
                continue
            for plural, parent, section in route.parents:
                if parent in self._own_keys and istio.ANY_NAMESPACE in allowed:
                    continue
                for listener in self._listeners_of.get((plural, parent), ()):
                    for host in self._routed(route, listener) if section in ("", listener.section) else ():
                        if parent not in self._own_keys or not self._is_of_owner(route, host):
                            yield Finding(host, route.owner, f"routes it through {listener.owner}")

    def _is_of_owner(self, route: Route, host: str) -> bool:
        return self.environment.settings.owners.get(host) == route.owner.key[0]

    def _routed(self, route: Route, listener: Listener) -> Iterator[str]:
        """Yield the stack's hosts for which a listener takes a route."""
        for accepted, listed in listener.hosts:
            if accepted in (istio.ANY_NAMESPACE, route.owner.key[0]):
                for host in route.hosts:
                    if routed := names.common_host(listed, host):
                        yield from self._own(routed)

    def _ingresses(self) -> Iterator[Finding]:
        for ingress in self.ingresses:
            owner = Owner("Ingress", "ingresses", key(ingress))
            if self._is_trusted(owner.key[0]) or not self._is_istios(ingress):
                continue
            for rule in ingress["spec"].get("rules") or ():
                for host in self._own(rule.get("host") or ""):
                    yield Finding(host, owner, "answers it on port 80, in plain HTTP")
            for tls in ingress["spec"].get("tls") or ():
                if (secret := tls.get("secretName")) in self.environment.certificates:
                    yield Finding(secret, owner, "presents it on port 443")
                for listed in tls.get("hosts") or ():
                    for host in self._own(listed):
                        yield Finding(host, owner, "serves it on port 443")

    def _is_istios(self, ingress: Object) -> bool:
        """Tell whether Istio may serve an Ingress; one without a class may be Istio's by a default."""
        annotated = (ingress["metadata"].get("annotations") or {}).get(solver_route.CLASS_ANNOTATION)
        named = ingress["spec"].get("ingressClassName")
        if annotated is not None or named is None:
            return annotated in (None, solver_route.CLASS)
        return named == solver_route.CLASS or self.ingress_classes.get(named) == solver_route.CONTROLLER

    def _attracted(self) -> Iterator[Result]:
        """Yield the hosts for which a browser's requests go to another Gateway, whose certificate covers them.

        A wildcard on the same Pods is enough: the browser has a connection to another of its names.
        """
        wildcards: dict[str, Owner] = {}
        for listener in self._others:
            if listener.port == 443:
                for _, listed in listener.hosts:
                    if names.is_wildcard(listed):
                        wildcards.setdefault(listed, listener.owner)
        for host in self.environment.hosts:
            above = names.WILDCARD + host.partition(".")[2]
            if above in wildcards and host != above:
                yield self.environment.failed("coalescing", host, self._attraction(above, wildcards[above]))

    def _attraction(self, wildcard: str, owner: Owner) -> str:
        whose, one = (", also of this stack,", "gateway") if self._is_of_stack(owner.key) else ("", "stack")
        return (
            f"{owner}{whose} serves {wildcard}, whose certificate also covers this host: a browser"
            f" sends requests for it over a connection to that name, where only that {owner.kind}'s routes"
            f" apply; let one {one} serve both"
        )

    @cached_property
    def _others(self) -> list[Listener]:
        """The listeners without those of this gateway of the stack."""
        return [listener for listener in self.listeners if listener.owner.key not in self._own_keys]

    @cached_property
    def _listeners_of(self) -> Mapping[tuple[str, Key], Sequence[Listener]]:
        """The listeners of each object, by its plural name and key."""
        listeners: dict[tuple[str, Key], list[Listener]] = {}
        for listener in self.listeners:
            listeners.setdefault((listener.owner.plural, listener.owner.key), []).append(listener)
        return listeners

    @cached_property
    def _own_keys(self) -> set[Key]:
        return set(self.environment.own.gateways)

    def _is_of_stack(self, gateway: Key) -> bool:
        return any(gateway in own.gateways for own in self.environment.stack_objects)

    def _is_trusted(self, namespace: str) -> bool:
        """Tell whether a namespace may have routes: those of the stack's gateways, and those that the config lists."""
        of_stack = [own.namespace for own in self.environment.stack_objects]
        return namespace in (self.environment.namespace, *of_stack, *self.environment.settings.ingress.routes_from)

    def _own(self, name: str) -> list[str]:
        return named_hosts(name, self.environment.hosts)
