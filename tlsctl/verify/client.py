"""The client of verify: connections to the gateway's address, regardless of what DNS answers, and trusted roots."""

import http.client
import socket
import ssl
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

from components.problem import Problem, ProblemsError
from components.specs import acme
from config.command import TLSCTL
from tlsctl.verify.environment import Environment, probe_name

HTTP2 = "h2"
"""The name of HTTP/2 in the handshake (ALPN)."""

TIMEOUT = 3.0
"""Seconds for each step: the connection, the handshake, the answer."""

LETS_ENCRYPT_STAGING = Path(__file__).with_name("letsencrypt-staging.pem")
_NO_CHECK_TIME = 0x200000
"""OpenSSL's X509_V_FLAG_NO_CHECK_TIME, for which Python has no name."""


@dataclass(frozen=True)
class Answer:
    """Status and headers, with header names in lower case."""

    status: int
    headers: Mapping[str, str]


def tcp(environment: Environment, port: int) -> socket.socket:
    """Open a connection to the gateway.

    Raises:
        OSError: it cannot be opened.
    """
    return socket.create_connection((environment.ip, port), TIMEOUT)


def tls(environment: Environment, host: str, context: ssl.SSLContext) -> ssl.SSLSocket:
    """Open a TLS connection for a name (SNI).

    Raises:
        OSError: the connection or the handshake fails, or the chain is not trusted (`ssl.SSLCertVerificationError`).
    """
    plain = tcp(environment, 443)
    try:
        return context.wrap_socket(plain, server_hostname=probe_name(host))
    except BaseException:
        plain.close()
        raise


def ask(connection: socket.socket, host: str, path: str, headers: Mapping[str, str] | None = None) -> Answer:
    """Send a GET request over a connection and close it; the body is not read.

    Raises:
        OSError: there is no answer.
        http.client.HTTPException: the answer is not HTTP.
    """
    with closing(http.client.HTTPConnection(probe_name(host))) as request:
        request.sock = connection
        request.request("GET", path, headers={**(headers or {}), "User-Agent": "verify", "Connection": "close"})
        answer = request.getresponse()
        return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()})


def describe(error: Exception) -> str:
    """Return a sentence for an error of a connection."""
    if isinstance(error, TimeoutError):
        return f"no answer in {TIMEOUT:.0f} s"
    if isinstance(error, ConnectionResetError | ssl.SSLEOFError):
        return "the gateway closes the connection"
    text = error.reason if isinstance(error, ssl.SSLError) else error.strerror if isinstance(error, OSError) else None
    return text or str(error) or type(error).__name__


def any_certificate() -> ssl.SSLContext:
    """Return a client that accepts any certificate, so that it can be described."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def http2() -> ssl.SSLContext:
    """Return a client that accepts any certificate and speaks only HTTP/2."""
    context = any_certificate()
    context.set_alpn_protocols([HTTP2])
    return context


@dataclass(frozen=True)
class Trust:
    """The trusted roots, with a client for each purpose."""

    label: str
    context: ssl.SSLContext
    """A client that verifies only the chain: names and dates are checks of their own."""
    fix: tuple[str, ...] = ()
    """Commands, where the roots are probably not those of the CA."""
    untrusting: ssl.SSLContext = field(default_factory=any_certificate)
    """A client that accepts any certificate."""
    http2: ssl.SSLContext = field(default_factory=http2)
    """The same for HTTP/2."""
    identified: bool = False
    """Whether these clients present a client certificate."""


def choose_trust(environment: Environment, file: Path | None, client: Path | None = None) -> Trust:
    """Return the roots of the file of `--ca`, or of the stack's issuer, with the client certificate of `--client-cert`.

    Raises:
        ProblemsError: a file holds no certificates, or not their key.
    """
    trust = _roots(environment, file)
    if client is None:
        return trust
    try:
        for context in (trust.context, trust.untrusting, trust.http2):
            # With an empty password, OpenSSL fails for an encrypted key instead of asking on the terminal.
            context.load_cert_chain(str(client), password="")
    except OSError as error:
        raise ProblemsError(Problem("--client-cert", f"{client}: {error.strerror or error}")) from None
    return replace(trust, identified=True)


def _roots(environment: Environment, file: Path | None) -> Trust:
    if file is not None:
        try:
            return Trust(str(file), _context(file))
        except OSError as error:
            raise ProblemsError(Problem("--ca", f"{file}: {error.strerror or error}")) from None
    settings = environment.settings.acme
    ca = acme.environment_of(getattr(settings.servers, settings.issuer))
    if ca == acme.STAGING:
        return Trust("Let's Encrypt's staging roots, which no browser trusts", _context(LETS_ENCRYPT_STAGING))
    # Another CA usually has roots of its own.
    fix = () if ca == acme.PROD else (f"{TLSCTL} verify --ca ROOTS.pem",)
    return Trust("the system's trust store", _context(None), fix)


def _context(file: Path | None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=file)
    context.check_hostname = False
    context.verify_flags |= _NO_CHECK_TIME
    return context
