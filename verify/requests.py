"""What a client is answered: over port 80 the redirect and the HTTP-01 path, over port 443 the application."""

import http.client
import re
from collections.abc import Callable, Mapping

from components.rules.acme import HTTP01
from verify.connections import Answer, ask, tcp, words
from verify.environment import Environment, probe_name
from verify.results import INGRESS, Result

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


def judge_route(environment: Environment, host: str, answers: Mapping[str, Answer]) -> Result:
    """Tell an answer of the application, whatever it is, from Envoy's own.

    Args:
        environment: of the host.
        host: as in the config.
        answers: by path.
    """
    for path, answer in answers.items():
        if _APPLICATION not in answer.headers and answer.status in (404, 503):
            route = next(each for each in environment.hosts[host].destinations if each.path == path)
            why = "no route" if answer.status == 404 else f"nothing serves {route.service} on port {route.port}"
            detail = f"{path} is answered {answer.status} by the gateway: {why}"
            fix = environment.fix("route", host=host, application=route.namespace)
            return Result("route", host, "failed", detail, fix)
    return Result("route", host, "ok", ", ".join(f"{path} {answer.status}" for path, answer in answers.items()))


def judge_hsts(environment: Environment, host: str, answers: Mapping[str, Answer]) -> Result:
    """Compare Strict-Transport-Security with `tls.hsts`; 0 sends none, and then it is the application's own."""
    wanted = environment.settings.tls.hsts
    for path, answer in answers.items():
        given = answer.headers.get("strict-transport-security", "")
        age = re.search(r'max-age="?(\d+)', given)
        if wanted and (not age or int(age[1]) != wanted):
            detail = f"{path} sends {given or 'none'}, the config says max-age={wanted}"
            return Result("hsts", host, "failed", detail, environment.fix("hsts", host=host))
    return Result("hsts", host, "ok" if wanted else "skipped", f"max-age={wanted}" if wanted else "not configured")
