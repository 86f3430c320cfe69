"""The objects of others that have a host of the stack: Gateways, VirtualServices and Ingresses of every namespace.

Istio binds a Gateway of any namespace to the ingress gateway's Pods, and reads the Secrets that it presents in the
namespace of the Pods. On port 80 it merges the routes of all Gateways and Ingresses by host, and tries `/` last.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from components.kube import solver_route
from components.specs import istio, names
from tlsctl.own import Key
from tlsctl.verify.environment import Environment, Object
from tlsctl.verify.results import Result, ok

_CHECK = "neighbour"
_GATEWAY_SERVICE = "internal.istio.io/gateway-service"
"""Annotation of a Gateway that is for the Pods of a Service of its namespace, whatever its selector is."""

_PARENT_NAMESPACE = "internal.istio.io/parent-namespace"
"""Annotation with another namespace of that Service. Istio's webhook refuses it, where it is in use."""

_CLASS = "kubernetes.io/ingress.class"
"""Annotation of an Ingress, which wins over the field."""

GATEWAY, VIRTUAL_SERVICE, INGRESS = "Gateway", "VirtualService", "Ingress"
_PLURALS = {GATEWAY: "gateways.networking.istio.io", VIRTUAL_SERVICE: "virtualservices", INGRESS: "ingresses"}

Labels = Mapping[str, str]


@dataclass(frozen=True)
class Finding:
    """An object that has a host or a Secret of the stack."""

    subject: str
    """The host, or the Certificate of the Secret."""
    kind: str
    key: Key
    does: str
    """What the object does with it."""


@dataclass(frozen=True)
class Neighbours:
    """What the cluster has beside the stack's own objects."""

    environment: Environment
    pods: Sequence[Labels]
    """The labels of each of the gateway's Pods; empty if they cannot be read."""
    gateways: Sequence[Object] = ()
    virtual_services: Sequence[Object] = ()
    ingresses: Sequence[Object] = ()
    ingress_classes: Mapping[str, str | None] = field(default_factory=dict)
    """The controller of each IngressClass."""

    def judge(self) -> Iterator[Result]:
        """Yield who else has each host and each Secret, and whose wildcard attracts a browser's requests for a host."""
        environment = self.environment
        findings = list(dict.fromkeys((*self._gateways(), *self._virtual_services(), *self._ingresses())))
        for finding in findings:
            (namespace, name), kind = finding.key, finding.kind
            detail = f"{kind} {namespace}/{name} {finding.does}"
            other = {"other_kind": _PLURALS[kind], "other_namespace": namespace, "other_name": name}
            yield environment.failed(_CHECK, finding.subject, detail, **other)
        shared = {finding.subject for finding in findings}
        for subject in (*environment.certificates, *environment.hosts):
            if subject not in shared:
                yield ok(_CHECK, subject, "no other Gateway, VirtualService or Ingress has it")
        yield from self._attracted()

    def _gateways(self) -> Iterator[Finding]:
        for gateway, server in self._servers:
            if self._is_of_stack(_key(gateway)):
                continue
            port, tls = server.get("port", {}).get("number"), server.get("tls") or {}
            for credential in tls.get("credentialNames") or [tls.get("credentialName") or ""]:
                if (secret := credential.rpartition("/")[2]) in self.environment.certificates:
                    yield Finding(secret, GATEWAY, _key(gateway), f"presents it on port {port}")
            for namespace, listed in _hosts(gateway, server):
                for host in self._own(listed):
                    does = f"lists {listed} on port {port}{self._consequence(host, namespace, listed, tls)}"
                    yield Finding(host, GATEWAY, _key(gateway), does)

    def _consequence(self, host: str, namespace: str, listed: str, tls: Mapping[str, Any]) -> str:
        if not tls:
            return ", in plain HTTP"
        if tls.get("httpsRedirect"):
            return " with httpsRedirect, which answers HTTP-01 challenges too"
        if listed != host:
            return ", which the stack's wildcard is for"
        own = self.environment.namespace
        allowed = istio.gateway_hosts([host], self.environment.settings.ingress.routes_from)
        if (namespace, host) in [istio.split_host(one, own) for one in allowed]:
            return ": Istio uses the older of two Gateways"
        return " in another form than the stack's Gateway: Envoy refuses every change of a port that has both"

    def _virtual_services(self) -> Iterator[Finding]:
        servers: dict[Key, list[Object]] = {}
        for gateway, server in (*self._servers, *self._own_servers):
            servers.setdefault(_key(gateway), []).append({"gateway": gateway, **server})
        allowed = self.environment.settings.ingress.routes_from
        for service in self.virtual_services:
            namespace, _ = _key(service)
            if self._is_trusted(namespace):
                continue
            for reference in service["spec"].get("gateways") or ():
                gateway_key = istio.resolve_gateway(reference, namespace)
                if gateway_key in self._own_keys and istio.ANY_NAMESPACE in allowed:
                    continue
                for server in servers.get(gateway_key, ()):
                    for host in self._routed(service, server["gateway"], server):
                        does = f"routes it through Gateway {'/'.join(gateway_key)}"
                        yield Finding(host, VIRTUAL_SERVICE, _key(service), does)

    def _routed(self, service: Object, gateway: Object, server: Object) -> Iterator[str]:
        """Yield the stack's hosts for which a server takes a VirtualService's routes."""
        for accepted, listed in _hosts(gateway, server):
            if accepted in (istio.ANY_NAMESPACE, _key(service)[0]):
                for host in service["spec"].get("hosts") or ():
                    if routed := names.common_host(listed, host):
                        yield from self._own(routed)

    def _ingresses(self) -> Iterator[Finding]:
        for ingress in self.ingresses:
            key = _key(ingress)
            if self._is_trusted(key[0]) or not self._is_istios(ingress):
                continue
            for rule in ingress["spec"].get("rules") or ():
                for host in self._own(rule.get("host") or ""):
                    yield Finding(host, INGRESS, key, "answers it on port 80, in plain HTTP")
            for tls in ingress["spec"].get("tls") or ():
                if (secret := tls.get("secretName")) in self.environment.certificates:
                    yield Finding(secret, INGRESS, key, "presents it on port 443")
                for listed in tls.get("hosts") or ():
                    for host in self._own(listed):
                        yield Finding(host, INGRESS, key, "serves it on port 443")

    def _is_istios(self, ingress: Object) -> bool:
        """Tell whether Istio may serve an Ingress; one without a class may be Istio's by a default."""
        annotated = (ingress["metadata"].get("annotations") or {}).get(_CLASS)
        named = ingress["spec"].get("ingressClassName")
        if annotated is not None or named is None:
            return annotated in (None, solver_route.CLASS)
        return named == solver_route.CLASS or self.ingress_classes.get(named) == solver_route.CONTROLLER

    def _attracted(self) -> Iterator[Result]:
        """Yield the hosts for which a browser's requests go to another Gateway, whose certificate covers them.

        A wildcard on the same Pods is enough: the browser has a connection to another of its names.
        """
        wildcards: dict[str, Object] = {}
        for gateway, server in self._servers:
            if server.get("port", {}).get("number") == 443:
                for _, listed in _hosts(gateway, server):
                    if names.is_wildcard(listed):
                        wildcards.setdefault(listed, gateway)
        for host in self.environment.hosts:
            above = names.WILDCARD + host.partition(".")[2]
            if above in wildcards and host != above:
                yield self.environment.failed("coalescing", host, self._attraction(above, _key(wildcards[above])))

    def _attraction(self, wildcard: str, gateway: Key) -> str:
        whose, one = (", also of this stack,", "gateway") if self._is_of_stack(gateway) else ("", "stack")
        return (
            f"Gateway {'/'.join(gateway)}{whose} serves {wildcard}, whose certificate also covers this host: a browser"
            " sends requests for it over a connection to that name, where only that Gateway's routes"
            f" apply; let one {one} serve both"
        )

    @cached_property
    def _servers(self) -> list[tuple[Object, Object]]:
        """The servers at the gateway's Pods, without those of this gateway of the stack."""
        return [pair for pair in self._at_pods if _key(pair[0]) not in self._own_keys]

    @cached_property
    def _own_servers(self) -> list[tuple[Object, Object]]:
        return [pair for pair in self._at_pods if _key(pair[0]) in self._own_keys]

    @cached_property
    def _at_pods(self) -> list[tuple[Object, Object]]:
        return [
            (gateway, server)
            for gateway in self.gateways
            if self._is_for_pods(gateway)
            for server in gateway["spec"].get("servers") or ()
        ]

    @cached_property
    def _own_keys(self) -> set[Key]:
        return set(self.environment.own.gateways)

    def _is_for_pods(self, gateway: Object) -> bool:
        """Tell whether Istio binds a Gateway to the gateway's Pods, or may do so."""
        annotations = gateway["metadata"].get("annotations") or {}
        if _GATEWAY_SERVICE in annotations:
            namespace = annotations.get(_PARENT_NAMESPACE) or _key(gateway)[0]
            services = [host.partition(".")[0] for host in annotations[_GATEWAY_SERVICE].split(",")]
            ingress = self.environment.settings.ingress
            return namespace == ingress.namespace and ingress.service in services
        selector: Labels = gateway["spec"].get("selector") or {}
        if self.pods:
            return any(selector.items() <= labels.items() for labels in self.pods)
        known = self.environment.settings.ingress.selector
        return all(known.get(key, value) == value for key, value in selector.items())

    def _is_of_stack(self, gateway: Key) -> bool:
        return any(gateway in own.gateways for own in self.environment.stack_objects)

    def _is_trusted(self, namespace: str) -> bool:
        """Tell whether a namespace may have routes: those of the stack's gateways, and those that the config lists."""
        of_stack = [own.namespace for own in self.environment.stack_objects]
        return namespace in (self.environment.namespace, *of_stack, *self.environment.settings.ingress.routes_from)

    def _own(self, name: str) -> Iterable[str]:
        """Return the stack's hosts that a name is, or is below of."""
        name = name.lower().removesuffix(".")
        if name in self.environment.hosts:
            return [name]
        return [wildcard for wildcard in self._wildcards if names.matches(wildcard, name)]

    @cached_property
    def _wildcards(self) -> list[str]:
        return list(filter(names.is_wildcard, self.environment.hosts))


def _key(obj: Object) -> Key:
    return obj["metadata"]["namespace"], obj["metadata"]["name"]


def _hosts(gateway: Object, server: Object) -> list[tuple[str, str]]:
    return [istio.split_host(listed, _key(gateway)[0]) for listed in server.get("hosts") or ()]
