"""A host over HTTPS: one handshake shows its certificate, and the application is asked over the same connection."""

import datetime
import http.client
import ssl
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from sslyze.mozilla_tls_profile.tls_config_checker import TlsConfigurationAsJson

from components.specs import names, renewal
from tlsctl.verify import requests
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
    certificate = x509.load_der_x509_certificate(connection.getpeercert(binary_form=True) or b"")
    return Seen(
        host,
        (
            ok("handshake", host, f"{connection.version()} by name"),
            judge_chain(environment, host, trust, certificate, error),
            judge_name(environment, host, certificate),
            judge_expiry(environment, host, certificate, datetime.datetime.now(datetime.UTC)),
            judge_key(environment, host, certificate, profile),
            *_application(environment, host, connection, trust),
        ),
        fingerprint(certificate),
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
        **dict.fromkeys(("chain", "name", "expiry", "key"), "there is no certificate"),
        **dict.fromkeys(("protocols", "ciphers"), "no TLS handshake succeeds"),
        **dict.fromkeys(("route", "hsts"), "there is no answer"),
    }
    rest = (failed(check, host, detail) for check, detail in details.items())
    return Seen(host, (environment.failed("handshake", host, reason), *rest), None)


def fingerprint(certificate: x509.Certificate) -> str:
    """Return what identifies a certificate."""
    return certificate.fingerprint(hashes.SHA256()).hex()


def judge_chain(
    environment: Environment,
    host: str,
    trust: Trust,
    certificate: x509.Certificate,
    error: ssl.SSLCertVerificationError | None,
) -> Result:
    """Judge the chain by the error of the handshake that verified it, which is None if it leads to trusted roots."""
    signer = certificate.issuer.rfc4514_string()
    if error is None:
        return ok("chain", host, f"signed by {signer}, trusted by {trust.label}")
    detail = f"signed by {signer}, which does not lead to {trust.label}: {error.verify_message}"
    return failed("chain", host, detail, trust.fix or environment.fix("chain", host))


def judge_name(environment: Environment, host: str, certificate: x509.Certificate) -> Result:
    """Judge the certificate's names (RFC 9525: the common name does not count)."""
    covered = _names(certificate)
    if any(names.covers(covered_name, host) for covered_name in covered):
        return ok("name", host, ", ".join(covered))
    return environment.failed("name", host, f"the certificate is for {', '.join(covered) or 'no name'}")


def _names(certificate: x509.Certificate) -> list[str]:
    try:
        alternative = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return []
    return [dns_name.lower() for dns_name in alternative.value.get_values_for_type(x509.DNSName)]


def judge_expiry(environment: Environment, host: str, certificate: x509.Certificate, now: datetime.datetime) -> Result:
    """Judge the dates as the alerts do: valid, renewed when it was due, and not about to expire."""
    begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    due = renewal.planned(begin, end, environment.settings.certificate.renew_before_percentage)
    share = renewal.share_left(begin, end, now)
    left = f"{_span(end - now)} left, {share:.0%} of its lifetime, until {_utc(end)}"
    if now < begin:
        wrong = f"is not valid before {_utc(begin)}"
    elif now >= end:
        wrong = f"expired on {_utc(end)}"
    elif renewal.is_late(begin, end, due, now):
        wrong = f"{left}; renewal was due on {_utc(due)}"
    elif share < renewal.NEAR_EXPIRY:
        wrong = f"{left}; renewal is due on {_utc(due)}, too late to act if it fails"
    else:
        return ok("expiry", host, left)
    return environment.failed("expiry", host, wrong)


def judge_key(
    environment: Environment, host: str, certificate: x509.Certificate, profile: TlsConfigurationAsJson
) -> Result:
    """Judge the kind and the size of the key."""
    public = certificate.public_key()
    if isinstance(public, ec.EllipticCurvePublicKey):
        label, allowed = f"ECDSA {public.curve.name}", public.curve.name in profile.certificate_curves
    elif isinstance(public, rsa.RSAPublicKey):
        label, allowed = f"RSA {public.key_size}", public.key_size >= (profile.rsa_key_size or 0)
    else:
        label, allowed = type(public).__name__, False
    if allowed:
        return ok("key", host, label)
    return environment.failed("key", host, f"{label} is not in Mozilla's intermediate profile")


def _utc(time: datetime.datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M} UTC"


def _span(span: datetime.timedelta) -> str:
    return f"{span.days} days" if span.days > 1 else f"{span.total_seconds() / 3600:.1f} hours"
