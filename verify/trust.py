"""The roots that a client trusts: the system's, Let's Encrypt's for staging, or those of a file."""

import ssl
from dataclasses import dataclass
from pathlib import Path

from components.rules import acme
from components.rules.problem import Problem, ProblemsError
from verify.environment import Environment

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


def choose(environment: Environment, file: Path | None) -> Trust:
    """Return the roots that `--ca` names, otherwise those that the stack's issuer chains to.

    Raises:
        ProblemsError: the file holds no certificates.
    """
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
