"""The routes of VirtualServices as a stack's config has them, or why it cannot have them."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from components.specs import names
from tlsctl.adopt.objects import Object, at, key, mapping, mappings, text

HSTS = "strict-transport-security"

Route = dict[str, Any]
"""With the keys path, service, namespace and port."""


@dataclass
class Routes:
    """The routes of one object, or the reason why the config cannot have them."""

    routes: list[Route] = field(default_factory=list)
    hsts: int = 0
    """Seconds, as the object has every response say."""
    reason: str = ""
    redirects: bool = False
    """Whether it does nothing else: the program redirects by itself."""


def of_virtual_service(obj: Object, services: Sequence[Object]) -> Routes:
    """Return the routes of a VirtualService."""
    if mappings(obj, "spec", "tls") or mappings(obj, "spec", "tcp"):
        return Routes(reason="routes TLS or TCP")
    items = mappings(obj, "spec", "http")
    if items and all("redirect" in item for item in items):
        return Routes(redirects=True)
    found = Routes()
    try:
        for item in items:
            found.hsts = max(found.hsts, _hsts(item))
            found.routes += _routes(item, key(obj)[0], services)
    except ValueError as error:
        return Routes(reason=str(error))
    found.routes = reached(found.routes)
    return found if found.routes else Routes(reason="has no route")


def _routes(item: Object, namespace: str, services: Sequence[Object]) -> Iterator[Route]:
    if odd := sorted(set(item) - {"name", "match", "route", "headers"}):
        raise ValueError(f"has a route with {', '.join(odd)}")
    destinations = mappings(item, "route")
    if len(destinations) != 1:
        raise ValueError(f"has a route with {len(destinations)} destinations")
    if odd := sorted(set(destinations[0]) - {"destination", "weight"}):
        raise ValueError(f"has a destination with {', '.join(odd)}")
    destination = mapping(destinations[0], "destination")
    if odd := sorted(set(destination) - {"host", "port"}):
        raise ValueError(f"has a destination with {', '.join(odd)}")
    where = _service(text(destination, "host"), namespace, at(destination, "port", "number"), services)
    for match in mappings(item, "match") or [{}]:
        yield {"path": _prefix(match), **where}


def _prefix(match: Object) -> str:
    if odd := sorted(set(match) - {"name", "uri"}):
        raise ValueError(f"has a match by {', '.join(odd)}")
    if not match.get("uri"):
        return "/"
    prefix = text(match, "uri", "prefix")
    if set(mapping(match, "uri")) != {"prefix"} or not re.fullmatch(r"/\S*", prefix):
        raise ValueError("has a match by a path that is no prefix")
    return prefix


def _hsts(item: Object) -> int:
    headers = item.get("headers")
    if not headers:
        return 0
    value = text(headers, "response", "set", HSTS) or text(headers, "response", "set", "Strict-Transport-Security")
    age = re.match(r"max-age=(\d{1,8})", value)
    alone = list(mapping(headers)) == ["response"] and list(mapping(headers, "response")) == ["set"]
    if not (age and alone and len(mapping(headers, "response", "set")) == 1):
        raise ValueError("has a route with headers")
    return int(age[1])


def _service(host: str, namespace: str, port: Any, services: Sequence[Object]) -> Route:
    service, *rest = host.split(".")
    if rest[1:] not in ([], ["svc"], ["svc", "cluster", "local"]):
        raise ValueError(f"leads to {host}, which is no Service")
    return to_service(service, rest[0] if rest else namespace, port, services)


def to_service(service: str, namespace: str, port: Any, services: Sequence[Object]) -> Route:
    """Return the route to a Service, without a path.

    Args:
        service: its name.
        namespace: its namespace.
        port: the number or name of one of its ports, or None where it has only one.
        services: where a port may be named.

    Raises:
        ValueError: there is none such, or its port is not known.
    """
    for name in (service, namespace):
        try:
            names.kubernetes_name(name)
        except ValueError:
            raise ValueError(f"leads to {service!r} in {namespace!r}, which is no Service") from None
    if port is None or isinstance(port, str):
        ports = [
            each.get("port")
            for obj in services
            if key(obj) == (namespace, service)
            for each in mappings(obj, "spec", "ports")
            if port is None or each.get("name") == port
        ]
        port = ports[0] if len(ports) == 1 else None
    if isinstance(port, bool) or not isinstance(port, int) or not 0 < port < 65536:
        raise ValueError(f"leads to {service} in {namespace}, without a port")
    return {"service": service, "namespace": namespace, "port": port}


def reached(routes: Iterable[Route]) -> list[Route]:
    """Leave out routes that an earlier one hides: the first that matches takes a request."""
    found: list[Route] = []
    for route in routes:
        if not any(route["path"].startswith(earlier["path"]) for earlier in found):
            found.append(route)
    return found
