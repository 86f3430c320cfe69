"""The certificate that the gateway presents for a name: chain, names, dates and key are checks of their own."""

import datetime
import hashlib
import ssl

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from sslyze.mozilla_tls_profile.tls_config_checker import TlsConfigurationAsJson

from components.specs import names, renewal
from tlsctl.verify.client import Trust
from tlsctl.verify.environment import Environment
from tlsctl.verify.results import Result, failed, ok

JUDGED = ("chain", "name", "expiry", "key")
"""The checks that need a certificate."""


def fingerprint(certificate: bytes) -> str:
    """Return what identifies a certificate (DER)."""
    return hashlib.sha256(certificate).hexdigest()


def chain(
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


def name(environment: Environment, host: str, certificate: x509.Certificate) -> Result:
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


def expiry(environment: Environment, host: str, certificate: x509.Certificate, now: datetime.datetime) -> Result:
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


def key(environment: Environment, host: str, certificate: x509.Certificate, profile: TlsConfigurationAsJson) -> Result:
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
