"""What a client is answered: over port 80 the redirect and the HTTP-01 path, over port 443 the application."""

from __future__ import annotations

import http.client
import re
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from verify.certificates import TIMEOUT, connect, words
from verify.checks import INGRESS, Result
from verify.environment import Environment, probe_name
from verify.trust import any_certificate

if TYPE_CHECKING:
    from settings.models import Route

CHALLENGE = "/.well-known/acme-challenge/verify"
_REDIRECTS = (301, 308)
_APPLICATION = "x-envoy-upstream-service-time"
"""Envoy's header on what an application answered; without it, Envoy answered by itself."""


@dataclass(frozen=True)
class Answer:
    """Status and headers, their names in lower case."""

    status: int
    headers: Mapping[str, str]


def ports(environment: Environment) -> list[Result]:
    """Open both ports of the gateway's address."""
    return [_port(environment, number) for number in (80, 443)]


def _port(environment: Environment, number: int) -> Result:
    where = f"{environment.ip}:{number}"
    try:
        socket.create_connection((environment.ip, number), TIMEOUT).close()
    except OSError as error:
        service = environment.settings.ingress.service
        mend = (
            f"kubectl --namespace {environment.namespace} describe service {service}",
            f"kubectl --namespace {environment.namespace} get gateways,endpointslices",
        )
        return Result(f"port-{number}", INGRESS, "failed", f"{where}: {words(error)}", mend)
    return Result(f"port-{number}", INGRESS, "ok", where)


def plain(environment: Environment, host: str) -> list[Result]:
    """Ask over port 80."""
    if environment.settings.challenge != "http01":
        path = Result("challenge", host, "skipped", "not needed with DNS-01")
    else:
        path = _judged("challenge", environment, host, CHALLENGE, judge_challenge)
    return [_judged("redirect", environment, host, "/", judge_redirect), path]


def _judged(
    check: str, environment: Environment, host: str, path: str, judge: Callable[[str, Answer], str | None]
) -> Result:
    try:
        answer = _ask(socket.create_connection((environment.ip, 80), TIMEOUT), probe_name(host), path)
    except (OSError, http.client.HTTPException) as error:
        return Result(check, host, "failed", _words(error), (environment.up,))
    seen = " ".join(filter(None, (str(answer.status), answer.headers.get("location"))))
    if fault := judge(probe_name(host), answer):
        listing = f"kubectl get virtualservices,ingresses --all-namespaces | grep {host.removeprefix('*.')}"
        return Result(check, host, "failed", f"{fault}: {seen}", (listing, environment.up))
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


def secure(environment: Environment, host: str) -> list[Result]:
    """Ask for each route's path over HTTPS; of the header, every path's answer counts."""
    answers: dict[str, Answer] = {}
    for path in (route.path for route in _routes(environment, host)):
        try:
            answers[path] = _ask(connect(environment, host, any_certificate()), probe_name(host), path)
        except (OSError, http.client.HTTPException) as error:
            detail = f"{path}: {_words(error)}"
            return [Result("route", host, "failed", detail), Result("hsts", host, "failed", "no answer is seen")]
    return [judge_route(environment, host, answers), judge_hsts(environment, host, answers)]


def judge_route(environment: Environment, host: str, answers: Mapping[str, Answer]) -> Result:
    """Tell an answer of the application, whatever it is, from Envoy's own."""
    for path, answer in answers.items():
        if _APPLICATION not in answer.headers and answer.status in (404, 503):
            route = next(each for each in _routes(environment, host) if each.path == path)
            fault = "no route" if answer.status == 404 else f"nothing serves {route.service} on port {route.port}"
            mend = (f"kubectl --namespace {route.namespace} get services,endpointslices,pods", environment.up)
            return Result("route", host, "failed", f"{path} is answered {answer.status} by the gateway: {fault}", mend)
    return Result("route", host, "ok", ", ".join(f"{path} {answer.status}" for path, answer in answers.items()))


def judge_hsts(environment: Environment, host: str, answers: Mapping[str, Answer]) -> Result:
    """Compare Strict-Transport-Security with `tls.hsts`; 0 sends none, and then it is the application's own."""
    wanted = environment.settings.tls.hsts
    for path, answer in answers.items():
        given = answer.headers.get("strict-transport-security", "")
        age = re.search(r'max-age="?(\d+)', given)
        if wanted and (not age or int(age[1]) != wanted):
            detail = f"{path} sends {given or 'none'}, the config says max-age={wanted}"
            return Result("hsts", host, "failed", detail, (environment.up,))
    return Result("hsts", host, "ok" if wanted else "skipped", f"max-age={wanted}" if wanted else "not configured")


def _routes(environment: Environment, host: str) -> tuple[Route, ...]:
    return next(each for each in environment.settings.hosts if each.host == host).destinations


def _ask(connection: socket.socket, host: str, path: str) -> Answer:
    request = http.client.HTTPConnection(host, timeout=TIMEOUT)
    request.sock = connection
    try:
        request.request("GET", path, headers={"User-Agent": "verify", "Connection": "close"})
        answer = request.getresponse()
        return Answer(answer.status, {key.lower(): value for key, value in answer.getheaders()})
    finally:
        request.close()


def _words(error: Exception) -> str:
    return words(error) if isinstance(error, OSError) else str(error) or type(error).__name__
