"""What a host serves: rules between the keys of one host, and between hosts that redirect to each other."""

from collections.abc import Iterator, Sequence
from typing import Any

from components import routes
from components.problem import Problem
from components.specs import names

from .keys import Keys, Raw, objects
from .problems import Path

_DESTINATION = {"service": "NAME", "namespace": "NAME", "port": 80}
_INLINE = (*_DESTINATION, "path", "timeout", "retries")
_ACCEPTED = "service, namespace and port of the destination, or a list of `routes`"


def served(keys: Keys) -> Iterator[Problem]:
    """Yield what is wrong with what a gateway's hosts serve."""
    for index, host in enumerate(keys.hosts):
        if host.get("redirectTo") is not None:
            yield from _redirect(index, host, keys)
        elif not _in_maintenance(host) or any(host.get(key) is not None for key in (*_INLINE, "routes")):
            yield from _destinations(index, host, keys)
    yield from _loops(keys)


def _in_maintenance(host: Raw) -> bool:
    return str(host.get("maintenance", "")).lower() == "true"


def _redirect(index: int, host: Raw, keys: Keys) -> Iterator[Problem]:
    others = [key for key in (*_INLINE, "routes") if host.get(key) not in (None, [], ())]
    for key in [*others, *(["maintenance"] if _in_maintenance(host) else [])]:
        yield keys.problem(
            ["hosts", index, key],
            "contradicts redirectTo",
            "redirectTo, or what the host serves itself",
            f"{keys.remove(['hosts', index, key])}, or {keys.remove(['hosts', index, 'redirectTo'])}",
            host[key],
        )


def _destinations(index: int, host: Raw, keys: Keys) -> Iterator[Problem]:
    given = host.get("routes")
    inline = [key for key in _INLINE if host.get(key) is not None]
    if not given:
        for key in [key for key in _DESTINATION if key not in inline]:
            path: Path = ["hosts", index, key]
            yield keys.problem(path, "is missing", _ACCEPTED, keys.set(path, _DESTINATION[key]))
        return
    for key in inline:
        yield keys.problem(
            ["hosts", index, key],
            "contradicts the host's routes",
            _ACCEPTED,
            keys.remove(["hosts", index, key]),
            host[key],
        )
    yield from _routes(index, objects(given), keys)


def _routes(index: int, given: Sequence[Raw], keys: Keys) -> Iterator[Problem]:
    seen: list[Any] = []
    for position, route in enumerate(given):
        if not route:
            continue  # its own field has said what it lacks
        where: list[str | int] = ["hosts", index, "routes", position]
        matches = route.get("headers") or []
        matches = [each for each in matches if isinstance(each, dict)] if isinstance(matches, list) else []
        for number, match in enumerate(matches):
            if (match.get("exact") is None) == (match.get("prefix") is None):
                path = [*where, "headers", number]
                fix = keys.set([*path, "exact"], "VALUE")
                if match.get("exact") is not None:
                    fix = keys.remove([*path, "prefix"])
                yield keys.problem(path, "has both or none of exact and prefix", "one of exact and prefix", fix, match)
        try:
            same = routes.same_requests({**route, "headers": matches})
            if same in seen:
                reason = "is the path of an earlier route with the same headers, which takes every request"
                path = [*where, "path"]
                yield keys.problem(
                    path, reason, "each path once with the same headers", keys.set(path, "/other"), same[0]
                )
            seen.append(same)
        except (AttributeError, KeyError, TypeError):
            # What has the wrong type is reported by its own field.
            continue


def _loops(keys: Keys) -> Iterator[Problem]:
    targets: dict[str, str] = {}
    places: dict[str, int] = {}
    for index, host in enumerate(keys.hosts):
        try:
            name = names.dns_name(host.get("host") or "")
            targets[name] = names.redirect_target(host["redirectTo"]) if host.get("redirectTo") else ""
        except (ValueError, TypeError, AttributeError):
            continue
        places[name] = index
    for name, target in targets.items():
        if target and routes.redirect_loop(targets, name):
            path: Path = ["hosts", places[name], "redirectTo"]
            yield keys.problem(
                path,
                "leads in a circle, back to a host that redirects to it",
                "a name that does not redirect back",
                keys.remove(path),
                keys.hosts[places[name]]["redirectTo"],
            )
