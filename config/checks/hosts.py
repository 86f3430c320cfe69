"""Rules between the hosts of one gateway, and between the keys of one host."""

from collections.abc import Iterator

from components import routes
from components.problem import Problem
from components.specs import acme, names
from config.checks.keys import Keys
from config.problems import Path
from config.traffic import INLINE, Host

_EXAMPLES = {"service": "NAME", "namespace": "NAME", "port": 80}
_ACCEPTED = "service, namespace and port of the destination, or a list of `routes`"


def problems(gateway: Keys) -> Iterator[Problem]:
    """Yield the problems between the hosts of a gateway."""
    yield from _duplicates(gateway)
    for index, host in enumerate(gateway.settings.hosts):
        yield from _wildcard(gateway, index, host)
        yield from _answers(gateway, index, host)
        yield from _routes(gateway, index, host)
    yield from _redirect_loops(gateway)


def _duplicates(gateway: Keys) -> Iterator[Problem]:
    seen: dict[str, int] = {}
    for index, host in enumerate(gateway.settings.hosts):
        if host.host in seen:
            path: Path = ["hosts", index, "host"]
            reason = f"is the same name as {gateway.dotted(['hosts', seen[host.host], 'host'])}"
            fix = f"{gateway.remove(['hosts', index])}, or {gateway.set(path, 'other.YOUR-DOMAIN')}"
            yield gateway.problem(path, reason, "each name once; give one host several `routes`", fix)
        elif host.host:
            seen[host.host] = index


def _wildcard(gateway: Keys, index: int, host: Host) -> Iterator[Problem]:
    challenge = host.challenge or gateway.settings.challenge
    if host.host and names.is_wildcard(host.host) and challenge == acme.HTTP01:
        where: Path = ["hosts", index, "challenge"] if host.challenge else ["challenge"]
        reason, accepted = "is a wildcard, which HTTP-01 cannot prove", "wildcards with challenge dns01"
        yield gateway.problem(["hosts", index, "host"], reason, accepted, gateway.set(where, acme.DNS01))


def _answers(gateway: Keys, index: int, host: Host) -> Iterator[Problem]:
    """Yield what contradicts the way in which a host answers: one destination, routes, a redirect or maintenance."""
    where: Path = ["hosts", index]
    inline = [key for key in INLINE if key in host.model_fields_set]
    if host.redirect_to:
        others = [*inline, *(["routes"] if host.routes else []), *(["maintenance"] if host.maintenance else [])]
        for key in others:
            accepted = "redirectTo, or what the host serves itself"
            fix = f"{gateway.remove([*where, key])}, or {gateway.remove([*where, 'redirectTo'])}"
            yield gateway.problem([*where, key], "contradicts redirectTo", accepted, fix)
    elif host.routes:
        for key in inline:
            reason, fix = "contradicts the host's routes", gateway.remove([*where, key])
            yield gateway.problem([*where, key], reason, _ACCEPTED, fix)
    elif inline or not host.maintenance:
        for key, example in _EXAMPLES.items():
            if key not in inline:
                path = [*where, key]
                yield gateway.problem(path, "is missing", _ACCEPTED, gateway.set(path, example))


def _routes(gateway: Keys, index: int, host: Host) -> Iterator[Problem]:
    seen = []
    for position, route in enumerate(host.routes):
        where: Path = ["hosts", index, "routes", position]
        if route.exact is not None and route.path is not None:
            fix = gateway.remove([*where, "path"])
            yield gateway.problem([*where, "path"], "set exactly one of exact or path", "exact, or path", fix)
        for number, match in enumerate(route.headers):
            if (match.exact is None) == (match.prefix is None):
                path = [*where, "headers", number]
                key = "prefix" if match.exact else "exact"
                fix = gateway.remove([*path, key]) if match.exact else gateway.set([*path, key], "VALUE")
                yield gateway.problem(path, "needs exactly one of exact and prefix", "exact, or prefix", fix)
        if not all(match.name for match in route.headers):
            continue
        requests = routes.same_requests(route.model_dump())
        if requests in seen:
            path = [*where, "exact" if route.exact else "path"]
            reason = "is the path of an earlier route with the same headers, which gets every request"
            accepted, fix = "each path once with the same headers", gateway.set(path, "/other")
            yield gateway.problem(path, reason, accepted, fix, default=route.exact or route.path or "/")
        seen.append(requests)


def _redirect_loops(gateway: Keys) -> Iterator[Problem]:
    targets = {host.host: host.redirect_to or "" for host in gateway.settings.hosts if host.host}
    for index, host in enumerate(gateway.settings.hosts):
        if host.redirect_to and host.host and routes.redirect_loop(targets, host.host):
            path: Path = ["hosts", index, "redirectTo"]
            accepted = "a name that does not redirect back"
            yield gateway.problem(path, "creates a redirect loop", accepted, gateway.remove(path))
