"""What Istio's Gateways and VirtualServices make the gateway serve: the stack's own, and those of others."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from components.preflight.neighbours import Owner
from components.specs import apis, client_ca, headers, istio, mutual_tls, names
from tlsctl.own import Key
from tlsctl.verify.environment import Environment, Object, Objects, key
from tlsctl.verify.results import INGRESS, Result, ok
from tlsctl.verify.served import Read, Route, TlsServer

GATEWAYS, ROUTES = apis.GATEWAYS[apis.ISTIO], apis.ROUTES[apis.ISTIO]

_ANSWER = ("match", "route", "redirect", "directResponse", "rewrite", "corsPolicy", "timeout", "retries")
"""The fields of a route that decide about an answer, beside its headers."""


def read_served(environment: Environment, read: Read) -> "Served":
    """Read the objects of the gateway's namespace, and the routes of the hosts' owners."""
    return Served(
        environment,
        read(istio.VERSION, "gateways", environment.namespace),
        read(istio.VERSION, "virtualservices", environment.namespace),
        {
            owner: read(istio.VERSION, "virtualservices", owner)
            for owner in dict.fromkeys(environment.settings.owners.values())
        },
    )


@dataclass(frozen=True)
class Served:
    """What the stack's objects make a gateway serve, judged against what the program would make."""

    environment: Environment
    gateways: Objects
    virtual_services: Objects
    of_owners: Mapping[str, Objects]
    """The VirtualServices of each namespace that owns a host."""

    def judge(self, host: str) -> Result:
        """Return whether the host has its listeners and routes."""
        if wrong := self._listener_problem(host) or self._route_problem(host):
            return self.environment.failed("gateway", host, wrong)
        own, owner = self.environment.own, self.environment.settings.owners.get(host)
        if owner and not _is_routed(host, (own.namespace, own.tls_gateway), self.of_owners[owner].values()):
            return self.environment.unrouted(host, f"Gateway {own.namespace}/{own.tls_gateway}")
        return ok("gateway", host, f"ports 80 and 443, Secret {self.environment.certificate_of[host]}")

    def tls_server(self, host: str, fingerprints: Mapping[str, str]) -> TlsServer | None:
        """Return the TLS listener of a host, or None; `fingerprints` are those of the certificates by Secret."""
        listener = _listener_of(self.gateways.get(self.environment.own.tls_gateway), host, 443)
        if listener is None:
            return None
        return TlsServer(tls_settings(listener), fingerprints.get(listener.get("tls", {}).get("credentialName", "")))

    def _listener_problem(self, host: str) -> str | None:
        environment = self.environment
        for name, port in ((environment.own.http_gateway, 80), (environment.own.tls_gateway, 443)):
            gateway = self.gateways.get(name)
            if gateway is None:
                return f"Gateway {name} does not exist"
            if gateway["spec"].get("selector") != environment.settings.ingress.selector:
                return f"Gateway {name} selects {_labels(gateway['spec'].get('selector'))}, not the gateway's Pods"
            listener = _listener_of(gateway, host, port)
            if listener is None:
                hosts = sorted({host for listener in _listeners(gateway, port) for host in listener.get("hosts", [])})
                return f"Gateway {name} has no server for it on port {port}; its hosts are {', '.join(hosts) or 'none'}"
            if wrong := self._namespace_problem(host, port, listener):
                return f"Gateway {name} {wrong}"
            if port == 443 and (wrong := self._tls_problem(host, listener.get("tls", {}))):
                return f"Gateway {name} {wrong}"
        return None

    def _namespace_problem(self, host: str, port: int, listener: Object) -> str | None:
        """Return from which other namespaces a listener accepts routes than the config says."""
        own = self.environment.namespace
        expected = {(namespace, host) for namespace in self.environment.route_namespaces(host, port)}
        actual = {pair for listed in listener["hosts"] if (pair := istio.split_host(listed, own))[1] == host}
        if actual == expected:
            return None
        return f"accepts routes of {_namespaces(actual)} for it, the config says {_namespaces(expected)}"

    def _tls_problem(self, host: str, tls: Mapping[str, Any]) -> str | None:
        environment = self.environment
        certificate, secret = environment.certificate_of[host], environment.settings.client_ca_secret
        if tls.get("credentialName") != certificate:
            return f"presents Secret {tls.get('credentialName')}, not {certificate}"
        mode, authority = ("MUTUAL", client_ca.reference(secret)) if secret else ("SIMPLE", None)
        if tls.get("mode") != mode:
            return f"has the TLS mode {tls.get('mode')}, the config says {mode}"
        actual = tls.get("caCertCredentialName")
        if actual != authority:
            return f"accepts client certificates of {actual or 'no Secret'}, not of {authority}"
        return None

    def _route_problem(self, host: str) -> str | None:
        own, hosts = self.environment.own, list(self.environment.hosts)
        gateway, served = f"{own.namespace}/{own.tls_gateway}", self.environment.hosts[host].served
        expected = {own.http_gateway: istio.redirect_spec(f"{own.namespace}/{own.http_gateway}", hosts)}
        if not served["owner"]:
            expected[own.route(host)[1]] = istio.virtual_service_spec(gateway, served, others=hosts)
        for name, spec in expected.items():
            if name not in self.virtual_services:
                return f"VirtualService {name} does not exist"
            actual = self.virtual_services[name]["spec"]
            served_hosts = actual.get("hosts", [])
            if not {pattern for pattern in spec["hosts"] if names.matches(pattern, host)} <= set(served_hosts):
                return f"VirtualService {name} is for {', '.join(served_hosts) or 'no host'}"
            if actual.get("gateways") != spec["gateways"]:
                return f"VirtualService {name} is bound to {', '.join(actual.get('gateways', ['the mesh']))}"
            if _answers(actual) != _answers(spec):
                return f"VirtualService {name} does not answer as the config says"
        return None


def _is_routed(host: str, gateway: Key, services: Iterable[Object]) -> bool:
    """Tell whether one of some VirtualServices is for a host on a Gateway."""
    return any(
        names.common_host(host, listed) and (GATEWAYS, gateway, "") in route.parents
        for route in routes(services)
        for listed in route.hosts
    )


def tls_settings(listener: Object) -> str:
    """Return the TLS settings of a listener except its Secret, as JSON."""
    return json.dumps({**listener.get("tls", {}), "credentialName": None}, sort_keys=True)


def _listeners(gateway: Object, port: int) -> list[Object]:
    return [server for server in gateway["spec"].get("servers", []) if server.get("port", {}).get("number") == port]


def _listener_of(gateway: Object | None, host: str, port: int) -> Object | None:
    listeners = _listeners(gateway, port) if gateway else []
    return next((listener for listener in listeners if host in _listener_hosts(listener)), None)


def _listener_hosts(listener: Object) -> list[str]:
    # A namespace, or a dot or a star in its place, may stand before the host.
    return [istio.split_host(host, "")[1] for host in listener.get("hosts", [])]


def _answers(spec: Object) -> list[Any]:
    """Return what decides about a VirtualService's answers, without HSTS: the check `hsts` sees what clients get."""
    answers = []
    for route in spec.get("http", []):
        set_headers = route.get("headers", {}).get("response", {}).get("set", {})
        others = {name: value for name, value in set_headers.items() if name != headers.HSTS}
        answers.append([*(route.get(field) for field in _ANSWER), others])
    return answers


def _namespaces(accepted: Iterable[tuple[str, str]]) -> str:
    namespaces = sorted(namespace for namespace, _ in accepted)
    return "every namespace" if istio.ANY_NAMESPACE in namespaces else ", ".join(namespaces)


def _labels(labels: Mapping[str, str] | None) -> str:
    return ", ".join(f"{name}={value}" for name, value in (labels or {}).items()) or "every Pod"


def routes(services: Iterable[Object]) -> Iterator[Route]:
    """Yield the routes of VirtualServices."""
    for service in services:
        namespace, _ = key(service)
        references = (istio.resolve_gateway(name, namespace) for name in service["spec"].get("gateways") or ())
        yield Route(
            Owner("VirtualService", ROUTES, key(service)),
            tuple(service["spec"].get("hosts") or ()),
            tuple((GATEWAYS, gateway, "") for gateway in references),
        )


def judge_mutual_tls(environment: Environment, policies: Mapping[str, Objects]) -> Result:
    """Judge the PeerAuthentications of each namespace, of which Istio reads only the oldest one."""
    settings = environment.settings
    wrong = [
        f"{namespace}: {reason}"
        for namespace in settings.mesh_namespaces
        if (reason := _mutual_tls_problem(policies.get(namespace, {}), settings.mtls.upper()))
    ]
    if wrong:
        return environment.failed("mtls", INGRESS, "; ".join(wrong))
    detail = f"{settings.mtls} in {', '.join(settings.mesh_namespaces) or 'no namespace'}"
    if left_out := sorted(set(settings.application_namespaces) - set(settings.mesh_namespaces)):
        detail += f"; not in {', '.join(left_out)}, the gateway's own"
    return ok("mtls", INGRESS, detail)


def _mutual_tls_problem(policies: Objects, mode: str) -> str | None:
    if mutual_tls.PEER_AUTHENTICATION not in policies:
        return f"there is no PeerAuthentication {mutual_tls.PEER_AUTHENTICATION}"
    of_all_pods = [
        policy for policy in policies.values() if not policy.get("spec", {}).get("selector", {}).get("matchLabels")
    ]
    oldest = min(of_all_pods, key=lambda policy: str(policy["metadata"].get("creationTimestamp", "")), default=None)
    if oldest is None:
        return f"PeerAuthentication {mutual_tls.PEER_AUTHENTICATION} has a selector"
    if oldest["metadata"]["name"] != mutual_tls.PEER_AUTHENTICATION:
        return f"PeerAuthentication {oldest['metadata']['name']} is older, and Istio reads only that one"
    actual = oldest.get("spec", {}).get("mtls", {}).get("mode", "UNSET")
    if actual != mode:
        return f"PeerAuthentication {mutual_tls.PEER_AUTHENTICATION} says {actual}, the config {mode}"
    return None
