"""A client as users are: names by DNS, TLS by name, the chain verified against an ACME server's root."""

import http.client
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any

from cryptography import x509

from sandbox import acme

TIMEOUT = 10.0


@dataclass(frozen=True)
class Answer:
    """What came back, and over HTTPS with which certificate."""

    status: int
    headers: dict[str, str]
    """Names in lower case."""
    body: str
    certificate: x509.Certificate | None = None

    @property
    def serial(self) -> int:
        """The certificate's."""
        assert self.certificate is not None, "only an answer over HTTPS comes with a certificate"
        return self.certificate.serial_number


def trusting(*directories: acme.Directory) -> ssl.SSLContext:
    """A client that trusts the roots of these ACME servers, and no others."""
    return ssl.create_default_context(cadata="\n".join(each.root() for each in directories))


def https(host: str, trust: ssl.SSLContext, path: str = "/", *, address: str | None = None) -> Answer:
    """Request a page over HTTPS, in a connection of its own.

    Args:
        host: the name that is asked for and verified.
        trust: whom to trust.
        path: of the page.
        address: where to connect to, if not where DNS leads.

    Raises:
        OSError: there is no connection, no handshake, or no trust (`ssl.SSLCertVerificationError`).
    """
    connection = http.client.HTTPSConnection(host, timeout=TIMEOUT, context=trust)
    with closing(connection):
        if address is None:
            connection.connect()
        else:
            connection.sock = trust.wrap_socket(socket.create_connection((address, 443), TIMEOUT), server_hostname=host)
        leaf: Any = connection.sock.getpeercert(binary_form=True)
        return _ask(connection, "GET", path, x509.load_der_x509_certificate(leaf))


def plain(host: str, path: str = "/", method: str = "GET") -> Answer:
    """Request a page over plain HTTP; redirects are not followed.

    Raises:
        OSError: there is no connection.
    """
    with closing(http.client.HTTPConnection(host, timeout=TIMEOUT)) as connection:
        return _ask(connection, method, path)


def _ask(
    connection: http.client.HTTPConnection, method: str, path: str, certificate: x509.Certificate | None = None
) -> Answer:
    connection.request(method, path)
    answer = connection.getresponse()
    headers = {name.lower(): value for name, value in answer.getheaders()}
    return Answer(answer.status, headers, answer.read().decode(), certificate)


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


@contextmanager
def traffic(host: str, trust: ssl.SSLContext) -> Iterator[Traffic]:
    """Ask for a host's page over and over while the block runs, each time in a new connection."""
    seen, enough = Traffic(), threading.Event()

    def ask() -> None:
        # A few requests each second, so that the client does not take the time of what it looks at.
        while not enough.wait(0.1):
            try:
                answer = https(host, trust)
            except (OSError, http.client.HTTPException) as error:
                seen.failures.append(f"{type(error).__name__}: {error}")
                continue
            if answer.status != http.client.OK:
                seen.failures.append(f"answered {answer.status}")
            seen.answered += 1
            if answer.serial not in seen.serials[-1:]:
                seen.serials.append(answer.serial)

    client = threading.Thread(target=ask)
    client.start()
    try:
        yield seen
    finally:
        enough.set()
        client.join()
