"""The roots that a client trusts: the system's, Let's Encrypt's for staging, or those of a file."""

import ssl
from dataclasses import dataclass, field, replace
from pathlib import Path

from components.problem import Problem, ProblemsError
from components.specs import acme
from tlsctl.verify.connections import any_certificate, http2
from tlsctl.verify.environment import Environment

LETS_ENCRYPT_STAGING = Path(__file__).with_name("letsencrypt-staging.pem")
_NO_CHECK_TIME = 0x200000
"""OpenSSL's X509_V_FLAG_NO_CHECK_TIME, which Python has no name for."""


@dataclass(frozen=True)
class Trust:
    """Roots, and what they are called."""

    label: str
    context: ssl.SSLContext
    """A client that verifies the chain alone: the name and the dates are checks of their own."""
    fix: tuple[str, ...] = ()
    """Commands, where it is these roots that are likely to be the wrong ones."""
    untrusting: ssl.SSLContext = field(default_factory=any_certificate)
    """A client that takes whatever is presented, to say what it is."""
    http2: ssl.SSLContext = field(default_factory=http2)
    """The same for HTTP/2."""
    identified: bool = False
    """Whether these clients have a certificate of their own."""


def choose(environment: Environment, file: Path | None, client: Path | None = None) -> Trust:
    """Return the roots that `--ca` names, otherwise those that the stack's issuer chains to.

    Args:
        environment: the stack.
        file: `--ca`.
        client: `--client-cert`, a client certificate and its key.

    Raises:
        ProblemsError: a file holds no certificates, or not their key.
    """
    trust = _roots(environment, file)
    try:
        for each in (trust.context, trust.untrusting, trust.http2) if client else ():
            # An empty password, since OpenSSL would ask on the terminal for that of a key which has one.
            each.load_cert_chain(str(client), password="")
    except OSError as error:
        raise ProblemsError(Problem("--client-cert", f"{client}: {error.strerror or error}")) from None
    return replace(trust, identified=client is not None)


def _roots(environment: Environment, file: Path | None) -> Trust:
    given = environment.settings.acme
    signs = acme.environment_of(getattr(given.servers, given.issuer))
    if file is not None:
        try:
            return Trust(str(file), _context(file))
        except OSError as error:
            raise ProblemsError(Problem("--ca", f"{file}: {error.strerror or error}")) from None
    if signs == acme.STAGING:
        return Trust("Let's Encrypt's staging roots, which no browser trusts", _context(LETS_ENCRYPT_STAGING))
    # Another CA mostly has roots of its own.
    fix = () if signs == acme.PROD else ("uv run python -m tlsctl verify --ca ROOTS.pem",)
    return Trust("the system's trust store", _context(None), fix)


def _context(file: Path | None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=file)
    context.check_hostname = False
    context.verify_flags |= _NO_CHECK_TIME
    return context
