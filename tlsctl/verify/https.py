"""A host over HTTPS, by one handshake: the certificate is judged, and then the application is asked over it."""

import datetime
import http.client
import ssl
from dataclasses import dataclass

from cryptography import x509
from sslyze.mozilla_tls_profile.tls_config_checker import TlsConfigurationAsJson

from tlsctl.verify import certificates, requests
from tlsctl.verify.connections import Answer, ask, tls, words
from tlsctl.verify.environment import Environment
from tlsctl.verify.results import Result
from tlsctl.verify.trust import Trust


@dataclass(frozen=True)
class Seen:
    """What came of a host."""

    host: str
    results: tuple[Result, ...]
    fingerprint: str | None
    """Of the certificate that was presented; None without a handshake."""


def look(environment: Environment, host: str, trust: Trust, profile: TlsConfigurationAsJson, reachable: bool) -> Seen:
    """Connect to a host and judge what it presents and answers.

    Args:
        environment: of the host.
        host: as in the config.
        trust: the roots.
        profile: what keys are judged by.
        reachable: whether port 443 takes connections; nothing is waited for where it does not.
    """
    if not reachable:
        return _unseen(environment, host, "port 443 is closed")
    try:
        connection, mistrust = _connect(environment, host, trust)
    except OSError as error:
        return _unseen(environment, host, words(error))
    version, leaf = connection.version(), connection.getpeercert(binary_form=True) or b""
    certificate = x509.load_der_x509_certificate(leaf)
    return Seen(
        host,
        (
            Result("handshake", host, "ok", f"{version} by name"),
            certificates.chain(environment, host, trust, certificate, mistrust),
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
    """Connect, and verify the chain on the way; one that is not trusted is looked at all the same."""
    try:
        return tls(environment, host, trust.context), None
    except ssl.SSLCertVerificationError as error:
        return tls(environment, host, trust.untrusting), error


def _application(environment: Environment, host: str, connection: ssl.SSLSocket, trust: Trust) -> list[Result]:
    """Make a request for each route; of HSTS, every answer counts."""
    if environment.settings.tls.client_ca and not trust.identified:
        return _without_certificate(environment, host, connection)
    answers: dict[requests.Probe, Answer] = {}
    for probe in requests.probes(environment.hosts[host]):
        try:
            # The first goes over the connection that is there.
            over = tls(environment, host, trust.untrusting) if answers else connection
            answers[probe] = ask(over, host, probe.path, dict(probe.headers))
        except (OSError, http.client.HTTPException) as error:
            fix = environment.fix("route", host=host, application=probe.namespace)
            return [
                Result("route", host, "failed", f"{probe}: {words(error)}", fix),
                Result("hsts", host, "failed", "no answer is seen"),
            ]
    return [
        requests.judge_route(environment, host, answers),
        requests.judge_hsts(environment, host, answers),
    ]


def _without_certificate(environment: Environment, host: str, connection: ssl.SSLSocket) -> list[Result]:
    """See that a client without a certificate is refused: TLS 1.3 says so in place of the answer."""
    try:
        answer = ask(connection, host, "/")
    except (OSError, http.client.HTTPException) as error:
        refused = f"refused without a client certificate ({words(error)}); what is behind it needs --client-cert FILE"
        return [Result(check, host, "skipped", refused) for check in ("route", "hsts")]
    served = f"/ is answered {answer.status} without a client certificate, which tls.clientCa asks for"
    return [
        Result("route", host, "failed", served, environment.fix("gateway", host=host)),
        Result("hsts", host, "skipped", "not asked"),
    ]


def _unseen(environment: Environment, host: str, why: str) -> Seen:
    handshake = Result("handshake", host, "failed", why, environment.fix("handshake", host=host))
    return Seen(
        host,
        (
            handshake,
            *(Result(check, host, "failed", "no certificate is seen") for check in certificates.JUDGED),
            *(Result(check, host, "failed", "no TLS handshake succeeds") for check in ("protocols", "ciphers")),
            *(Result(check, host, "failed", "no answer is seen") for check in ("route", "hsts")),
        ),
        None,
    )
