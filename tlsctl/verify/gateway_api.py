"""What the Gateway API's objects make the gateway serve: the stack's own, and those of others."""

import json
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from components.kube.conditions import refusal, route_refusal
from components.preflight.neighbours import Listener, Owner
from components.shell import word
from components.specs import apis, gateway_api, headers, istio, names
from components.specs.gateway_api import GATEWAY, LISTENER_SET
from tlsctl.verify.environment import Environment, Object, Objects, key
from tlsctl.verify.results import Result, failed, ok
from tlsctl.verify.served import Read, Route, TlsServer

ROUTES = apis.ROUTES[apis.GATEWAY]
_PLURALS = {GATEWAY: apis.GATEWAYS[apis.GATEWAY], LISTENER_SET: f"listenersets.{gateway_api.GROUP}"}

_OF_LISTENERS = {"ListenersNotValid"}
"""Reasons of a Gateway that follow from one of its listeners."""

_OF_PORTS = {"AddressNotUsable", "AddressNotAssigned"}
"""Reasons of a Gateway whose Service does not have its port."""

_OF_SECRETS = {"InvalidCertificateRef", "Invalid"}
"""Reasons of a listener whose Secret has no certificate, for which there is a check of its own."""

_NO_SERVICE = {"BackendNotFound"}
"""The reason of a route to a Service that does not exist."""


def read_served(environment: Environment, read: Read) -> "Served":
    """Read the objects of the gateway's namespace, the grants of the applications', and the routes of the owners'."""
    own = environment.namespace
    namespaces = {service.namespace for host in environment.hosts.values() for service in host.services} - {own}
    plurals = {GATEWAY: "gateways", "HTTPRoute": "httproutes"}
    if environment.settings.ingress.managed:
        plurals[LISTENER_SET] = "listenersets"
    objects = {kind: read(gateway_api.VERSION, plural, own) for kind, plural in plurals.items()}
    grants = {namespace: read(gateway_api.GRANT_VERSION, "referencegrants", namespace) for namespace in namespaces}
    owners = dict.fromkeys(environment.settings.owners.values())
    of_owners = {owner: read(gateway_api.VERSION, "httproutes", owner) for owner in owners}
    return Served(environment, objects, grants, of_owners)


@dataclass(frozen=True)
class _Expected:
    """A Gateway or a ListenerSet as the program makes it."""

    kind: str
    name: str
    spec: Mapping[str, Any]

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


@dataclass(frozen=True)
class Served:
    """What the stack's objects make a gateway serve, judged against what the program would make."""

    environment: Environment
    objects: Mapping[str, Objects]
    """Those of the gateway's namespace, by kind."""
    grants: Mapping[str, Objects]
    """The ReferenceGrants of each of the applications' namespaces."""
    of_owners: Mapping[str, Objects]
    """The HTTPRoutes of each namespace that owns a host."""

    def judge(self, host: str) -> Result:
        """Return whether the host has its listeners and routes, and Istio has them in force."""
        if wrong := self._listener_problem(host) or self._route_problem(host) or self._grant_problem(host):
            return self.environment.failed("gateway", host, wrong)
        owner = self.environment.settings.owners.get(host)
        if owner and not self._owners_routes(host, owner):
            return self.environment.unrouted(host, f"{self._owners[host][-1]} of {self.environment.namespace}")
        if refused := self._refused(host):
            return refused
        attached = self._listener_status(self._owners[host][-1], host).get("attachedRoutes")
        detail = f"ports 80 and 443, Secret {self.environment.certificate_of[host]}, routes attached: {attached}"
        return ok("gateway", host, detail)

    def tls_server(self, host: str, fingerprints: Mapping[str, str]) -> TlsServer | None:
        """Return the TLS listener of a host, or None; `fingerprints` are those of the certificates by Secret."""
        owner = self._live(self._owners[host][-1])
        listener = _listener_of(owner["spec"], host) if owner else None
        if owner is None or listener is None:
            return None
        tls = listener.get("tls", {})
        settings = {**tls, "certificateRefs": None, "client": owner["spec"].get("tls")}
        secret = next(iter(_secrets(tls)), "")
        return TlsServer(json.dumps(settings, sort_keys=True), fingerprints.get(secret))

    @cached_property
    def _owners(self) -> Mapping[str, list[_Expected]]:
        """The objects with each host's listeners, that of port 80 first."""
        owners: dict[str, list[_Expected]] = {}
        for expected in (*self._expected(80), *self._expected(443)):
            for listener in expected.spec["listeners"]:
                owners.setdefault(listener["hostname"], []).append(expected)
        return owners

    def _expected(self, port: int) -> Iterator[_Expected]:
        """Yield the objects that the program makes for a port: as many as its limit of listeners asks for."""
        environment, settings, own = self.environment, self.environment.settings, self.environment.own
        ingress, accepted = settings.ingress, (environment.namespace, settings.ingress.routes_from)
        owners = settings.owners
        listeners = (
            gateway_api.http_listeners(list(environment.hosts), *accepted, list(owners))
            if port == 80
            else gateway_api.tls_listeners(self._presented, settings.tls.cipher_suites, *accepted, [*owners.items()])
        )
        for holder, part in zip(self._holders(port), gateway_api.blocks(listeners), strict=True):
            if holder.kind == LISTENER_SET:
                yield _Expected(*holder, gateway_api.listener_set_spec(own.http_gateway, part))
            elif ingress.managed:
                spec = gateway_api.managed_spec(ingress.infrastructure.model_dump(), ingress.selector, part)
                yield _Expected(*holder, spec)
            else:
                authority = settings.client_ca_secret if port == 443 else None
                spec = gateway_api.gateway_spec(ingress.service, environment.namespace, part, authority)
                yield _Expected(*holder, spec)

    def _holders(self, port: int) -> list[gateway_api.Holder]:
        """Return what has the listeners of a port."""
        own, count = self.environment.own, len(self.environment.hosts)
        managed = self.environment.settings.ingress.managed
        if port == 80:
            return gateway_api.http_holders(own.http_gateway, count, managed)
        return gateway_api.tls_holders(own.tls_gateway, count, managed)

    @property
    def _presented(self) -> list[tuple[str, str]]:
        """The Secret of each host, in the order of the listeners."""
        return [(secret, host) for secret, hosts in self.environment.certificates.items() for host in hosts]

    @cached_property
    def _positions(self) -> Mapping[str, int]:
        """The position of each host's listener."""
        return {host: position for position, (_, host) in enumerate(self._presented)}

    def _live(self, expected: _Expected) -> Object | None:
        return self.objects.get(expected.kind, {}).get(expected.name)

    def _listener_problem(self, host: str) -> str | None:
        for expected in self._owners[host]:
            owner = self._live(expected)
            if owner is None:
                return f"{expected} does not exist"
            for field in expected.spec.keys() - {"listeners", "tls"}:
                if wrong := _difference(owner["spec"], expected.spec, field):
                    return f"{expected} {wrong}"
            listener, wanted = _listener_of(owner["spec"], host), _listener_of(expected.spec, host)
            if listener is None or (listener["name"], listener["port"]) != (wanted["name"], wanted["port"]):
                hosts = sorted(one.get("hostname", "every host") for one in owner["spec"]["listeners"])
                return f"{expected} has no listener for it on port {wanted['port']}; its hosts are {', '.join(hosts)}"
            for field in ("protocol", "allowedRoutes"):
                if wrong := _difference(listener, wanted, field):
                    return f"{expected} {wrong} for it"
            if wanted.get("tls") and (wrong := self._tls_problem(host, owner["spec"], listener.get("tls", {}))):
                return f"{expected} {wrong}"
        return None

    def _tls_problem(self, host: str, owner: Mapping[str, Any], tls: Mapping[str, Any]) -> str | None:
        certificate, authority = self.environment.certificate_of[host], self.environment.settings.client_ca_secret
        if (secrets := _secrets(tls)) != [certificate]:
            return f"presents Secret {', '.join(secrets) or 'None'}, not {certificate}"
        # What it offers, the scan sees.
        options = {name: value for name, value in tls.get("options", {}).items() if name != gateway_api.CIPHER_SUITES}
        if tls.get("mode") != "Terminate" or options:
            return f"has the TLS mode {tls.get('mode')} {_text(options)}, the config says Terminate"
        validation = owner.get("tls", {}).get("frontend", {}).get("default", {}).get("validation", {})
        accepted = [reference["name"] for reference in validation.get("caCertificateRefs", [])]
        if accepted != ([authority] if authority else []):
            return f"accepts client certificates of {', '.join(accepted) or 'no Secret'}, not of {authority}"
        return None

    def _expected_routes(self, host: str) -> Mapping[str, Mapping[str, Any]]:
        """Return the specs of the host's own route, unless an owner has it, and of the redirect, by name."""
        own, served = self.environment.own, self.environment.hosts[host].served
        expected = {own.http_gateway: gateway_api.redirect_spec(self._holders(80))}
        if not served["owner"]:
            near = gateway_api.near(self._holders(443), self._positions[host])
            expected[own.route(host)[1]] = gateway_api.route_spec(near, served)
        return expected

    def _route_problem(self, host: str) -> str | None:
        for name, spec in self._expected_routes(host).items():
            route = self.objects["HTTPRoute"].get(name)
            if route is None:
                return f"HTTPRoute {name} does not exist"
            actual = route["spec"]
            if actual.get("hostnames") != spec.get("hostnames"):
                return f"HTTPRoute {name} is for {', '.join(actual.get('hostnames') or ()) or 'every host'}"
            if actual.get("parentRefs") != spec["parentRefs"]:
                return f"HTTPRoute {name} is bound to {_text(actual.get('parentRefs'))}"
            if _answers(actual) != _answers(spec):
                return f"HTTPRoute {name} does not answer as the config says"
        return None

    def _owners_routes(self, host: str, owner: str) -> list[Object]:
        """Return the HTTPRoutes of a host's owner for its listener."""
        expected = self._owners[host][-1]
        parent = _PLURALS[expected.kind], (self.environment.namespace, expected.name)
        own = self.of_owners[owner]
        return [
            own[route.owner.key[1]]
            for route in routes(own.values())
            if any(names.common_host(host, listed) for listed in route.hosts)
            and any((*parent, section) in route.parents for section in ("", names.object_name(host)))
        ]

    def _grant_problem(self, host: str) -> str | None:
        own, name = self.environment.namespace, self.environment.own.tls_gateway
        for service in self.environment.hosts[host].services:
            if service.namespace == own:
                continue
            grant = self.grants[service.namespace].get(name)
            if grant is None:
                return (
                    f"ReferenceGrant {service.namespace}/{name} does not exist: no HTTPRoute may lead to its Services"
                )
            wanted, spec = gateway_api.grant_spec(own, [service.service]), grant["spec"]
            if wanted["from"] != spec.get("from") or wanted["to"][0] not in spec.get("to", ()):
                return f"ReferenceGrant {service.namespace}/{name} lets no HTTPRoute lead to Service {service.service}"
        return None

    def _refused(self, host: str) -> Result | None:
        """Return what Istio does not have in force of the objects that are as the program makes them."""
        for expected in self._owners[host]:
            owner = self._live(expected) or {}
            ignored = self._ignored_at_port_80 if expected == self._owners[host][0] else _OF_LISTENERS
            wrong = refusal(owner.get("status", {}).get("conditions") or (), ignored)
            wrong = wrong or refusal(self._listener_status(expected, host).get("conditions") or (), _OF_SECRETS)
            if wrong:
                return self._refusal(host, expected.kind, expected.name, wrong)
        namespace = self.environment.settings.owners.get(host)
        for route in self._owners_routes(host, namespace) if namespace else ():
            if wrong := route_refusal(route):
                name = route["metadata"]["name"]
                describe = f"kubectl --namespace {word(namespace)} describe {word(ROUTES)} {word(name)}"
                return failed("gateway", host, f"HTTPRoute {namespace}/{name} {wrong}", (describe,))
        for name in self._expected_routes(host):
            route = self.objects["HTTPRoute"][name]
            if wrong := route_refusal(route, _NO_SERVICE):
                return self._refusal(host, "HTTPRoute", name, wrong)
            if wrong := route_refusal(route):
                applications = dict.fromkeys(one.namespace for one in self.environment.hosts[host].services)
                fix = (f"kubectl --namespace {word(application)} get services" for application in applications)
                return failed("gateway", host, f"HTTPRoute {name} {wrong}", fix)
        return None

    @cached_property
    def _ignored_at_port_80(self) -> Set[str]:
        """The reasons of a Gateway of port 80 that are no fault: without HTTP-01, its Service may lack the port."""
        return _OF_LISTENERS if self.environment.settings.proves_over_http else _OF_LISTENERS | _OF_PORTS

    def _refusal(self, host: str, kind: str, name: str, wrong: str) -> Result:
        plural, namespace = _PLURALS.get(kind, ROUTES), word(self.environment.namespace)
        fix = f"kubectl --namespace {namespace} describe {word(plural)} {word(name)}"
        return failed("gateway", host, f"{kind} {name} {wrong}", (fix,))

    def _listener_status(self, expected: _Expected, host: str) -> Object:
        section, owner = names.object_name(host), self._live(expected) or {}
        listeners: list[Object] = owner.get("status", {}).get("listeners") or []
        return next((listener for listener in listeners if listener["name"] == section), {})


def _difference(actual: Mapping[str, Any], expected: Mapping[str, Any], field: str) -> str | None:
    if actual.get(field) == expected[field]:
        return None
    return f"has the {field} {_text(actual.get(field))} in place of {_text(expected[field])}"


def _listener_of(spec: Mapping[str, Any], host: str) -> Any:
    return next((listener for listener in spec["listeners"] if listener.get("hostname") == host), None)


def _secrets(tls: Mapping[str, Any]) -> list[str]:
    """Return the Secrets that a listener presents, with the namespace if it is another one."""
    references = tls.get("certificateRefs", [])
    return ["/".join(filter(None, (one.get("namespace"), one["name"]))) for one in references]


def _answers(spec: Object) -> list[Any]:
    """Return what decides about a route's answers, without HSTS: the check `hsts` sees what clients get."""
    return [{**rule, "filters": list(_filters(rule))} for rule in spec.get("rules", [])]


def _filters(rule: Object) -> Iterator[Any]:
    for one in rule.get("filters", []):
        changes = one.get("responseHeaderModifier", {})
        others = [header for header in changes.get("set", []) if header["name"] != headers.HSTS]
        if one["type"] != "ResponseHeaderModifier":
            yield one
        elif others or set(changes) > {"set"}:
            yield {**changes, "set": others}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def listeners(
    environment: Environment, gateways: Iterable[Object], listener_sets: Iterable[Object]
) -> Iterator[Listener]:
    """Yield the listeners at the gateway's Pods: of Gateways that name its Service, and what is added to those."""
    # Where Istio runs the gateway, it does so for the stack's own Gateway, which names no Service.
    own = environment.own.gateways
    at_pods = {
        key(gateway): gateway for gateway in gateways if key(gateway) in own or _is_for_service(environment, gateway)
    }
    for gateway in at_pods.values():
        yield from _listeners(environment, gateway, GATEWAY)
    for listener_set in listener_sets:
        namespace, _ = key(listener_set)
        reference = listener_set["spec"]["parentRef"]
        parent = at_pods.get((reference.get("namespace", namespace), reference["name"]))
        if parent is None:
            continue
        allowed = parent["spec"].get("allowedListeners")
        if {namespace, istio.ANY_NAMESPACE} & {*gateway_api.accepted_namespaces(allowed, key(parent)[0], "None")}:
            yield from _listeners(environment, listener_set, LISTENER_SET)


def _is_for_service(environment: Environment, gateway: Object) -> bool:
    """Tell whether Istio binds a Gateway to the gateway's Pods: it looks for a Service in the Gateway's namespace."""
    own = environment.namespace, environment.settings.ingress.service
    namespace, _ = key(gateway)
    for address in gateway["spec"].get("addresses") or ():
        service, _, rest = address.get("value", "").partition(".")
        if (rest.partition(".")[0] or namespace, service) == own == (namespace, service):
            return True
    return False


def _listeners(environment: Environment, owner: Object, kind: str) -> Iterator[Listener]:
    namespace, _ = key(owner)
    for listener in owner["spec"].get("listeners") or ():
        tls = listener.get("tls") or {}
        accepted = gateway_api.accepted_namespaces(listener.get("allowedRoutes"), namespace)
        host = listener.get("hostname", names.ALL_HOSTS).lower()
        references = tls.get("certificateRefs") or ()
        yield Listener(
            Owner(kind, _PLURALS[kind], key(owner)),
            listener.get("port", 0),
            tuple((source, host) for source in accepted),
            section=listener["name"],
            secrets=tuple(
                reference["name"]
                for reference in references
                if reference.get("namespace", namespace) == environment.namespace
            ),
            has_tls=bool(tls),
        )


def routes(http_routes: Iterable[Object]) -> Iterator[Route]:
    """Yield the routes of HTTPRoutes: one without host names has those of its listeners."""
    for route in http_routes:
        namespace, _ = key(route)
        parents = (
            (
                _PLURALS.get(parent.get("kind", GATEWAY), ""),
                (parent.get("namespace", namespace), parent["name"]),
                parent.get("sectionName", ""),
            )
            for parent in route["spec"].get("parentRefs") or ()
        )
        hosts = tuple(route["spec"].get("hostnames") or (names.ALL_HOSTS,))
        yield Route(Owner("HTTPRoute", ROUTES, key(route)), hosts, tuple(parents))
