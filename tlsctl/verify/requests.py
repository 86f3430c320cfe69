"""What a client is answered: over port 80 the redirect and the HTTP-01 path, over port 443 the application."""

from __future__ import annotations

import http.client
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from components.specs import istio
from components.specs.acme import HTTP01
from tlsctl.verify.connections import Answer, ask, tcp, words
from tlsctl.verify.environment import Environment, probe_name
from tlsctl.verify.results import INGRESS, Result, State

if TYPE_CHECKING:
    from config.traffic import Host

CHALLENGE = "/.well-known/acme-challenge/verify"
_REDIRECTS = (301, 308)
_APPLICATION = "x-envoy-upstream-service-time"
"""Envoy's header on what an application answered; without it, Envoy answered by itself."""


def port(environment: Environment, number: int) -> Result:
    """Open a port of the gateway's address."""
    check, where = f"port-{number}", f"{environment.ip}:{number}"
    try:
        tcp(environment, number).close()
    except OSError as error:
        if number == 80 and not environment.proves_over_http:
            return Result(check, INGRESS, "skipped", f"{where} is closed, and DNS-01 does not need it")
        return Result(check, INGRESS, "failed", f"{where}: {words(error)}", environment.fix(check))
    return Result(check, INGRESS, "ok", where)


def plain(environment: Environment, host: str, reachable: bool) -> list[Result]:
    """Ask over port 80.

    Args:
        environment: of the host.
        host: as in the config.
        reachable: whether the port takes connections; nothing is waited for where it does not.
    """
    if not reachable and not environment.proves_over_http:
        return [Result(check, host, "skipped", "port 80 is closed") for check in ("redirect", "challenge")]
    if host not in environment.settings.hosts_proven_by(HTTP01):
        path = Result("challenge", host, "skipped", "not needed with DNS-01")
    else:
        path = _judged("challenge", environment, host, reachable, CHALLENGE, judge_challenge)
    return [_judged("redirect", environment, host, reachable, "/", judge_redirect), path]


def _judged(
    check: str,
    environment: Environment,
    host: str,
    reachable: bool,
    path: str,
    judge: Callable[[str, Answer], str | None],
) -> Result:
    fix = environment.fix(check, host=host)
    if not reachable:
        return Result(check, host, "failed", "port 80 is closed", fix)
    try:
        answer = ask(tcp(environment, 80), host, path)
    except (OSError, http.client.HTTPException) as error:
        return Result(check, host, "failed", words(error), fix)
    seen = " ".join(filter(None, (str(answer.status), answer.headers.get("location"))))
    if wrong := judge(probe_name(host), answer):
        return Result(check, host, "failed", f"{wrong}: {seen}", fix)
    return Result(check, host, "ok", seen)


def judge_redirect(host: str, answer: Answer) -> str | None:
    """Return what is wrong with an answer to plain HTTP, or None."""
    if answer.status not in _REDIRECTS:
        return "plain HTTP is not redirected"
    target = answer.headers.get("location", "")
    return None if re.match(rf"https://{re.escape(host)}(:443)?(/|$)", target) else "redirects elsewhere"


def judge_challenge(host: str, answer: Answer) -> str | None:
    """Return what is wrong with an answer on the HTTP-01 path while no challenge is open, or None.

    The redirect, which ACME servers follow, or a 404 shows that the request has come to the gateway: a solver's
    route, once there is one, is more exact than the redirect's.
    """
    if answer.status in (200, 404):
        return None
    return "the challenge path is not served" if judge_redirect(host, answer) else None


@dataclass(frozen=True)
class Probe:
    """A request that one route of a host takes."""

    path: str
    headers: tuple[tuple[str, str], ...] = ()
    """Those that the route asks for, with a value that it takes."""
    service: str = ""
    """The Service that it leads to; none for a redirect."""
    namespace: str = ""
    port: int = 0

    def __str__(self) -> str:
        return " ".join([self.path, *(f"{name}={value}" for name, value in self.headers)])


def probes(host: Host) -> list[Probe]:
    """Return a request for each route; where none is taken, one for the whole host."""
    if host.redirect_to or host.maintenance:
        return [Probe("/")]
    return [
        Probe(
            route.path,
            tuple((each.name, each.exact or each.prefix or "") for each in route.headers),
            route.service,
            route.namespace,
            route.port,
        )
        for route in host.destinations
    ]


def judge_route(environment: Environment, host: str, answers: Mapping[Probe, Answer]) -> Result:
    """Tell an answer of the application, whatever it is, from Envoy's own, which only some hosts should give.

    Args:
        environment: of the host.
        host: as in the config.
        answers: by what was asked for.
    """
    wanted = environment.hosts[host]
    if wanted.redirect_to:
        return _judge_whole_host(environment, host, answers, _redirected(wanted.redirect_to))
    if wanted.maintenance:
        return _judge_whole_host(environment, host, answers, _refused)
    for probe, answer in answers.items():
        if _APPLICATION not in answer.headers and answer.status in (404, 503, 504):
            why = {404: "no route", 503: f"nothing serves {probe.service} on port {probe.port}"}.get(
                answer.status, f"{probe.service} takes longer than the route's timeout"
            )
            detail = f"{probe} is answered {answer.status} by the gateway: {why}"
            fix = environment.fix("route", host=host, application=probe.namespace)
            return Result("route", host, "failed", detail, fix)
    return Result("route", host, "ok", ", ".join(f"{probe} {answer.status}" for probe, answer in answers.items()))


def _judge_whole_host(
    environment: Environment, host: str, answers: Mapping[Probe, Answer], judge: Callable[[Answer], tuple[State, str]]
) -> Result:
    for probe, answer in answers.items():
        state, words = judge(answer)
        # No application is behind it: what its objects are is of no use.
        fix = environment.fix("gateway", host=host) if state == "failed" else ()
        return Result("route", host, state, f"{probe} {answer.status}: {words}", fix)
    return Result("route", host, "skipped", "nothing was asked for")


def _redirected(target: str) -> Callable[[Answer], tuple[State, str]]:
    def judge(answer: Answer) -> tuple[State, str]:
        location = answer.headers.get("location", "")
        if answer.status == istio.REDIRECT_CODE and location == f"https://{target}/":
            return "ok", location
        return "failed", f"does not redirect to https://{target}/" + (f" but to {location}" if location else "")

    return judge


def _refused(answer: Answer) -> tuple[State, str]:
    """Judge a host in maintenance: its 503 is what the config asks for, and yet nobody should call that ok."""
    if answer.status == istio.MAINTENANCE_CODE and _APPLICATION not in answer.headers:
        return "skipped", "in maintenance, as the config says"
    return "failed", "serves, and the config says that it is in maintenance"


def judge_hsts(environment: Environment, host: str, answers: Mapping[Probe, Answer]) -> Result:
    """Compare Strict-Transport-Security with `tls.hsts`; 0 sends none, and then it is the application's own."""
    wanted = environment.settings.tls.hsts
    for probe, answer in answers.items():
        given = answer.headers.get("strict-transport-security", "")
        age = re.search(r'max-age="?(\d+)', given)
        if wanted and (not age or int(age[1]) != wanted):
            detail = f"{probe} sends {given or 'none'}, the config says max-age={wanted}"
            return Result("hsts", host, "failed", detail, environment.fix("hsts", host=host))
    return Result("hsts", host, "ok" if wanted else "skipped", f"max-age={wanted}" if wanted else "not configured")
