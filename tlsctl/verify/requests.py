"""The gateway's answers to a client: on port 80 the redirect and the HTTP-01 path, on port 443 the application."""

import http.client
import re
from collections.abc import Mapping
from dataclasses import dataclass

from components.specs import istio
from components.specs.acme import HTTP01
from config.traffic import Host
from tlsctl.verify.client import Answer, ask, describe, tcp
from tlsctl.verify.environment import Environment, probe_name
from tlsctl.verify.results import INGRESS, Result, failed, ok, skipped

CHALLENGE = "/.well-known/acme-challenge/verify"
_APPLICATION = "x-envoy-upstream-service-time"
"""The header that Envoy adds to an application's answers; answers of Envoy itself do not have it."""


def port(environment: Environment, number: int) -> Result:
    """Open a connection to a port of the gateway's address."""
    check, where = f"port-{number}", f"{environment.ip}:{number}"
    try:
        tcp(environment, number).close()
    except OSError as error:
        if number == 80 and not environment.settings.proves_over_http:
            return skipped(check, INGRESS, f"{where} is closed, and DNS-01 does not need it")
        return environment.failed(check, INGRESS, f"{where}: {describe(error)}")
    return ok(check, INGRESS, where)


def plain(environment: Environment, host: str, reachable: bool) -> list[Result]:
    """Send plain HTTP requests to port 80, if it is reachable, and judge the answers."""
    if not reachable and not environment.settings.proves_over_http:
        return [skipped(check, host, "port 80 is closed") for check in ("redirect", "challenge")]
    redirect = _plain(environment, "redirect", host, reachable)
    if host not in environment.settings.hosts_proven_by(HTTP01):
        return [redirect, skipped("challenge", host, "not needed with DNS-01")]
    return [redirect, _plain(environment, "challenge", host, reachable)]


def _plain(environment: Environment, check: str, host: str, reachable: bool) -> Result:
    path, judge = ("/", judge_redirect) if check == "redirect" else (CHALLENGE, judge_challenge)
    if not reachable:
        return environment.failed(check, host, "port 80 is closed")
    try:
        answer = ask(tcp(environment, 80), host, path)
    except (OSError, http.client.HTTPException) as error:
        return environment.failed(check, host, describe(error))
    summary = " ".join(filter(None, (str(answer.status), answer.headers.get("location"))))
    if wrong := judge(probe_name(host), answer):
        return environment.failed(check, host, f"{wrong}: {summary}")
    return ok(check, host, summary)


def judge_redirect(host: str, answer: Answer) -> str | None:
    """Return what is wrong with an answer to plain HTTP, or None."""
    if answer.status not in (301, 308):
        return "plain HTTP is not redirected"
    target = answer.headers.get("location", "")
    return None if re.match(rf"https://{re.escape(host)}(:443)?(/|$)", target) else "redirects elsewhere"


def judge_challenge(host: str, answer: Answer) -> str | None:
    """Return what is wrong with an answer on the HTTP-01 path while no challenge is open, or None.

    The redirect, which ACME servers follow, and 404 both show that the request reached the gateway: the route of a
    solver, once there is one, takes precedence over that of the redirect.
    """
    if answer.status in (200, 404):
        return None
    return "the challenge path is not served" if judge_redirect(host, answer) else None


@dataclass(frozen=True)
class Probe:
    """A request that matches one route of a host."""

    path: str
    headers: tuple[tuple[str, str], ...] = ()
    """The headers that the route matches, each with a matching value."""
    service: str = ""
    """The Service behind the route; empty for a redirect."""
    namespace: str = ""
    port: int = 0

    def __str__(self) -> str:
        return " ".join([self.path, *(f"{name}={value}" for name, value in self.headers)])


def probes(host: Host) -> list[Probe]:
    """Return a request for each route of a host, as far as its path is known, or one for a host without such routes."""
    if host.redirect_to or host.maintenance or host.owner:
        return [Probe("/", namespace=host.owner or "")]
    by_path = [route for route in host.destinations if route.regex is None]
    if not by_path:
        return [Probe("/")]
    return [
        Probe(
            route.exact or route.path or "/",
            tuple((header.name, header.exact or header.prefix or "") for header in route.headers),
            route.service,
            route.namespace,
            route.port,
        )
        for route in by_path
    ]


def judge_route(environment: Environment, host: str, answers: Mapping[Probe, Answer]) -> Result:
    """Judge whether the application answered, or the gateway as the config says for a host without one."""
    config = environment.hosts[host]
    for probe, answer in answers.items():
        if config.redirect_to or config.maintenance:
            return _judge_whole_host(environment, host, probe, answer)
        if answer.status == 404 and not probe.service and _APPLICATION not in answer.headers:
            whose = f"of {config.owner}, the owner," if config.owner else "by a regular expression"
            return skipped("route", host, f"{probe} is answered 404; the routes {whose} may be for other paths")
        if wrong := _own_error(probe, answer):
            detail = f"{probe} is answered {answer.status} by the gateway: {wrong}"
            return environment.failed("route", host, detail, application=probe.namespace)
    return ok("route", host, ", ".join(f"{probe} {answer.status}" for probe, answer in answers.items()))


def _own_error(probe: Probe, answer: Answer) -> str | None:
    """Return the meaning of an error that Envoy answered by itself; None where the application answered."""
    if _APPLICATION in answer.headers:
        return None
    service = probe.service or f"the Service of a route of {probe.namespace}"
    return {
        404: "no route",
        500: f"Istio may not use {service}, or does not know it",
        503: f"nothing serves {service}" + (f" on port {probe.port}" if probe.port else ""),
        504: f"{service} takes longer than the route's timeout",
    }.get(answer.status)


def _judge_whole_host(environment: Environment, host: str, probe: Probe, answer: Answer) -> Result:
    """Judge the answer of a host that is redirected or in maintenance."""
    summary = f"{probe} {answer.status}: "
    # The usual fix of a route looks at an application, and there is none.
    fix = environment.fix("gateway", host)
    if target := environment.hosts[host].redirect_to:
        location = answer.headers.get("location", "")
        if answer.status == istio.REDIRECT_CODE and location == f"https://{target}/":
            return ok("route", host, summary + location)
        actual = f" but to {location}" if location else ""
        return failed("route", host, f"{summary}does not redirect to https://{target}/{actual}", fix)
    if answer.status == istio.MAINTENANCE_CODE and _APPLICATION not in answer.headers:
        return skipped("route", host, f"{summary}in maintenance, as the config says")
    return failed("route", host, f"{summary}answers, although the config says that it is in maintenance", fix)


def judge_hsts(environment: Environment, host: str, answers: Mapping[Probe, Answer]) -> Result:
    """Compare Strict-Transport-Security with `tls.hsts`; with 0, an application may send a header of its own."""
    expected = environment.settings.tls.hsts
    if not expected:
        return skipped("hsts", host, "not configured")
    if owner := environment.hosts[host].owner:
        return skipped("hsts", host, f"the routes of {owner}, its owner, set it")
    for probe, answer in answers.items():
        header = answer.headers.get("strict-transport-security", "")
        age = re.search(r'max-age="?(\d+)', header)
        if not age or int(age[1]) != expected:
            detail = f"{probe} sends {header or 'no header'}, the config says max-age={expected}"
            return environment.failed("hsts", host, detail)
    return ok("hsts", host, f"max-age={expected}")
