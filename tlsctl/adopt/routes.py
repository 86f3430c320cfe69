"""Routes as the config of a stack has them."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from components.specs import names
from tlsctl.adopt.objects import Object, key, mappings

Route = dict[str, Any]
"""With the keys path, exact or regex, service, namespace and port."""


@dataclass
class Routes:
    """The routes of a host or an object, or the reason why the config cannot express them."""

    routes: list[Route] = field(default_factory=list)
    hsts: int = 0
    """Seconds of Strict-Transport-Security that every response has."""
    reason: str = ""
    redirects: bool = False
    """Whether the object only redirects to HTTPS, which a stack always does."""


def to_service(service: str, namespace: str, port: Any, services: Sequence[Object]) -> Route:
    """Return the route, without a path, to a port of a Service: its number, its name, or None for the only one.

    Raises:
        ValueError: the names are not those of a Service, or its port is unknown.
    """
    for name in (service, namespace):
        try:
            names.kubernetes_name(name)
        except ValueError:
            raise ValueError(f"leads to {service!r} in {namespace!r}, which is no Service") from None
    if port is None or isinstance(port, str):
        ports = [
            entry.get("port")
            for obj in services
            if key(obj) == (namespace, service)
            for entry in mappings(obj, "spec", "ports")
            if port is None or entry.get("name") == port
        ]
        port = ports[0] if len(ports) == 1 else None
    if isinstance(port, bool) or not isinstance(port, int) or not 0 < port < 65536:
        raise ValueError(f"leads to {service} in {namespace}, without a port")
    return {"service": service, "namespace": namespace, "port": port}


def collect(
    rules: Iterable[Object], hsts: Callable[[Object], int], routes: Callable[[Object], Iterable[Route]]
) -> Routes:
    """Return the routes of an object's rules, or the reason why the config cannot express one of them.

    Args:
        rules: In the object's order.
        hsts: Returns the seconds of Strict-Transport-Security of a rule, or raises ValueError with the reason.
        routes: Returns the routes of a rule, or raises ValueError with the reason.
    """
    result = Routes()
    try:
        for rule in rules:
            result.hsts = max(result.hsts, hsts(rule))
            result.routes += routes(rule)
    except ValueError as error:
        return Routes(reason=str(error))
    return result if result.routes else Routes(reason="has no route")


def refuse_others(obj: Object, known: set[str], what: str) -> None:
    """Refuse an object with other keys than the known ones.

    Raises:
        ValueError: `what` the object is, with the keys.
    """
    if others := sorted(set(obj) - known):
        raise ValueError(f"has {what} {', '.join(others)}")


def reachable(routes: Iterable[Route]) -> list[Route]:
    """Leave out routes that an earlier one hides: the first match gets a request."""
    kept: list[Route] = []
    for route in routes:
        if not any(route["path"].startswith(earlier["path"]) for earlier in kept):
            kept.append(route)
    return kept
