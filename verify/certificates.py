"""What the gateway presents for a name: chain, names, dates and key, each judged by itself."""

import datetime
import socket
import ssl
from collections.abc import Sequence
from contextlib import closing

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from sslyze.mozilla_tls_profile.tls_config_checker import TlsConfigurationAsJson

from verify.checks import Result
from verify.environment import Environment, probe_name
from verify.trust import Trust, any_certificate

TIMEOUT = 3.0

RENEWAL = 1 / 3
"""The part of its lifetime that a certificate has left when cert-manager renews it, unless told otherwise."""


def connect(environment: Environment, host: str, context: ssl.SSLContext) -> ssl.SSLSocket:
    """Make a TLS connection to the gateway's address, by name (SNI).

    Raises:
        OSError: there is no connection, no handshake, or no trust (`ssl.SSLCertVerificationError`).
    """
    plain = socket.create_connection((environment.ip, 443), TIMEOUT)
    try:
        return context.wrap_socket(plain, server_hostname=probe_name(host))
    except BaseException:
        plain.close()
        raise


def look(environment: Environment, host: str, trust: Trust, profile: TlsConfigurationAsJson) -> list[Result]:
    """Take a host's certificate and judge it."""
    try:
        with closing(connect(environment, host, any_certificate())) as connection:
            version, leaf = connection.version(), connection.getpeercert(binary_form=True)
    except OSError as error:
        mend = (
            f"kubectl --namespace {environment.namespace} get gateways,virtualservices",
            environment.up,
        )
        unseen = [Result(check, host, "failed", "no certificate is seen") for check in _JUDGED]
        return [Result("handshake", host, "failed", words(error), mend), *unseen]
    certificate = x509.load_der_x509_certificate(leaf or b"")
    return [
        Result("handshake", host, "ok", f"{version} by name"),
        _chain(environment, host, trust, certificate),
        name(environment, host, certificate),
        expiry(environment, host, certificate, datetime.datetime.now(datetime.UTC)),
        key(environment, host, certificate, profile),
    ]


_JUDGED = ("chain", "name", "expiry", "key")


def _chain(environment: Environment, host: str, trust: Trust, certificate: x509.Certificate) -> Result:
    signer = certificate.issuer.rfc4514_string()
    try:
        connect(environment, host, trust.context()).close()
    except ssl.SSLCertVerificationError as error:
        detail = f"signed by {signer}, which does not lead to {trust.label}: {error.verify_message}"
        return Result("chain", host, "failed", detail, trust.mend or _reissue(environment, host))
    except OSError as error:
        return Result("chain", host, "failed", words(error), _reissue(environment, host))
    return Result("chain", host, "ok", f"signed by {signer}, trusted by {trust.label}")


def name(environment: Environment, host: str, certificate: x509.Certificate) -> Result:
    """Judge the certificate's names (RFC 9525: the common name does not count)."""
    names = _names(certificate)
    if covers(names, host):
        return Result("name", host, "ok", ", ".join(names))
    mend = (environment.up,)
    return Result("name", host, "failed", f"the certificate is for {', '.join(names) or 'no name'}", mend)


def covers(names: Sequence[str], host: str) -> bool:
    """Tell whether one of a certificate's names stands for a host; a wildcard does for one label."""
    return host in names or f"*.{host.partition('.')[2]}" in names


def _names(certificate: x509.Certificate) -> list[str]:
    try:
        alternative = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return []
    return [each.lower() for each in alternative.value.get_values_for_type(x509.DNSName)]


def expiry(environment: Environment, host: str, certificate: x509.Certificate, now: datetime.datetime) -> Result:
    """Judge the dates against the certificate's own lifetime: lifetimes shrink, fixed days would not."""
    begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    percentage = environment.settings.certificate.renew_before_percentage
    due = percentage / 100 if percentage else RENEWAL
    left = fraction_left(begin, end, now)
    until = f"{end:%Y-%m-%d %H:%M} UTC"
    mend = _reissue(environment, host)
    if now < begin:
        return Result("expiry", host, "failed", f"is not valid before {begin:%Y-%m-%d %H:%M} UTC", mend)
    if now >= end:
        return Result("expiry", host, "failed", f"expired on {until}", mend)
    seen = f"{_span(end - now)} left, {left:.0%} of its lifetime, until {until}"
    if left < due / 2:
        return Result("expiry", host, "failed", f"{seen}; renewal was due at {due:.0%}", mend)
    return Result("expiry", host, "ok", seen)


def fraction_left(begin: datetime.datetime, end: datetime.datetime, now: datetime.datetime) -> float:
    """Return how much of a lifetime is left at `now`, from 1 to 0."""
    return min(1.0, max(0.0, (end - now) / (end - begin)))


def key(environment: Environment, host: str, certificate: x509.Certificate, profile: TlsConfigurationAsJson) -> Result:
    """Judge the kind and the size of the key."""
    public = certificate.public_key()
    if isinstance(public, ec.EllipticCurvePublicKey):
        seen, good = f"ECDSA {public.curve.name}", public.curve.name in profile.certificate_curves
        mend = "pulumi config set --path certificate.size 256"
    elif isinstance(public, rsa.RSAPublicKey):
        seen, good = f"RSA {public.key_size}", public.key_size >= (profile.rsa_key_size or 0)
        mend = "pulumi config set --path certificate.size 2048"
    else:
        seen, good = type(public).__name__, False
        mend = "pulumi config set --path certificate.algorithm ECDSA"
    if good:
        return Result("key", host, "ok", seen)
    detail = f"{seen} is not in Mozilla's intermediate profile"
    return Result("key", host, "failed", detail, (f"{mend} --stack {environment.stack}", environment.up))


def _reissue(environment: Environment, host: str) -> tuple[str, ...]:
    manager = environment.settings.cert_manager.namespace
    return (
        f"kubectl --namespace {manager} get pods",
        f"cmctl renew --namespace {environment.namespace} {environment.certificate_of(host)}",
    )


def _span(span: datetime.timedelta) -> str:
    return f"{span.days} days" if span.days > 1 else f"{span.total_seconds() / 3600:.1f} hours"


def words(error: OSError) -> str:
    """Return an error as a person would say it."""
    if isinstance(error, TimeoutError):
        return f"no answer in {TIMEOUT:.0f} s"
    if isinstance(error, ConnectionResetError | ssl.SSLEOFError):
        return "the gateway closes the connection"
    return (error.reason if isinstance(error, ssl.SSLError) else error.strerror) or str(error)
