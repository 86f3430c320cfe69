"""A client as users are: names by DNS, TLS by name, the chain verified against an ACME server's root."""

import http.client
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any

from cryptography import x509

from sandbox import acme

TIMEOUT = 10.0
"""Seconds for each step of a request."""


@dataclass(frozen=True)
class Answer:
    """What came back, and over HTTPS with which certificate."""

    status: int
    headers: http.client.HTTPMessage
    """By name without regard to case; `get_all` for those that come more than once."""
    content: bytes
    certificate: x509.Certificate | None = None

    @property
    def body(self) -> str:
        """The content as text."""
        return self.content.decode()

    def json(self) -> Any:
        """Return the content, decoded."""
        return json.loads(self.content)

    @property
    def serial(self) -> int:
        """The certificate's."""
        assert self.certificate is not None, "only an answer over HTTPS comes with a certificate"
        return self.certificate.serial_number


@dataclass(frozen=True)
class Request:
    """What is asked for.

    Attributes:
        path: Of the page, with its query.
        method: Of HTTP.
        content: Sent with it.
        headers: Sent with it, beside those that HTTP asks for.
    """

    path: str = "/"
    method: str = "GET"
    content: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


def trusting(*directories: acme.Directory) -> ssl.SSLContext:
    """Return a trust store with the roots of these ACME servers, and no others."""
    return ssl.create_default_context(cadata="\n".join(each.root() for each in directories))


def https(
    host: str,
    trust: ssl.SSLContext,
    request: Request | str = "/",
    *,
    address: str | None = None,
    port: int = http.client.HTTPS_PORT,
) -> Answer:
    """Send a request over HTTPS, in a connection of its own.

    Args:
        host: The name that is asked for and verified.
        trust: Whose certificates are trusted.
        request: The request, or the path of a page to get.
        address: Where to connect to, if not where DNS leads.
        port: The port there.

    Raises:
        OSError: There is no connection, no handshake, or no trust (`ssl.SSLCertVerificationError`).
    """
    connection = http.client.HTTPSConnection(host, port, timeout=TIMEOUT, context=trust)
    with closing(connection):
        plain_socket = socket.create_connection((address or host, port), TIMEOUT)
        connection.sock = trust.wrap_socket(plain_socket, server_hostname=host)
        leaf: Any = connection.sock.getpeercert(binary_form=True)
        return _ask(connection, request, x509.load_der_x509_certificate(leaf))


def plain(host: str, request: Request | str = "/", *, port: int = http.client.HTTP_PORT) -> Answer:
    """Send a request over plain HTTP; redirects are not followed.

    Raises:
        OSError: There is no connection.
    """
    with closing(http.client.HTTPConnection(host, port, timeout=TIMEOUT)) as connection:
        return _ask(connection, request)


def _ask(
    connection: http.client.HTTPConnection, request: Request | str, certificate: x509.Certificate | None = None
) -> Answer:
    asked = Request(request) if isinstance(request, str) else request
    connection.request(asked.method, asked.path, asked.content, dict(asked.headers))
    answer = connection.getresponse()
    return Answer(answer.status, answer.headers, answer.read(), certificate)


def served(host: str, trust: ssl.SSLContext) -> Answer | None:
    """The answer of a host that serves, else None: for a wait, since a Certificate is Ready before Envoy has it."""
    try:
        answer = https(host, trust)
    except OSError:
        return None
    return answer if answer.status == http.client.OK else None


@dataclass
class Traffic:
    """What a client saw that went on asking."""

    serials: list[int] = field(default_factory=list)
    """Of the certificates, each time another one was presented."""
    answered: int = 0
    failures: list[str] = field(default_factory=list)


class _Kept:
    """A connection that is kept, and made anew where the other side has ended it, as a user's client does."""

    def __init__(self, host: str, trust: ssl.SSLContext) -> None:
        self._connection = http.client.HTTPSConnection(host, timeout=TIMEOUT, context=trust)

    def get(self) -> Answer:
        """Ask for the page."""
        reused = self._connection.sock is not None
        try:
            return _ask(self._connection, "/")
        except ConnectionError:
            self._connection.close()
            if not reused:
                raise
        return _ask(self._connection, "/")

    def close(self) -> None:
        """End it."""
        self._connection.close()


@contextmanager
def traffic(host: str, trust: ssl.SSLContext, *, kept: bool = False) -> Iterator[Traffic]:
    """Ask for a host's page over and over while the block runs, each time in a new connection.

    Args:
        host: The host.
        trust: Whose certificates are trusted.
        kept: Whether to ask in a connection that is kept as well.
    """
    seen, enough = Traffic(), threading.Event()

    def go_on(ask: Callable[[], Answer], where: str = "") -> None:
        # A few requests each second, so that the client does not take the time of what it looks at.
        while not enough.wait(0.1):
            try:
                answer = ask()
            except (OSError, http.client.HTTPException) as error:
                seen.failures.append(f"{type(error).__name__}: {error}{where}")
                continue
            if answer.status != http.client.OK:
                seen.failures.append(f"answered {answer.status}{where}")
            if answer.certificate is None:
                continue  # It came with the connection, long ago.
            seen.answered += 1
            if answer.serial not in seen.serials[-1:]:
                seen.serials.append(answer.serial)

    def ask_again() -> None:
        with closing(_Kept(host, trust)) as connection:
            go_on(connection.get, " in a kept connection")

    def ask_anew() -> None:
        go_on(lambda: https(host, trust))

    clients = [threading.Thread(target=each) for each in ([ask_anew, ask_again] if kept else [ask_anew])]
    for each in clients:
        each.start()
    try:
        yield seen
    finally:
        enough.set()
        for each in clients:
            each.join()
