"""What the Gateway API's objects make the gateway serve: the stack's own, and those of others."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from components.kube.conditions import refusal, route_refusal
from components.shell import word
from components.specs import apis, gateway_api, headers, istio, names
from tlsctl.own import Key
from tlsctl.verify.environment import Environment, Object, Objects, key
from tlsctl.verify.results import Result, failed, ok
from tlsctl.verify.served import Listener, Owner, Read, Route, TlsServer

GATEWAYS, ROUTES = apis.GATEWAYS[apis.GATEWAY], apis.ROUTES[apis.GATEWAY]
LISTENER_SETS = f"listenersets.{gateway_api.GROUP}"
_PLURALS = {"Gateway": GATEWAYS, "ListenerSet": LISTENER_SETS}

_OF_LISTENERS = {"ListenersNotValid"}
"""Reasons of a Gateway that follow from one of its listeners."""

_OF_SECRETS = {"InvalidCertificateRef", "Invalid"}
"""Reasons of a listener whose Secret has no certificate, for which there is a check of its own."""

_NO_SERVICE = "BackendNotFound"
"""The reason of a route to a Service that does not exist."""


def read_served(environment: Environment, read: Read) -> "Served":
    """Read the objects of the gateway's namespace, and the grants of the applications'."""
    own = environment.namespace
    namespaces = {route.namespace for host in environment.hosts.values() for route in host.destinations} - {own}
    return Served(
        environment,
        read(gateway_api.VERSION, "gateways", own),
        read(gateway_api.VERSION, "httproutes", own),
        {namespace: read(gateway_api.GRANT_VERSION, "referencegrants", namespace) for namespace in namespaces},
    )


@dataclass(frozen=True)
class Served:
    """What the stack's objects make a gateway serve, judged against what the program would make."""

    environment: Environment
    gateways: Objects
    routes: Objects
    grants: Mapping[str, Objects]
    """The ReferenceGrants of each namespace."""

    def judge(self, host: str) -> Result:
        """Return whether the host has its listeners and routes, and Istio has them in force."""
        if wrong := self._listener_problem(host) or self._route_problem(host) or self._grant_problem(host):
            return self.environment.failed("gateway", host, wrong)
        if refused := self._refused(host):
            return refused
        attached = self._listener_status(self.environment.own.tls_gateway, host).get("attachedRoutes")
        detail = f"ports 80 and 443, Secret {self.environment.certificate_of[host]}, routes attached: {attached}"
        return ok("gateway", host, detail)

    def tls_server(self, host: str, fingerprints: Mapping[str, str]) -> TlsServer | None:
        """Return the TLS listener of a host, or None; `fingerprints` are those of the certificates by Secret."""
        gateway = self.gateways.get(self.environment.own.tls_gateway)
        listener = _listener_of(gateway, host, 443) if gateway else None
        if gateway is None or listener is None:
            return None
        tls = listener.get("tls", {})
        settings = {**tls, "certificateRefs": None, "client": gateway["spec"].get("tls")}
        secret = next(iter(_secrets(tls)), "")
        return TlsServer(json.dumps(settings, sort_keys=True), fingerprints.get(secret))

    @cached_property
    def _expected(self) -> Mapping[str, Mapping[str, Any]]:
        """The specs of both Gateways."""
        environment, settings = self.environment, self.environment.settings
        tls = gateway_api.tls_listeners(list(environment.certificates.items()), settings.tls.cipher_suites)
        place = settings.ingress.service, environment.namespace
        return {
            environment.own.http_gateway: gateway_api.gateway_spec(
                *place, gateway_api.http_listeners(list(environment.hosts))
            ),
            environment.own.tls_gateway: gateway_api.gateway_spec(*place, tls, settings.client_ca_secret),
        }

    def _listener_problem(self, host: str) -> str | None:
        for (name, spec), port in zip(self._expected.items(), (80, 443), strict=True):
            gateway = self.gateways.get(name)
            if gateway is None:
                return f"Gateway {name} does not exist"
            for field in ("gatewayClassName", "addresses"):
                if gateway["spec"].get(field) != spec[field]:
                    return (
                        f"Gateway {name} has the {field} {_text(gateway['spec'].get(field))}, not {_text(spec[field])}"
                    )
            listener, expected = (_listener_of(one, host, port) for one in (gateway, {"spec": spec}))
            if listener is None or expected is None or listener["name"] != expected["name"]:
                hosts = sorted(listener.get("hostname", "every host") for listener in gateway["spec"]["listeners"])
                return f"Gateway {name} has no listener for it on port {port}; its hosts are {', '.join(hosts)}"
            for field in ("protocol", "allowedRoutes"):
                if listener.get(field) != expected[field]:
                    found, wanted = _text(listener.get(field)), _text(expected[field])
                    return f"Gateway {name} has the {field} {found} for it, the config says {wanted}"
            if port == 443 and (wrong := self._tls_problem(host, gateway, listener.get("tls", {}))):
                return f"Gateway {name} {wrong}"
        return None

    def _tls_problem(self, host: str, gateway: Object, tls: Mapping[str, Any]) -> str | None:
        certificate, authority = self.environment.certificate_of[host], self.environment.settings.client_ca_secret
        if (secrets := _secrets(tls)) != [certificate]:
            return f"presents Secret {', '.join(secrets) or 'None'}, not {certificate}"
        # What it offers, the scan sees.
        options = {name: value for name, value in tls.get("options", {}).items() if name != gateway_api.CIPHER_SUITES}
        if tls.get("mode") != "Terminate" or options:
            return f"has the TLS mode {tls.get('mode')} {_text(options)}, the config says Terminate"
        frontend = gateway["spec"].get("tls", {}).get("frontend", {})
        references = frontend.get("default", {}).get("validation", {}).get("caCertificateRefs", [])
        accepted = [reference["name"] for reference in references]
        if accepted != ([authority] if authority else []):
            return f"accepts client certificates of {', '.join(accepted) or 'no Secret'}, not of {authority}"
        return None

    def _route_problem(self, host: str) -> str | None:
        own, served = self.environment.own, self.environment.hosts[host].served
        expected = {
            own.route(host)[1]: gateway_api.route_spec(own.tls_gateway, served),
            own.http_gateway: gateway_api.redirect_spec(own.http_gateway),
        }
        for name, spec in expected.items():
            if name not in self.routes:
                return f"HTTPRoute {name} does not exist"
            actual = self.routes[name]["spec"]
            if actual.get("hostnames") != spec.get("hostnames"):
                return f"HTTPRoute {name} is for {', '.join(actual.get('hostnames') or ()) or 'every host'}"
            if actual.get("parentRefs") != spec["parentRefs"]:
                return f"HTTPRoute {name} is bound to {_text(actual.get('parentRefs'))}"
            if _answers(actual) != _answers(spec):
                return f"HTTPRoute {name} does not answer as the config says"
        return None

    def _grant_problem(self, host: str) -> str | None:
        own, name = self.environment.namespace, self.environment.own.tls_gateway
        for route in self.environment.hosts[host].destinations:
            if route.namespace == own:
                continue
            grant = self.grants[route.namespace].get(name)
            if grant is None:
                return f"ReferenceGrant {route.namespace}/{name} does not exist: no HTTPRoute may lead to its Services"
            wanted = gateway_api.grant_spec(own, [route.service])
            spec = grant["spec"]
            if wanted["from"] != spec.get("from") or wanted["to"][0] not in spec.get("to", ()):
                return f"ReferenceGrant {route.namespace}/{name} lets no HTTPRoute lead to Service {route.service}"
        return None

    def _refused(self, host: str) -> Result | None:
        """Return what Istio does not have in force of the objects that are as the program makes them."""
        own, namespace = self.environment.own, self.environment.namespace
        for name in (own.http_gateway, own.tls_gateway):
            gateway = self.gateways[name]
            wrong = refusal(gateway.get("status", {}).get("conditions") or (), _OF_LISTENERS)
            wrong = wrong or refusal(self._listener_status(name, host).get("conditions") or (), _OF_SECRETS)
            if wrong:
                return _refusal(host, "Gateway", GATEWAYS, (namespace, name), wrong)
        for name in (own.route(host)[1], own.http_gateway):
            if wrong := route_refusal(self.routes[name], {_NO_SERVICE}):
                return _refusal(host, "HTTPRoute", ROUTES, (namespace, name), wrong)
            if wrong := route_refusal(self.routes[name]):
                applications = dict.fromkeys(route.namespace for route in self.environment.hosts[host].destinations)
                fix = (f"kubectl --namespace {word(application)} get services" for application in applications)
                return failed("gateway", host, f"HTTPRoute {name} {wrong}", fix)
        return None

    def _listener_status(self, gateway: str, host: str) -> Object:
        section = names.object_name(host)
        listeners: list[Object] = self.gateways[gateway].get("status", {}).get("listeners") or []
        return next((listener for listener in listeners if listener["name"] == section), {})


def _refusal(host: str, kind: str, plural: str, place: Key, wrong: str) -> Result:
    namespace, name = place
    return failed(
        "gateway",
        host,
        f"{kind} {name} {wrong}",
        (f"kubectl --namespace {word(namespace)} describe {plural} {word(name)}",),
    )


def _listener_of(gateway: Object, host: str, port: int) -> Any:
    for listener in gateway["spec"]["listeners"]:
        if (listener.get("hostname"), listener["port"]) == (host, port):
            return listener
    return None


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
    at_pods = {key(gateway): gateway for gateway in gateways if _is_for_service(environment, gateway)}
    for gateway in at_pods.values():
        yield from _listeners(environment, gateway, "Gateway")
    for listener_set in listener_sets:
        namespace, _ = key(listener_set)
        reference = listener_set["spec"]["parentRef"]
        parent = at_pods.get((reference.get("namespace", namespace), reference["name"]))
        if parent and _accepted(parent["spec"].get("allowedListeners"), key(parent)[0], "None") in (
            namespace,
            istio.ANY_NAMESPACE,
        ):
            yield from _listeners(environment, listener_set, "ListenerSet")


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
        accepted = _accepted(listener.get("allowedRoutes"), namespace, "Same")
        host = listener.get("hostname", names.ALL_HOSTS).lower()
        references = tls.get("certificateRefs") or ()
        yield Listener(
            Owner(kind, _PLURALS[kind], key(owner)),
            listener.get("port", 0),
            ((accepted, host),),
            section=listener["name"],
            secrets=tuple(
                reference["name"]
                for reference in references
                if reference.get("namespace", namespace) == environment.namespace
            ),
            has_tls=bool(tls),
        )


def _accepted(allowed: Any, own: str, default: str) -> str:
    """Return the namespace from which objects are accepted, `*` for all: a selector may be for any of them."""
    source = ((allowed or {}).get("namespaces") or {}).get("from", default)
    return {"Same": own, "None": ""}.get(source, istio.ANY_NAMESPACE)


def routes(http_routes: Iterable[Object]) -> Iterator[Route]:
    """Yield the routes of HTTPRoutes: one without host names has those of its listeners."""
    for route in http_routes:
        namespace, _ = key(route)
        parents = (
            (
                _PLURALS.get(parent.get("kind", "Gateway"), ""),
                (parent.get("namespace", namespace), parent["name"]),
                parent.get("sectionName", ""),
            )
            for parent in route["spec"].get("parentRefs") or ()
        )
        hosts = tuple(route["spec"].get("hostnames") or (names.ALL_HOSTS,))
        yield Route(Owner("HTTPRoute", ROUTES, key(route)), hosts, tuple(parents))
