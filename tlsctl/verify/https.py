"""A host over HTTPS: one handshake shows its certificate, and the application is asked over the same connection."""

import datetime
import http.client
import ssl
from dataclasses import dataclass

from cryptography import x509
from sslyze.mozilla_tls_profile.tls_config_checker import TlsConfigurationAsJson

from tlsctl.verify import certificates, requests
from tlsctl.verify.client import Answer, Trust, ask, describe, tls
from tlsctl.verify.environment import Environment
from tlsctl.verify.results import Result, failed, ok, skipped


@dataclass(frozen=True)
class Seen:
    """What a host presented and answered."""

    host: str
    results: tuple[Result, ...]
    fingerprint: str | None
    """The fingerprint of the certificate that was presented; None without a handshake."""


def look(environment: Environment, host: str, trust: Trust, profile: TlsConfigurationAsJson, reachable: bool) -> Seen:
    """Connect to a host, unless port 443 is not reachable, and judge what it presents and answers."""
    if not reachable:
        return _unseen(environment, host, "port 443 is closed")
    try:
        connection, error = _connect(environment, host, trust)
    except OSError as failure:
        return _unseen(environment, host, describe(failure))
    version, leaf = connection.version(), connection.getpeercert(binary_form=True) or b""
    certificate = x509.load_der_x509_certificate(leaf)
    return Seen(
        host,
        (
            ok("handshake", host, f"{version} by name"),
            certificates.chain(environment, host, trust, certificate, error),
            certificates.name(environment, host, certificate),
            certificates.expiry(environment, host, certificate, datetime.datetime.now(datetime.UTC)),
            certificates.key(environment, host, certificate, profile),
            *_application(environment, host, connection, trust),
        ),
        certificates.fingerprint(leaf),
    )


def _connect(
    environment: Environment, host: str, trust: Trust
) -> tuple[ssl.SSLSocket, ssl.SSLCertVerificationError | None]:
    """Connect and verify the chain; where it is not trusted, connect without verifying it."""
    try:
        return tls(environment, host, trust.context), None
    except ssl.SSLCertVerificationError as error:
        return tls(environment, host, trust.untrusting), error


def _application(environment: Environment, host: str, connection: ssl.SSLSocket, trust: Trust) -> list[Result]:
    """Send a request for each route; every answer must have the right HSTS header."""
    if environment.settings.tls.client_ca and not trust.identified:
        return _without_certificate(environment, host, connection)
    answers: dict[requests.Probe, Answer] = {}
    for probe in requests.probes(environment.hosts[host]):
        try:
            # The first request uses the connection that is open.
            over = tls(environment, host, trust.untrusting) if answers else connection
            answers[probe] = ask(over, host, probe.path, dict(probe.headers))
        except (OSError, http.client.HTTPException) as error:
            detail = f"{probe}: {describe(error)}"
            return [
                environment.failed("route", host, detail, application=probe.namespace),
                failed("hsts", host, "there is no answer"),
            ]
    return [requests.judge_route(environment, host, answers), requests.judge_hsts(environment, host, answers)]


def _without_certificate(environment: Environment, host: str, connection: ssl.SSLSocket) -> list[Result]:
    """Expect a client without a certificate to be refused; with TLS 1.3 that happens when it waits for the answer."""
    try:
        answer = ask(connection, host, "/")
    except (OSError, http.client.HTTPException) as error:
        detail = f"refused without a client certificate ({describe(error)}); the application needs --client-cert FILE"
        return [skipped(check, host, detail) for check in ("route", "hsts")]
    detail = f"/ is answered {answer.status} without a client certificate, which tls.clientCa requires"
    fix = environment.fix("gateway", host)
    return [failed("route", host, detail, fix), skipped("hsts", host, "not requested")]


def _unseen(environment: Environment, host: str, reason: str) -> Seen:
    details = {
        **dict.fromkeys(certificates.JUDGED, "there is no certificate"),
        **dict.fromkeys(("protocols", "ciphers"), "no TLS handshake succeeds"),
        **dict.fromkeys(("route", "hsts"), "there is no answer"),
    }
    rest = (failed(check, host, detail) for check, detail in details.items())
    return Seen(host, (environment.failed("handshake", host, reason), *rest), None)
