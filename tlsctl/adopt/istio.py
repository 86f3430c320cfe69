"""What is read of Gateways and VirtualServices that were made by hand: listeners, and the routes attached to them.

A listener is a port of a Gateway with hosts and TLS settings (a `server`).
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from components.problem import Problem
from components.specs import apis
from components.specs.istio import MESH, resolve_gateway, split_host
from components.specs.names import common_host
from tlsctl.adopt.objects import Inventory, Object, at, key, mapping, mappings, note, patch, qualified, text, texts
from tlsctl.adopt.routes import Route, Routes, collect, reachable, refuse_others, to_service
from tlsctl.own import Key

GATEWAYS = apis.GATEWAYS[apis.ISTIO]
ROUTE = "VirtualService"
ROUTES = "virtualservice"

HTTPS = 443
HTTP = 80
_HSTS = ("strict-transport-security", "Strict-Transport-Security")


def listeners(gateway: Object, port: int) -> list[Object]:
    """Return a Gateway's listeners on a port."""
    return [server for server in mappings(gateway, "spec", "servers") if at(server, "port", "number") == port]


def listener_hosts(listener: Object) -> list[str]:
    """Return a listener's hosts, without a namespace before them."""
    return [split_host(host, "")[1] for host in texts(listener, "hosts")]


def https_hosts(gateways: Iterable[Object]) -> set[str]:
    """Return all hosts that Gateways serve by TLS."""
    return {host for gateway in gateways for listener in listeners(gateway, HTTPS) for host in listener_hosts(listener)}


def exact_hosts(gateway: Object) -> set[str]:
    """Return the hosts of a Gateway that are no wildcards."""
    hosts = (host for port in (HTTP, HTTPS) for server in listeners(gateway, port) for host in listener_hosts(server))
    return {host for host in hosts if not host.startswith("*")}


def attached_to(virtual_service: Object) -> list[Key]:
    """Return the Gateways that a VirtualService names."""
    own = key(virtual_service)[0]
    return [
        resolve_gateway(gateway, own) if gateway != MESH else ("", MESH)
        for gateway in texts(virtual_service, "spec", "gateways")
    ]


def route_hosts(virtual_service: Object) -> list[str]:
    """Return the hosts that a VirtualService names."""
    return texts(virtual_service, "spec", "hosts")


def with_parent(virtual_service: Object, namespace: str, gateway: str) -> dict[str, Any]:
    """Return the spec of a VirtualService, with a Gateway beside its own."""
    gateways = [*map(qualified, attached_to(virtual_service)), f"{namespace}/{gateway}"]
    return {**mapping(virtual_service, "spec"), "gateways": gateways}


def https_hosts_of_route(virtual_service: Object, gateways: Sequence[Object]) -> list[str]:
    """Return the hosts for which a VirtualService gets requests over TLS."""
    named = attached_to(virtual_service)
    hosts = (
        common_host(broad, narrow.lower())
        for gateway in gateways
        if key(gateway) in named
        for listener in listeners(gateway, HTTPS)
        if text(listener, "tls", "mode") in ("", "SIMPLE")
        for broad in listener_hosts(listener)
        for narrow in route_hosts(virtual_service)
    )
    return list(dict.fromkeys(host for host in hosts if host))


def old_api(inventory: Inventory) -> Iterator[Problem]:
    """Yield that the cluster's Istio does not serve the API that the program uses."""
    if inventory.gateways and not inventory.istio_api.endswith("/v1"):
        what = f"has {inventory.istio_api} at most; the program needs networking.istio.io/v1, of Istio 1.22 and later"
        yield Problem("Istio", what, ("istioctl version",))


def blocked_challenges(gateways: Iterable[Object]) -> Iterator[Problem]:
    """Yield the Gateways whose `httpsRedirect` answers HTTP-01 challenges too (istio#27643)."""
    for gateway in gateways:
        for index, server in enumerate(mappings(gateway, "spec", "servers")):
            if mapping(server, "tls").get("httpsRedirect") is True:
                what = (
                    "has httpsRedirect, which redirects HTTP-01 challenges: no certificate can be signed before it is"
                    " removed. The stack redirects without it"
                )
                operation = {"op": "remove", "path": f"/spec/servers/{index}/tls"}
                yield note(gateway, what, patch("gateway", gateway, operation))


def routes(inventory: Inventory) -> Sequence[Object]:
    """Return the VirtualServices."""
    return inventory.virtual_services


def routes_of(virtual_service: Object, services: Sequence[Object]) -> Routes:
    """Return the routes of a VirtualService; `services` are all Services, to look up ports."""
    if mappings(virtual_service, "spec", "tls") or mappings(virtual_service, "spec", "tcp"):
        return Routes(reason="routes TLS or TCP")
    items = mappings(virtual_service, "spec", "http")
    if items and all("redirect" in item for item in items):
        return Routes(redirects=True)
    result = collect(items, _hsts, lambda item: _routes(item, key(virtual_service)[0], services))
    result.routes = reachable(result.routes)
    return result


in_order = reachable


def _routes(item: Object, namespace: str, services: Sequence[Object]) -> Iterator[Route]:
    refuse_others(item, {"name", "match", "route", "headers"}, "a route with")
    destinations = mappings(item, "route")
    if len(destinations) != 1:
        raise ValueError(f"has a route with {len(destinations)} destinations")
    refuse_others(destinations[0], {"destination", "weight"}, "a destination with")
    destination = mapping(destinations[0], "destination")
    refuse_others(destination, {"host", "port"}, "a destination with")
    host = text(destination, "host")
    service, *rest = host.split(".")
    if rest[1:] not in ([], ["svc"], ["svc", "cluster", "local"]):
        raise ValueError(f"leads to {host}, which is no Service")
    target = to_service(service, rest[0] if rest else namespace, at(destination, "port", "number"), services)
    for match in mappings(item, "match") or [{}]:
        yield {"path": _prefix(match), **target}


def _prefix(match: Object) -> str:
    refuse_others(match, {"name", "uri"}, "a match by")
    if not match.get("uri"):
        return "/"
    prefix = text(match, "uri", "prefix")
    if set(mapping(match, "uri")) != {"prefix"} or not re.fullmatch(r"/\S*", prefix):
        raise ValueError("has a match by a path that is no prefix")
    return prefix


def _hsts(item: Object) -> int:
    headers: Any = item.get("headers")
    if not headers:
        return 0
    set_headers = mapping(headers, "response", "set")
    age = re.match(r"max-age=(\d{1,8})", text(set_headers, _HSTS[0]) or text(set_headers, _HSTS[1]))
    only_hsts = list(mapping(headers)) == ["response"] and list(mapping(headers, "response")) == ["set"]
    if not (age and only_hsts and len(set_headers) == 1):
        raise ValueError("has a route with headers")
    return int(age[1])
