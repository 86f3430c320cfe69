"""A client as users are: names by DNS, TLS by name, the chain verified against an ACME server's root."""

import http.client
import json
import socket
import ssl
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any

import pycurl
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
    """In connections of their own."""
    kept: Counter[str] = field(default_factory=Counter)
    """Answers in connections that were kept, by protocol."""
    failures: list[str] = field(default_factory=list)


_PROTOCOLS = {
    pycurl.CURL_HTTP_VERSION_1_0: "HTTP/1.0",
    pycurl.CURL_HTTP_VERSION_1_1: "HTTP/1.1",
    pycurl.CURL_HTTP_VERSION_2_0: "HTTP/2",
}


class _Kept:
    """Connections that are kept, as libcurl keeps them: it makes a new one where the other side has ended the last."""

    def __init__(self, host: str, trust: ssl.SSLContext, version: int) -> None:
        roots = "".join(map(ssl.DER_cert_to_PEM_cert, trust.get_ca_certs(binary_form=True)))
        self._curl = pycurl.Curl()
        for option, value in {
            pycurl.URL: f"https://{host}/",
            pycurl.HTTP_VERSION: version,
            pycurl.CAINFO_BLOB: roots.encode(),
            pycurl.CONNECTTIMEOUT: int(TIMEOUT),
            pycurl.TIMEOUT: int(TIMEOUT),
            pycurl.DNS_CACHE_TIMEOUT: 0,  # of its own accord it goes by no TTL, but by a minute
            pycurl.NOSIGNAL: 1,  # it is not of the main thread
            pycurl.WRITEFUNCTION: lambda content: len(content),
        }.items():
            self._curl.setopt(option, value)

    def get(self) -> int:
        """Ask for the page; return the status.

        Raises:
            OSError: There is no answer.
        """
        try:
            self._curl.perform()
        except pycurl.error as error:
            raise OSError(*error.args) from None
        return int(self._curl.getinfo(pycurl.RESPONSE_CODE))

    @property
    def protocol(self) -> str:
        """What was spoken."""
        return _PROTOCOLS[self._curl.getinfo(pycurl.INFO_HTTP_VERSION)]

    def close(self) -> None:
        """End them."""
        self._curl.close()


@contextmanager
def traffic(host: str, trust: ssl.SSLContext, *, kept: bool = False) -> Iterator[Traffic]:
    """Ask for a host's page over and over while the block runs, each time in a new connection.

    Args:
        host: The host.
        trust: Whose certificates are trusted.
        kept: Whether to ask in connections that are kept as well, one of HTTP/1.1 and one of HTTP/2.
    """
    seen, enough = Traffic(), threading.Event()

    def go_on(ask: Callable[[], int], where: str = "") -> None:
        # A few requests each second, so that the client does not take the time of what it looks at.
        while not enough.wait(0.1):
            try:
                status = ask()
            except (OSError, http.client.HTTPException) as error:
                seen.failures.append(f"{type(error).__name__}: {error}{where}")
                continue
            if status != http.client.OK:
                seen.failures.append(f"answered {status}{where}")

    def ask_anew() -> int:
        answer = https(host, trust)
        seen.answered += 1
        if answer.serial not in seen.serials[-1:]:
            seen.serials.append(answer.serial)
        return answer.status

    def ask_again(version: int) -> None:
        with closing(_Kept(host, trust, version)) as connection:

            def ask() -> int:
                status = connection.get()
                seen.kept[connection.protocol] += 1
                return status

            go_on(ask, " in a kept connection")

    clients = [threading.Thread(target=go_on, args=[ask_anew])]
    if kept:
        versions = (pycurl.CURL_HTTP_VERSION_1_1, pycurl.CURL_HTTP_VERSION_2TLS)
        clients += [threading.Thread(target=ask_again, args=[version]) for version in versions]
    for each in clients:
        each.start()
    try:
        yield seen
    finally:
        enough.set()
        for each in clients:
            each.join()
