"""What a host serves: rules between the keys of one host, and between hosts that redirect to each other."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from components.rules import names, routes
from components.rules.problem import Problem

from .problems import MISSING, Path, set_command

Raw = Mapping[str, Any]

_DESTINATION = {"service": "NAME", "namespace": "NAME", "port": 80}
_INLINE = (*_DESTINATION, "path", "timeout", "retries")
_ACCEPTED = "service, namespace and port of the destination, or a list of `routes`"


class Report(Protocol):
    """Makes the problem of a key."""

    def __call__(self, path: Path, reason: str, accepted: str, fix: str, value: Any = MISSING) -> Problem:
        """Return it."""


def served(hosts: Sequence[Raw], problem: Report) -> Iterator[Problem]:
    """Yield what is wrong with what the hosts serve.

    Args:
        hosts: the raw config of each; one that is no object is empty.
        problem: makes a problem.
    """
    for index, host in enumerate(hosts):
        if host.get("redirectTo") is not None:
            yield from _redirect(index, host, problem)
        elif not _in_maintenance(host) or any(host.get(key) is not None for key in (*_INLINE, "routes")):
            yield from _destinations(index, host, problem)
    yield from _loops(hosts, problem)


def _in_maintenance(host: Raw) -> bool:
    return str(host.get("maintenance", "")).lower() == "true"


def _redirect(index: int, host: Raw, problem: Report) -> Iterator[Problem]:
    others = [key for key in (*_INLINE, "routes") if host.get(key) not in (None, [], ())]
    for key in [*others, *(["maintenance"] if _in_maintenance(host) else [])]:
        yield problem(
            ["hosts", index, key],
            "contradicts redirectTo",
            "redirectTo, or what the host serves itself",
            f"pulumi config rm --path 'hosts[{index}].{key}', or pulumi config rm --path 'hosts[{index}].redirectTo'",
            host[key],
        )


def _destinations(index: int, host: Raw, problem: Report) -> Iterator[Problem]:
    given = host.get("routes")
    inline = [key for key in _INLINE if host.get(key) is not None]
    if not given:
        for key in [key for key in _DESTINATION if key not in inline]:
            path: Path = ["hosts", index, key]
            yield problem(path, "is missing", _ACCEPTED, set_command(path, _DESTINATION[key]))
        return
    for key in inline:
        yield problem(
            ["hosts", index, key],
            "contradicts the host's routes",
            _ACCEPTED,
            f"pulumi config rm --path 'hosts[{index}].{key}'",
            host[key],
        )
    yield from _routes(index, [route for route in given if isinstance(route, dict)], problem)


def _routes(index: int, given: Sequence[Raw], problem: Report) -> Iterator[Problem]:
    seen: list[Any] = []
    for position, route in enumerate(given):
        where: list[str | int] = ["hosts", index, "routes", position]
        matches = route.get("headers") or []
        matches = [each for each in matches if isinstance(each, dict)] if isinstance(matches, list) else []
        for number, match in enumerate(matches):
            if (match.get("exact") is None) == (match.get("prefix") is None):
                path = [*where, "headers", number]
                fix = set_command([*path, "exact"], "VALUE")
                if match.get("exact") is not None:
                    fix = f"pulumi config rm --path 'hosts[{index}].routes[{position}].headers[{number}].prefix'"
                yield problem(path, "has both or none of exact and prefix", "one of exact and prefix", fix, match)
        try:
            same = routes.same_requests({**route, "headers": matches})
            if same in seen:
                reason = "is the path of an earlier route with the same headers, which takes every request"
                path = [*where, "path"]
                yield problem(
                    path, reason, "each path once with the same headers", set_command(path, "/other"), same[0]
                )
            seen.append(same)
        except (AttributeError, KeyError, TypeError):
            # What has the wrong type is reported by its own field.
            continue


def _loops(hosts: Sequence[Raw], problem: Report) -> Iterator[Problem]:
    targets: dict[str, str] = {}
    places: dict[str, int] = {}
    for index, host in enumerate(hosts):
        try:
            name = names.dns_name(host.get("host") or "")
            targets[name] = routes.redirect_target(host["redirectTo"]) if host.get("redirectTo") else ""
        except (ValueError, TypeError, AttributeError):
            continue
        places[name] = index
    for name, target in targets.items():
        if target and routes.redirect_loop(targets, name):
            path: Path = ["hosts", places[name], "redirectTo"]
            yield problem(
                path,
                "leads in a circle, back to a host that redirects to it",
                "a name that does not redirect back",
                f"pulumi config rm --path 'hosts[{places[name]}].redirectTo'",
                hosts[places[name]]["redirectTo"],
            )
