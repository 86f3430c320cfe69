"""An ACME server that can be made to fail, to heed CAA and to keep limits: Pebble behind a listener of our own."""

import json
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sandbox import network
from sandbox.acme import STAGING, Directory
from sandbox.pki import Authority
from sandbox.testing import caa, client, jws
from sandbox.testing.rate_limits import RateLimits

PEBBLE = 14000
RATE_LIMITED = {
    "type": "urn:ietf:params:acme:error:rateLimited",
    "detail": "too many certificates already issued for this exact set of identifiers",
    "status": 429,
    "retry_after": 5,
}
"""What Let's Encrypt answers to a sixth order for the same names in a week, as an RFC 8555 problem document.

It asks to wait some seconds then, where the CA asks for hours.
"""
BAD_NONCE = {
    "type": "urn:ietf:params:acme:error:badNonce",
    "detail": "JWS has an invalid anti-replay nonce",
    "status": 400,
}
"""RFC 8555, section 6.5: the client tries again with the nonce that comes with it."""


class AcmeProxy:
    """Passes requests on with their own Host, from which Pebble makes its URLs: the whole protocol stays on the proxy.

    Its certificate is signed by a CA of its own, which is in no other bundle.
    """

    def __init__(self, folder: Path, pebble_ca: str, pebble: Directory = STAGING) -> None:
        authority = Authority.create(folder, "acme-proxy-ca")
        authority.issue("proxy", network.HOST, sans=[network.HOST])
        self.ca_bundle = (folder / "ca.crt").read_text()
        self._tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._tls.load_cert_chain(folder / "proxy.crt", folder / "proxy.key")
        self.pebble_tls = ssl.create_default_context(cadata=pebble_ca)
        self.refuses_orders = False
        self.heeds_caa = False
        self.rejects_nonce: Callable[[str], bool] = lambda _: False
        self.limits: RateLimits | None = None
        self.pebble = pebble
        self.challenges: dict[str, tuple[str, str]] = {}
        """Of every authorization that was read: by the path of its URL, the name that it proves and the method."""
        self._port = 0
        self.open()

    @property
    def url(self) -> str:
        """What an issuer's ``server`` holds."""
        return f"https://{network.HOST}:{self._port}/dir"

    def open(self) -> None:
        """Listen, after `close` on the same port again."""
        proxy = self

        class Handler(_Handler):
            acme = proxy

        self._server = _Server((network.HOST, self._port), Handler)
        self._port = self._server.server_port
        # The handshake is the handler's, so that a slow client holds up no other.
        self._server.socket = self._tls.wrap_socket(
            self._server.socket, server_side=True, do_handshake_on_connect=False
        )
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def close(self) -> None:
        """Refuse connections."""
        self._server.shutdown()
        self._server.server_close()

    @contextmanager
    def down(self) -> Iterator[None]:
        """Nothing listens for as long as the block runs."""
        self.close()
        try:
            yield
        finally:
            self.open()

    @contextmanager
    def limited(self) -> Iterator[None]:
        """Every order is refused for as long as the block runs."""
        self.refuses_orders = True
        try:
            yield
        finally:
            self.refuses_orders = False

    @contextmanager
    def storm(self, rejects: Callable[[str], bool]) -> Iterator[None]:
        """The nonces of signed requests are rejected where `rejects` says so of the path, while the block runs."""
        self.rejects_nonce = rejects
        try:
            yield
        finally:
            self.rejects_nonce = lambda _: False


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """Nothing: a client that refuses the certificate ends its connection, as the test wants."""


class _Handler(BaseHTTPRequestHandler):
    """One request; HTTP/1.0, so that each has a connection of its own and none outlives `AcmeProxy.close`."""

    acme: AcmeProxy

    def do_GET(self) -> None:
        """Directory."""
        self._pass_on()

    def do_HEAD(self) -> None:
        """Nonces."""
        self._pass_on()

    def do_POST(self) -> None:
        """Everything else, signed."""
        if self.acme.rejects_nonce(self.path):
            self._content()
            nonce = self._ask_pebble(client.Request("/nonce-plz", "HEAD")).headers["Replay-Nonce"]
            self._refuse(BAD_NONCE, ("Replay-Nonce", nonce))
            return
        if self.acme.refuses_orders and self.path.startswith("/order-plz"):
            self._content()
            self._refuse(RATE_LIMITED)
            return
        content = self._content()
        if self.acme.heeds_caa and (problem := self._forbidden(content)):
            self._refuse(problem)
            return
        limits = self.acme.limits
        problem = limits.refusal(self.path, content, self.client_address[0]) if limits else None
        if problem:
            self._refuse(problem)
            return
        self._pass_on(content, limits)

    def _forbidden(self, content: bytes) -> dict[str, Any] | None:
        """What CAA says of a new order, and of a method once its challenge is taken."""
        if self.path.startswith("/order-plz"):
            return caa.refusal(jws.account(content), jws.names(content))
        if (proves := self.acme.challenges.get(self.path)) and caa.is_taken(content):
            name, method = proves
            return caa.refusal(jws.account(content), [name], method)
        return None

    def log_message(self, *_: object) -> None:
        """Nothing: pytest would show it among a test's own words."""

    def _content(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _refuse(self, problem: dict[str, Any], *more: tuple[str, str]) -> None:
        headers = [("Content-Type", "application/problem+json"), *more]
        if wait := problem.get("retry_after"):
            headers.append(("Retry-After", str(wait)))
        document = {key: problem[key] for key in ("type", "detail", "status")}
        self._answer(problem["status"], headers, json.dumps(document).encode())

    def _pass_on(self, content: bytes | None = None, limits: RateLimits | None = None) -> None:
        content = self._content() if content is None else content
        request = client.Request(self.path, self.command, content, dict(self.headers))
        answer = self._ask_pebble(request)
        if limits:
            limits.saw(self.path, content, answer.status, answer.content)
        if self.path.startswith("/authZ/") and answer.status == HTTPStatus.OK:
            offered = caa.offered(answer.json())
            self.acme.challenges.update({urlsplit(url).path: proves for url, proves in offered.items()})
        self._answer(answer.status, answer.headers.items(), answer.content)

    def _ask_pebble(self, request: client.Request) -> client.Answer:
        return client.https(self.acme.pebble.address, self.acme.pebble_tls, request, port=PEBBLE)

    def _answer(self, status: int, headers: Iterable[tuple[str, str]], body: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() not in ("transfer-encoding", "connection", "content-length"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
