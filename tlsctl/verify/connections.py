"""Connections to the gateway's address: TCP, TLS by name, and one request over either.

The standard library's client does, given a socket: every connection goes to one address, whatever the name resolves to.
"""

import http.client
import socket
import ssl
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass

from tlsctl.verify.environment import Environment, probe_name

HTTP2 = "h2"
"""Its name in the handshake (ALPN)."""

TIMEOUT = 3.0
"""Seconds for each step: the connection, the handshake, the answer."""


@dataclass(frozen=True)
class Answer:
    """Status and headers, their names in lower case."""

    status: int
    headers: Mapping[str, str]


def tcp(environment: Environment, port: int) -> socket.socket:
    """Open a connection.

    Raises:
        OSError: there is none.
    """
    return socket.create_connection((environment.ip, port), TIMEOUT)


def tls(environment: Environment, host: str, context: ssl.SSLContext) -> ssl.SSLSocket:
    """Make a TLS connection by name (SNI).

    Raises:
        OSError: there is no connection, no handshake, or no trust (`ssl.SSLCertVerificationError`).
    """
    plain = tcp(environment, 443)
    try:
        return context.wrap_socket(plain, server_hostname=probe_name(host))
    except BaseException:
        plain.close()
        raise


def ask(connection: socket.socket, host: str, path: str, headers: Mapping[str, str] | None = None) -> Answer:
    """Make a request and close the connection; the body is not read.

    Args:
        connection: to the gateway.
        host: as in the config.
        path: what is asked for.
        headers: sent with it.

    Raises:
        OSError: there is no answer.
        http.client.HTTPException: the answer is not HTTP.
    """
    with closing(http.client.HTTPConnection(probe_name(host))) as request:
        request.sock = connection
        request.request("GET", path, headers={**(headers or {}), "User-Agent": "verify", "Connection": "close"})
        answer = request.getresponse()
        return Answer(answer.status, {key.lower(): value for key, value in answer.getheaders()})


def any_certificate() -> ssl.SSLContext:
    """Return a client that takes whatever is presented, to say what it is."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def http2() -> ssl.SSLContext:
    """Return such a client that speaks HTTP/2 alone."""
    context = any_certificate()
    context.set_alpn_protocols([HTTP2])
    return context


def words(error: Exception) -> str:
    """Return an error as an engineer would say it."""
    if isinstance(error, TimeoutError):
        return f"no answer in {TIMEOUT:.0f} s"
    if isinstance(error, ConnectionResetError | ssl.SSLEOFError):
        return "the gateway closes the connection"
    said = error.reason if isinstance(error, ssl.SSLError) else error.strerror if isinstance(error, OSError) else None
    return said or str(error) or type(error).__name__
