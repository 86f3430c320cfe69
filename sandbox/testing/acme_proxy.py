"""An ACME server that can fail, heed CAA and keep rate limits on demand: a proxy before Pebble."""

import json
import ssl
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sandbox import network
from sandbox.acme import STAGING
from sandbox.pki import Authority
from sandbox.testing import caa, client, jws
from sandbox.testing.pebble import PORT
from sandbox.testing.rate_limits import RateLimits
from sandbox.testing.server import Quiet, Server, server_tls

RATE_LIMITED = {
    "type": "urn:ietf:params:acme:error:rateLimited",
    "detail": "too many certificates already issued for this exact set of identifiers",
    "status": 429,
    "retry_after": 5,
}
"""Let's Encrypt's answer to a sixth order for the same names in a week, but for the wait: the CA asks for hours."""
BAD_NONCE = {
    "type": "urn:ietf:params:acme:error:badNonce",
    "detail": "JWS has an invalid anti-replay nonce",
    "status": 400,
}
"""RFC 8555, section 6.5: the client tries again with the nonce that comes with it."""


class AcmeProxy:
    """A proxy that keeps the Host of requests: Pebble makes its URLs from it, so clients stay at the proxy.

    Its certificate is signed by a CA of its own, which is in no other bundle.

    Attributes:
        ca_bundle: The PEM that its certificate chains to.
        heeds_caa: Whether orders and challenges are refused that CAA records forbid.
        limits: The rate limits that it keeps, if any.
        challenges: The name and the method of each challenge that was read, by the path of its URL.
        orders: The names of each order and whether it is a renewal that ARI asked for, by the path that finalizes it.
    """

    def __init__(self, folder: Path, pebble_ca: str) -> None:
        authority = Authority.create(folder, "acme-proxy-ca")
        authority.issue("proxy", network.HOST, sans=[network.HOST])
        self.ca_bundle = (folder / "ca.crt").read_text()
        self._tls = server_tls(f"{folder}/proxy.crt", f"{folder}/proxy.key")
        self.pebble_tls = ssl.create_default_context(cadata=pebble_ca)
        self.refuses_orders = False
        self.heeds_caa = False
        self.rejects_nonce: Callable[[str], bool] = lambda _: False
        self.limits: RateLimits | None = None
        self.challenges: dict[str, tuple[str, str]] = {}
        self.orders: dict[str, tuple[list[str], bool]] = {}
        self._port = 0
        self.open()

    @property
    def url(self) -> str:
        """What an issuer's ``server`` holds."""
        return f"https://{network.HOST}:{self._port}/dir"

    def open(self) -> None:
        """Listen, after `close` at the same port."""
        proxy = self

        class Handler(_Handler):
            acme = proxy

        self._server = Server((network.HOST, self._port), Handler, self._tls)
        self._port = self._server.server_port

    def close(self) -> None:
        """Refuse connections."""
        self._server.close()

    @contextmanager
    def down(self) -> Iterator[None]:
        """Refuse connections while the block runs."""
        self.close()
        try:
            yield
        finally:
            self.open()

    @contextmanager
    def limited(self) -> Iterator[None]:
        """Refuse every order while the block runs."""
        self.refuses_orders = True
        try:
            yield
        finally:
            self.refuses_orders = False

    @contextmanager
    def storm(self, rejects: Callable[[str], bool]) -> Iterator[None]:
        """Reject the nonces of signed requests to the paths that `rejects` accepts, while the block runs."""
        self.rejects_nonce = rejects
        try:
            yield
        finally:
            self.rejects_nonce = lambda _: False


class _Handler(Quiet, BaseHTTPRequestHandler):
    """HTTP/1.0: each request has its own connection, so none outlives `AcmeProxy.close`."""

    acme: AcmeProxy

    def do_GET(self) -> None:
        """Pass on a request for the directory."""
        self._pass_on()

    def do_HEAD(self) -> None:
        """Pass on a request for a nonce."""
        self._pass_on()

    def do_POST(self) -> None:
        """Refuse a signed request or pass it on."""
        content = self._content()
        if self.acme.rejects_nonce(self.path):
            nonce = self._ask_pebble(client.Request("/nonce-plz", "HEAD")).headers["Replay-Nonce"]
            self._refuse(BAD_NONCE, ("Replay-Nonce", nonce))
        elif problem := self._problem(content):
            self._refuse(problem)
        else:
            self._pass_on(content)

    def _problem(self, content: bytes) -> dict[str, Any] | None:
        """Return the problem document of a request that is refused."""
        if self.path.startswith("/order-plz"):
            return self._order_problem(content)
        challenge = self.acme.challenges.get(self.path)
        if self.acme.heeds_caa and challenge and caa.is_taken(content):
            name, method = challenge
            return caa.refusal(jws.account(content), [name], method)
        return None

    def _order_problem(self, content: bytes) -> dict[str, Any] | None:
        if self.acme.refuses_orders:
            return RATE_LIMITED
        if not (self.acme.heeds_caa or self.acme.limits):
            return None  # A client whose account is lost names none, and Pebble says so.
        account, names = jws.account(content), jws.names(content)
        if self.acme.heeds_caa and (problem := caa.refusal(account, names)):
            return problem
        return self.acme.limits.order(account, names, replaces=jws.replaces(content)) if self.acme.limits else None

    def _content(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _refuse(self, problem: dict[str, Any], *more: tuple[str, str]) -> None:
        headers = [("Content-Type", "application/problem+json"), *more]
        if wait := problem.get("retry_after"):
            headers.append(("Retry-After", str(wait)))
        document = {key: problem[key] for key in ("type", "detail", "status")}
        self._answer(problem["status"], headers, json.dumps(document).encode())

    def _pass_on(self, content: bytes | None = None) -> None:
        content = self._content() if content is None else content
        answer = self._ask_pebble(client.Request(self.path, self.command, content, dict(self.headers)))
        if answer.status < HTTPStatus.BAD_REQUEST:
            self._note(content, answer)
        self._answer(answer.status, answer.headers.items(), answer.content)

    def _note(self, content: bytes, answer: client.Answer) -> None:
        """Remember what later requests refer to."""
        acme = self.acme
        if self.path.startswith("/order-plz"):
            finalize = urlsplit(answer.json()["finalize"]).path
            acme.orders[finalize] = jws.names(content), jws.replaces(content)
        elif self.path.startswith("/authZ/"):
            acme.challenges.update({urlsplit(url).path: proves for url, proves in caa.offered(answer.json()).items()})
        elif (order := acme.orders.pop(self.path, None)) and acme.limits:
            names, replaces = order
            acme.limits.issue(names, replaces=replaces)

    def _ask_pebble(self, request: client.Request) -> client.Answer:
        return client.https(STAGING.address, self.acme.pebble_tls, request, port=PORT)

    def _answer(self, status: int, headers: Iterable[tuple[str, str]], body: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() not in ("transfer-encoding", "connection", "content-length"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
