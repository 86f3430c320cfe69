"""HTTP and HTTPS requests as users make them: names by DNS, chains verified against an ACME server's root."""

import http.client
import json
import socket
import ssl
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pycurl
from cryptography import x509

from sandbox import acme
from sandbox.testing import wait

TIMEOUT = 10.0
"""Seconds for each step of a request."""


@dataclass(frozen=True)
class Answer:
    """An answer, over HTTPS with the certificate that the server presented."""

    status: int
    headers: http.client.HTTPMessage
    """By name in any case; `get_all` returns every value of a name."""
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
    def app(self) -> str:
        """The name of the sandbox's demo application that answered."""
        return str(self.json()["app"])

    @property
    def serial(self) -> int:
        """The certificate's serial number."""
        assert self.certificate is not None, "only an answer over HTTPS has a certificate"
        return self.certificate.serial_number


@dataclass(frozen=True)
class Request:
    """A request.

    Attributes:
        path: The path with its query.
        method: The method of HTTP.
        content: The body.
        headers: Headers beside those that HTTP requires.
    """

    path: str = "/"
    method: str = "GET"
    content: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


def trusting(*directories: acme.Directory) -> ssl.SSLContext:
    """Return a context that trusts the roots of these ACME servers, and no others."""
    return ssl.create_default_context(cadata="\n".join(directory.root() for directory in directories))


def https(
    host: str,
    trust: ssl.SSLContext,
    request: Request | str = "/",
    *,
    address: str | None = None,
    port: int = http.client.HTTPS_PORT,
) -> Answer:
    """Send a request over HTTPS in a connection of its own.

    Args:
        host: The name for SNI, which the certificate has to be for.
        trust: The context with the trusted roots.
        request: The request, or the path of a page to get.
        address: The address to connect to; by default, the host is resolved.
        port: The port.

    Raises:
        OSError: The connection or the handshake failed, or trust (`ssl.SSLCertVerificationError`).
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
        OSError: The connection failed.
    """
    with closing(http.client.HTTPConnection(host, port, timeout=TIMEOUT)) as connection:
        return _ask(connection, request)


def _ask(
    connection: http.client.HTTPConnection, request: Request | str, certificate: x509.Certificate | None = None
) -> Answer:
    request = Request(request) if isinstance(request, str) else request
    connection.request(request.method, request.path, request.content, dict(request.headers))
    answer = connection.getresponse()
    return Answer(answer.status, answer.headers, answer.read(), certificate)


def served(host: str, trust: ssl.SSLContext) -> Answer | None:
    """Return the answer of a host, or None unless it is 200: a Certificate is Ready before Envoy has it."""
    try:
        answer = https(host, trust)
    except OSError:
        return None
    return answer if answer.status == http.client.OK else None


def another(host: str, trust: ssl.SSLContext, serial: int, timeout: float = wait.TIMEOUT) -> Answer:
    """Return the answer of a host once another certificate is served than the one of this serial number."""
    look = partial(served, host, trust)
    return wait.eventually("another certificate is served", look, timeout, until=lambda answer: answer.serial != serial)


@dataclass
class Traffic:
    """What a client saw that kept sending requests."""

    serials: list[int] = field(default_factory=list)
    """The serial numbers of the certificates, in the order in which they were first presented."""
    answered: int = 0
    """How many requests were answered in connections of their own."""
    kept: Counter[str] = field(default_factory=Counter)
    """How many were answered in connections that were kept, by protocol."""
    failures: list[str] = field(default_factory=list)


_PROTOCOLS = {
    pycurl.CURL_HTTP_VERSION_1_0: "HTTP/1.0",
    pycurl.CURL_HTTP_VERSION_1_1: "HTTP/1.1",
    pycurl.CURL_HTTP_VERSION_2_0: "HTTP/2",
}


class _Kept:
    """A connection that libcurl keeps, and replaces once the server has closed it."""

    def __init__(self, host: str, trust: ssl.SSLContext, version: int) -> None:
        roots = "".join(map(ssl.DER_cert_to_PEM_cert, trust.get_ca_certs(binary_form=True)))
        self._curl = pycurl.Curl()
        for option, value in {
            pycurl.URL: f"https://{host}/",
            pycurl.HTTP_VERSION: version,
            pycurl.CAINFO_BLOB: roots.encode(),
            pycurl.CONNECTTIMEOUT: int(TIMEOUT),
            pycurl.TIMEOUT: int(TIMEOUT),
            pycurl.DNS_CACHE_TIMEOUT: 0,  # libcurl keeps addresses for a minute, whatever their TTL
            pycurl.NOSIGNAL: 1,  # it runs outside of the main thread
            pycurl.WRITEFUNCTION: lambda content: len(content),
        }.items():
            self._curl.setopt(option, value)

    def get(self) -> int:
        """Get the page and return the status.

        Raises:
            OSError: The request failed.
        """
        try:
            self._curl.perform()
        except pycurl.error as error:
            raise OSError(*error.args) from None
        return int(self._curl.getinfo(pycurl.RESPONSE_CODE))

    @property
    def protocol(self) -> str:
        """The protocol of the last answer."""
        return _PROTOCOLS[self._curl.getinfo(pycurl.INFO_HTTP_VERSION)]

    def close(self) -> None:
        """Close the connection."""
        self._curl.close()


@contextmanager
def traffic(host: str, trust: ssl.SSLContext, *, kept: bool = False) -> Iterator[Traffic]:
    """Get a host's page over and over while the block runs, in a new connection each time.

    Args:
        host: The host.
        trust: The context with the trusted roots.
        kept: Whether to use two connections that are kept as well, one of HTTP/1.1 and one of HTTP/2.
    """
    seen, stopped = Traffic(), threading.Event()

    def repeat(ask: Callable[[], int], where: str = "") -> None:
        # A few requests per second, so that the client does not slow down what it observes.
        while not stopped.wait(0.1):
            try:
                status = ask()
            except (OSError, http.client.HTTPException) as error:
                seen.failures.append(f"{type(error).__name__}: {error}{where}")
                continue
            if status != http.client.OK:
                seen.failures.append(f"answered {status}{where}")

    def get_in_new_connection() -> int:
        answer = https(host, trust)
        seen.answered += 1
        if answer.serial not in seen.serials[-1:]:
            seen.serials.append(answer.serial)
        return answer.status

    def get_in_kept_connection(version: int) -> None:
        with closing(_Kept(host, trust, version)) as connection:

            def ask() -> int:
                status = connection.get()
                seen.kept[connection.protocol] += 1
                return status

            repeat(ask, " in a kept connection")

    clients = [threading.Thread(target=repeat, args=[get_in_new_connection])]
    if kept:
        versions = (pycurl.CURL_HTTP_VERSION_1_1, pycurl.CURL_HTTP_VERSION_2TLS)
        clients += [threading.Thread(target=get_in_kept_connection, args=[version]) for version in versions]
    for client in clients:
        client.start()
    try:
        yield seen
    finally:
        stopped.set()
        for client in clients:
            client.join()
