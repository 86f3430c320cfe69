"""Whom a client trusts: the system's roots, Let's Encrypt's staging roots, or a file."""

import ssl
from dataclasses import dataclass
from pathlib import Path

from verify.environment import Environment, UnreadableError

LETS_ENCRYPT_STAGING = Path(__file__).with_name("letsencrypt-staging.pem")
_PROD_HOST = "https://acme-v02.api.letsencrypt.org/"
_STAGING_HOST = "https://acme-staging-v02.api.letsencrypt.org/"
_NO_CHECK_TIME = 0x200000
"""OpenSSL's X509_V_FLAG_NO_CHECK_TIME, which Python has no name for."""


@dataclass(frozen=True)
class Trust:
    """Roots, and what they are called."""

    label: str
    file: Path | None
    """PEM; None is the system's store."""
    mend: tuple[str, ...] = ()
    """Commands, where it is these roots that are likely to be the wrong ones."""

    def context(self) -> ssl.SSLContext:
        """Return a client that verifies the chain alone: the name and the dates are checks of their own."""
        context = ssl.create_default_context(cafile=self.file)
        context.check_hostname = False
        context.verify_flags |= _NO_CHECK_TIME
        return context


def choose(environment: Environment, file: Path | None) -> Trust:
    """Return what `--ca` names, else what the stack's issuer chains to.

    Raises:
        UnreadableError: the file holds no certificates.
    """
    acme = environment.settings.acme
    if file is not None:
        trust = Trust(str(file), file)
    elif acme.issuer == "staging" and acme.servers.staging.startswith(_STAGING_HOST):
        trust = Trust("Let's Encrypt's staging roots, which no browser trusts", LETS_ENCRYPT_STAGING)
    elif acme.servers.model_dump()[acme.issuer].startswith(_PROD_HOST):
        trust = Trust("the system's trust store", None)
    else:
        # A server of one's own mostly has roots of its own.
        trust = Trust(
            "the system's trust store", None, (f"python -m verify --stack {environment.stack} --ca ROOTS.pem",)
        )
    try:
        trust.context()
    except OSError as error:
        raise UnreadableError(f"--ca {file}: {error.strerror or error}") from None
    return trust


def any_certificate() -> ssl.SSLContext:
    """Return a client that takes whatever is presented, to say what it is."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
