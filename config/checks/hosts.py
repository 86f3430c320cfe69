"""Rules between the hosts of one gateway, and between the keys of one host."""

from collections.abc import Iterator

from pydantic.alias_generators import to_camel

from components import routes
from components.problem import Problem
from components.specs import acme, names
from config.checks.keys import Keys
from config.problems import Path, value_at
from config.traffic import Host

_EXAMPLES = {"service": "NAME", "namespace": "NAME", "port": 80}
_ACCEPTED = (
    "service, namespace and port of one destination; a list of different `routes`; owner; redirectTo; or maintenance"
)


def problems(gateway: Keys) -> Iterator[Problem]:
    """Yield the problems between the hosts of a gateway."""
    yield from _duplicates(gateway)
    for index, host in enumerate(gateway.settings.hosts):
        yield from _wildcard(gateway, index, host)
        yield from _answers(gateway, index, host)
    yield from _redirect_loops(gateway)
    yield from _borrowed(gateway)


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
    """Yield what contradicts the way in which a host answers: one destination, routes, an owner, or without any."""
    where: Path = ["hosts", index]
    if host.owner:
        contradicting = routes.host_conflicts({**host.served, "routes": host.routes})
        for key in [*host.inline, *(to_camel(str(place[0])) for place, _ in contradicting)]:
            fix = f"{gateway.remove([*where, key])}, or {gateway.remove([*where, 'owner'])}"
            yield gateway.problem([*where, key], "contradicts owner", _ACCEPTED, fix)
    elif host.inline and (host.redirect_to or host.routes):
        other = "redirectTo" if host.redirect_to else "routes"
        for key in host.inline:
            fix = f"{gateway.remove([*where, key])}, or {gateway.remove([*where, other])}"
            yield gateway.problem([*where, key], f"contradicts {other}", _ACCEPTED, fix)
    elif host.inline or not (host.redirect_to or host.routes or host.maintenance):
        for key, example in _EXAMPLES.items():
            if key not in host.inline:
                path = [*where, key]
                yield gateway.problem(path, "is missing", _ACCEPTED, gateway.set(path, example))
        inline = {key: getattr(host, key) for key in (*routes.PATHS, "rewrite")}
        for place, reason in routes.path_conflicts(inline):
            path = [*where, *(place or [key for key in routes.PATHS if inline[key] is not None][:1])]
            yield gateway.problem(
                path, reason, "exact, path or regex, and a rewrite by its groups", gateway.remove(path)
            )
    elif host.host and all(match.name for route in host.routes or () for match in route.headers or ()):
        for place, reason in routes.host_conflicts(host.served):
            if place == ("redirect_to",):
                continue  # loops are found across hosts
            path = [*where, *(to_camel(part) if isinstance(part, str) else part for part in place)]
            # In a route, the whole route is removed.
            fix = gateway.remove(path[: len(where) + 2])
            yield gateway.problem(path, reason, _ACCEPTED, fix, default=value_at(host.served, place, "/"))


def _borrowed(gateway: Keys) -> Iterator[Problem]:
    """Yield the hosts that another namespace than their own could serve through a wildcard above them."""
    hosts, listed = gateway.settings.hosts, gateway.settings.ingress.routes_from
    if not all(host.host for host in hosts) or listed is None:
        return
    owned = [{"host": host.host, "owner": host.owner} for host in hosts]
    for place, reason in dict(routes.borrowed_routes({"hosts": owned, "routes_from": listed})).items():
        if place == ("routes_from",):
            path: Path = ["ingress", "routesFrom"]
            fix = gateway.remove(path)
            yield gateway.problem(path, reason, "no routesFrom with a host of an owner below a wildcard", fix)
        else:
            fix = gateway.set([*place], "NAMESPACE")
            yield gateway.problem([*place], reason, "one owner for a wildcard and the hosts below it", fix, default="")


def _redirect_loops(gateway: Keys) -> Iterator[Problem]:
    targets = {host.host: host.redirect_to or "" for host in gateway.settings.hosts if host.host}
    for index, host in enumerate(gateway.settings.hosts):
        if host.redirect_to and host.host and routes.redirect_loop(targets, host.host):
            path: Path = ["hosts", index, "redirectTo"]
            accepted = "a name that does not redirect back"
            yield gateway.problem(path, "creates a redirect loop", accepted, gateway.remove(path))
