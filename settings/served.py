"""What a host serves: rules between the keys of one host, and between hosts that redirect to each other."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from components.rules import mesh, names, routes
from components.rules.problem import Problem

from .problems import MISSING, Path

Raw = Mapping[str, Any]

_DESTINATION = {"service": "NAME", "namespace": "NAME", "port": 80}
_INLINE = (*_DESTINATION, "path", "timeout", "retries")
_ACCEPTED = "service, namespace and port of the destination, or a list of `routes`"


class MakeProblem(Protocol):
    """Makes the problem of a key."""

    def __call__(self, path: Path, reason: str, accepted: str, fix: str, value: Any = MISSING) -> Problem:
        """Return it."""


@dataclass(frozen=True)
class Report:
    """How a gateway's keys are reported: where in the config they are is known there."""

    problem: MakeProblem
    set: Callable[[Path, Any], str]
    """The command that sets a key."""
    remove: Callable[[Path], str]
    """The command that removes one."""


def served(hosts: Sequence[Raw], report: Report) -> Iterator[Problem]:
    """Yield what is wrong with what the hosts serve.

    Args:
        hosts: the raw config of each; one that is no object is empty.
        report: how they are reported.
    """
    for index, host in enumerate(hosts):
        if host.get("redirectTo") is not None:
            yield from _redirect(index, host, report)
        elif not _in_maintenance(host) or any(host.get(key) is not None for key in (*_INLINE, "routes")):
            yield from _destinations(index, host, report)
    yield from _loops(hosts, report)


def _in_maintenance(host: Raw) -> bool:
    return str(host.get("maintenance", "")).lower() == "true"


def _redirect(index: int, host: Raw, report: Report) -> Iterator[Problem]:
    others = [key for key in (*_INLINE, "routes") if host.get(key) not in (None, [], ())]
    for key in [*others, *(["maintenance"] if _in_maintenance(host) else [])]:
        yield report.problem(
            ["hosts", index, key],
            "contradicts redirectTo",
            "redirectTo, or what the host serves itself",
            f"{report.remove(['hosts', index, key])}, or {report.remove(['hosts', index, 'redirectTo'])}",
            host[key],
        )


def _destinations(index: int, host: Raw, report: Report) -> Iterator[Problem]:
    given = host.get("routes")
    inline = [key for key in _INLINE if host.get(key) is not None]
    if not given:
        for key in [key for key in _DESTINATION if key not in inline]:
            path: Path = ["hosts", index, key]
            yield report.problem(path, "is missing", _ACCEPTED, report.set(path, _DESTINATION[key]))
        return
    for key in inline:
        yield report.problem(
            ["hosts", index, key],
            "contradicts the host's routes",
            _ACCEPTED,
            report.remove(["hosts", index, key]),
            host[key],
        )
    yield from _routes(index, [route for route in given if isinstance(route, dict)], report)


def _routes(index: int, given: Sequence[Raw], report: Report) -> Iterator[Problem]:
    seen: list[Any] = []
    for position, route in enumerate(given):
        where: list[str | int] = ["hosts", index, "routes", position]
        matches = route.get("headers") or []
        matches = [each for each in matches if isinstance(each, dict)] if isinstance(matches, list) else []
        for number, match in enumerate(matches):
            if (match.get("exact") is None) == (match.get("prefix") is None):
                path = [*where, "headers", number]
                fix = report.set([*path, "exact"], "VALUE")
                if match.get("exact") is not None:
                    fix = report.remove([*path, "prefix"])
                yield report.problem(
                    path, "has both or none of exact and prefix", "one of exact and prefix", fix, match
                )
        try:
            same = routes.same_requests({**route, "headers": matches})
            if same in seen:
                reason = "is the path of an earlier route with the same headers, which takes every request"
                path = [*where, "path"]
                yield report.problem(
                    path, reason, "each path once with the same headers", report.set(path, "/other"), same[0]
                )
            seen.append(same)
        except (AttributeError, KeyError, TypeError):
            # What has the wrong type is reported by its own field.
            continue


def _loops(hosts: Sequence[Raw], report: Report) -> Iterator[Problem]:
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
            yield report.problem(
                path,
                "leads in a circle, back to a host that redirects to it",
                "a name that does not redirect back",
                report.remove(path),
                hosts[places[name]]["redirectTo"],
            )


def strict(mtls: Any, gateways: Sequence[tuple[Any, Sequence[Raw]]], report: Report) -> Iterator[Problem]:
    """Yield why `mtls` cannot be strict: an application is where an ACME solver runs.

    Args:
        mtls: the key's value.
        gateways: the namespace and the raw hosts of each gateway.
        report: how it is reported.
    """
    for host in (host for _, hosts in gateways for host in hosts) if mtls == mesh.STRICT else ():
        given = host.get("routes")
        several = [route for route in given if isinstance(route, dict)] if isinstance(given, list) else []
        for namespace in (each.get("namespace") for each in (host, *several)):
            for of_a_gateway, _ in gateways:
                if isinstance(namespace, str) and (reason := mesh.refuses_strict(namespace, of_a_gateway)):
                    where = f"cannot be had: the namespace of an application {reason}"
                    accepted = "strict with applications in namespaces of their own"
                    yield report.problem(["mtls"], where, accepted, report.set(["mtls"], "permissive"), mtls)
                    return
