"""What is read of Gateways and HTTPRoutes of the Gateway API that were made by hand.

Gateways are read as Istio's, with a server for each listener, as istiod itself does.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from components.specs import apis, cert_manager, gateway_api, headers, names, tls
from components.specs.istio import ANY_NAMESPACE, SELECTOR, split_host
from tlsctl.adopt.istio import HTTPS, listeners
from tlsctl.adopt.objects import Inventory, Object, at, key, mapping, mappings, selects, text, texts
from tlsctl.adopt.routes import Route, Routes, collect, refuse_others, to_service
from tlsctl.own import Key

GATEWAYS = apis.GATEWAYS[apis.GATEWAY]
ROUTE = "HTTPRoute"
ROUTES = apis.ROUTES[apis.GATEWAY]
GRANTS = f"referencegrants.{gateway_api.GROUP}"

_OPTIONS = "/tls/options"
_OF_ITS_OWN = "gateway.networking.k8s.io/gateway-name"
"""The label of the Pods that Istio makes for a Gateway without an address."""


def gateways(inventory: Inventory) -> list[Object]:
    """Return the Gateways of Istio's class in the form of Istio's own."""
    of_class = [one for one in inventory.api_gateways if text(one, "spec", "gatewayClassName") == gateway_api.CLASS]
    return [_as_istio(gateway, inventory.services) for gateway in of_class]


def has_own_pods(gateway: Object) -> bool:
    """Tell whether Istio runs a gateway of its own for a Gateway."""
    return _OF_ITS_OWN in mapping(gateway, "spec", "selector")


def _as_istio(gateway: Object, services: Sequence[Object]) -> Object:
    servers = [_server(gateway, listener) for listener in mappings(gateway, "spec", "listeners")]
    spec = {"selector": _selector(gateway, services), "servers": servers}
    return {
        "apiVersion": gateway_api.VERSION,
        "kind": "Gateway",
        "metadata": mapping(gateway, "metadata"),
        "spec": spec,
    }


def _selector(gateway: Object, services: Sequence[Object]) -> dict[str, Any]:
    """Return the labels of a Gateway's Pods: those of the Service that it names, or of Pods of its own."""
    addresses = [address for address in mappings(gateway, "spec", "addresses") if text(address, "type") == "Hostname"]
    if not addresses:
        return {_OF_ITS_OWN: key(gateway)[1]}
    name, _, rest = text(addresses[0], "value").partition(".")
    bound = (rest.partition(".")[0] or key(gateway)[0], name)
    labels = next((mapping(one, "spec", "selector") for one in services if key(one) == bound), {})
    return dict(SELECTOR if selects(SELECTOR, labels) else labels)


def _server(gateway: Object, listener: Object) -> dict[str, Any]:
    host = text(listener, "hostname") or names.ALL_HOSTS
    hosts = [f"{namespace}/{host}" for namespace in _namespaces(listener, key(gateway)[0])]
    secret = next(iter(mappings(listener, "tls", "certificateRefs")), {})
    own = text(secret, "namespace") in ("", key(gateway)[0])
    options = mapping(listener, "tls", "options")
    plain = mapping(gateway, "spec", "tls", "frontend") or gateway_api.TERMINATE_MODE in options
    terminates = (text(listener, "tls", "mode") or "Terminate") == "Terminate"
    return {
        "name": text(listener, "name"),
        "port": {"number": at(listener, "port"), "protocol": text(listener, "protocol")},
        "hosts": hosts,
        "tls": {
            "mode": "SIMPLE" if terminates and not plain else "another",
            "credentialName": text(secret, "name") if own else "",
            "options": options,
        },
    }


def _namespaces(listener: Object, own: str) -> list[str]:
    """Return the namespaces whose routes a listener accepts, as far as their names say so."""
    accepted = text(listener, "allowedRoutes", "namespaces", "from") or "Same"
    if accepted != "Selector":
        return [own if accepted == "Same" else ANY_NAMESPACE]
    selector = mapping(listener, "allowedRoutes", "namespaces", "selector")
    named = text(selector, "matchLabels", gateway_api.NAMESPACE_NAME)
    listed = (
        texts(expression, "values")
        for expression in mappings(selector, "matchExpressions")
        if (text(expression, "key"), text(expression, "operator")) == (gateway_api.NAMESPACE_NAME, "In")
    )
    return [named] if named else next(listed, [])


def routes(inventory: Inventory) -> list[Object]:
    """Return the HTTPRoutes, without those of challenges."""
    return [
        route
        for route in inventory.http_routes
        if cert_manager.SOLVER_LABEL not in mapping(route, "metadata", "labels")
    ]


def attached_to(route: Object) -> list[Key]:
    """Return the Gateways that an HTTPRoute names."""
    return [_parent(route, reference) for reference in _parents(route)]


def _parents(route: Object) -> list[Object]:
    references = mappings(route, "spec", "parentRefs")
    return [reference for reference in references if text(reference, "kind") in ("", gateway_api.GATEWAY)]


def _parent(route: Object, reference: Object) -> Key:
    return text(reference, "namespace") or key(route)[0], text(reference, "name")


def https_hosts_of_route(route: Object, among: Sequence[Object]) -> list[str]:
    """Return the hosts for which an HTTPRoute gets requests over TLS."""
    hosts = (
        names.common_host(broad, narrow.lower())
        for gateway in among
        for reference in _parents(route)
        if _parent(route, reference) == key(gateway)
        for listener in listeners(gateway, HTTPS)
        if text(reference, "sectionName") in ("", listener["name"]) and at(reference, "port") in (None, HTTPS)
        if text(listener, "tls", "mode") == "SIMPLE"
        for accepted, broad in (split_host(host, key(gateway)[0]) for host in texts(listener, "hosts"))
        if accepted in (ANY_NAMESPACE, key(route)[0])
        for narrow in route_hosts(route) or [names.ALL_HOSTS]
    )
    return list(dict.fromkeys(host for host in hosts if host))


def route_hosts(route: Object) -> list[str]:
    """Return the hosts that an HTTPRoute names."""
    return texts(route, "spec", "hostnames")


def routes_of(route: Object, services: Sequence[Object]) -> Routes:
    """Return the routes of an HTTPRoute; `services` are all Services, to look up ports."""
    rules = mappings(route, "spec", "rules")
    if rules and all(_redirects(rule) for rule in rules):
        return Routes(redirects=True)
    return collect(rules, _hsts, lambda rule: _routes(rule, key(route)[0], services))


def in_order(parts: Sequence[Route]) -> list[Route]:
    """Return routes in the order in which they get requests; of two with the same path, the first one gets them."""
    by_path: dict[tuple[bool, str], Route] = {}
    for route in parts:
        by_path.setdefault(("exact" not in route, route.get("exact") or route["path"]), route)
    return [by_path[place] for place in sorted(by_path, key=lambda place: (place[0], -len(place[1])))]


def _redirects(rule: Object) -> bool:
    """Tell whether a rule does nothing but redirect to HTTPS, and to the same host."""
    filters = mappings(rule, "filters")
    redirect = mapping(filters[0], "requestRedirect") if len(filters) == 1 else {}
    return text(redirect, "scheme") == "https" and not set(redirect) - {"scheme", "statusCode", "port"}


def _routes(rule: Object, namespace: str, services: Sequence[Object]) -> Iterator[Route]:
    refuse_others(rule, {"name", "matches", "filters", "backendRefs"}, "a rule with")
    backends = mappings(rule, "backendRefs")
    if len(backends) != 1:
        raise ValueError(f"has a rule with {len(backends)} backends")
    refuse_others(backends[0], {"group", "kind", "name", "namespace", "port", "weight"}, "a backend with")
    if text(backends[0], "kind") not in ("", "Service"):
        raise ValueError(f"leads to a {text(backends[0], 'kind')}")
    place = text(backends[0], "namespace") or namespace
    target = to_service(text(backends[0], "name"), place, at(backends[0], "port"), services)
    for match in mappings(rule, "matches") or [{}]:
        refuse_others(match, {"path"}, "a match by")
        kind, path = text(match, "path", "type") or "PathPrefix", text(match, "path", "value") or "/"
        if kind not in ("PathPrefix", "Exact") or not re.fullmatch(r"/\S*", path):
            raise ValueError(f"has a match by a path of the type {kind}")
        yield {**({"exact": path} if kind == "Exact" else {"path": path.rstrip("/") or "/"}), **target}


def _hsts(rule: Object) -> int:
    """Return the seconds of Strict-Transport-Security; no other filter can be expressed."""
    filters = mappings(rule, "filters")
    if not filters:
        return 0
    changed = mapping(filters[0], "responseHeaderModifier")
    values = {text(one, "name").lower(): text(one, "value") for one in mappings(changed, "set")}
    age = re.match(r"max-age=(\d{1,8})", values.get(headers.HSTS, ""))
    if len(filters) > 1 or set(changed) != {"set"} or len(values) > 1 or not age:
        kinds = ", ".join(sorted({text(one, "type") for one in filters}))
        raise ValueError(f"has a rule with the filters {kinds}")
    return int(age[1])


def other_chain(index: int, listener: Object) -> dict[str, Any]:
    """Return a JSON patch operation that gives a listener of all hosts other TLS settings, with the same effect."""
    path, suites = f"/spec/listeners/{index}{_OPTIONS}", ",".join(tls.CIPHER_SUITES)
    options = mapping(listener, "tls", "options")
    if not options:
        return {"op": "add", "path": path, "value": {gateway_api.CIPHER_SUITES: suites}}
    place = f"{path}/{gateway_api.CIPHER_SUITES.replace('/', '~1')}"
    return {"op": "remove", "path": place} if gateway_api.CIPHER_SUITES in options else {
        "op": "add", "path": place, "value": suites,
    }  # fmt: skip


def with_parent(route: Object, namespace: str, gateway: str) -> dict[str, Any]:
    """Return the spec of an HTTPRoute, with a Gateway beside its own."""
    reference = {"group": gateway_api.GROUP, "kind": "Gateway", "name": gateway, "namespace": namespace}
    parents = [{**one, "namespace": _parent(route, one)[0]} for one in mappings(route, "spec", "parentRefs")]
    return {**mapping(route, "spec"), "parentRefs": [*parents, reference]}
