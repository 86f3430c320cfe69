"""What the gateway presents for a name: chain, names, dates and key, each judged by itself."""

import datetime
import hashlib
import ssl

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from sslyze.mozilla_tls_profile.tls_config_checker import TlsConfigurationAsJson

from components.specs import names, renewal
from tlsctl.verify.environment import Environment
from tlsctl.verify.results import Result
from tlsctl.verify.trust import Trust

JUDGED = ("chain", "name", "expiry", "key")
"""What needs a certificate to look at."""


def fingerprint(certificate: bytes) -> str:
    """Return what a certificate (DER) is told by."""
    return hashlib.sha256(certificate).hexdigest()


def chain(
    environment: Environment,
    host: str,
    trust: Trust,
    certificate: x509.Certificate,
    error: ssl.SSLCertVerificationError | None,
) -> Result:
    """Say whether the chain leads to the trusted roots.

    Args:
        environment: of the host.
        host: as in the config.
        trust: the roots.
        certificate: what was presented.
        error: of the handshake that verified the chain, if it did not.
    """
    signer = certificate.issuer.rfc4514_string()
    if error is None:
        return Result("chain", host, "ok", f"signed by {signer}, trusted by {trust.label}")
    detail = f"signed by {signer}, which does not lead to {trust.label}: {error.verify_message}"
    return Result("chain", host, "failed", detail, trust.fix or environment.fix("chain", host=host))


def name(environment: Environment, host: str, certificate: x509.Certificate) -> Result:
    """Judge the certificate's names (RFC 9525: the common name does not count)."""
    given = _names(certificate)
    if any(names.covers(each, host) for each in given):
        return Result("name", host, "ok", ", ".join(given))
    detail = f"the certificate is for {', '.join(given) or 'no name'}"
    return Result("name", host, "failed", detail, environment.fix("name", host=host))


def _names(certificate: x509.Certificate) -> list[str]:
    try:
        alternative = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return []
    return [each.lower() for each in alternative.value.get_values_for_type(x509.DNSName)]


def expiry(environment: Environment, host: str, certificate: x509.Certificate, now: datetime.datetime) -> Result:
    """Judge the dates: valid, renewed when it was due, and not about to expire, as the alerts have it."""
    begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    due = renewal.planned(begin, end, environment.settings.certificate.renew_before_percentage)
    left = renewal.share_left(begin, end, now)
    until = f"{end:%Y-%m-%d %H:%M} UTC"
    fix = environment.fix("expiry", host=host)
    if now < begin:
        return Result("expiry", host, "failed", f"is not valid before {begin:%Y-%m-%d %H:%M} UTC", fix)
    if now >= end:
        return Result("expiry", host, "failed", f"expired on {until}", fix)
    seen = f"{_span(end - now)} left, {left:.0%} of its lifetime, until {until}"
    if renewal.is_late(begin, end, due, now):
        return Result("expiry", host, "failed", f"{seen}; renewal was due on {due:%Y-%m-%d %H:%M} UTC", fix)
    if left < renewal.NEAR_EXPIRY:
        detail = f"{seen}; renewal is due on {due:%Y-%m-%d %H:%M} UTC, too late to act if it fails"
        return Result("expiry", host, "failed", detail, fix)
    return Result("expiry", host, "ok", seen)


def key(environment: Environment, host: str, certificate: x509.Certificate, profile: TlsConfigurationAsJson) -> Result:
    """Judge the kind and the size of the key."""
    public = certificate.public_key()
    if isinstance(public, ec.EllipticCurvePublicKey):
        seen, good = f"ECDSA {public.curve.name}", public.curve.name in profile.certificate_curves
    elif isinstance(public, rsa.RSAPublicKey):
        seen, good = f"RSA {public.key_size}", public.key_size >= (profile.rsa_key_size or 0)
    else:
        seen, good = type(public).__name__, False
    if good:
        return Result("key", host, "ok", seen)
    detail = f"{seen} is not in Mozilla's intermediate profile"
    return Result("key", host, "failed", detail, environment.fix("key", host=host))


def _span(span: datetime.timedelta) -> str:
    return f"{span.days} days" if span.days > 1 else f"{span.total_seconds() / 3600:.1f} hours"
