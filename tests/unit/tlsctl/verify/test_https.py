"""What one connection to a host shows: its certificate, and the answer of its application."""

import datetime
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.unit.tlsctl.verify.support import SHOP, certificate, deployed
from tlsctl.verify import client
from tlsctl.verify.client import choose_trust
from tlsctl.verify.https import Seen, look
from tlsctl.verify.offers import intermediate

ANSWER = b"HTTP/1.1 200 OK\r\nx-envoy-upstream-service-time: 1\r\ncontent-length: 5\r\n\r\nhello"


class Gateway:
    """A TLS server with a certificate of its own, which answers every request the same."""

    def __init__(self, folder: Path) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        leaf = certificate(key=key, begin=datetime.datetime.now(datetime.UTC))
        pem = serialization.Encoding.PEM
        self.root = folder / "root.pem"
        self.root.write_bytes(leaf.public_bytes(pem))
        private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        (folder / "key.pem").write_bytes(private)
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(self.root, folder / "key.pem")
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                plain, _ = self._listener.accept()
            except OSError:
                return
            plain.settimeout(5)
            try:
                with closing(self._context.wrap_socket(plain, server_side=True)) as connection:
                    if connection.recv(4096):
                        connection.sendall(ANSWER)
            except OSError:
                plain.close()

    def close(self) -> None:
        """End it."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(10)


@pytest.fixture
def gateway(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Gateway]:
    with closing(Gateway(tmp_path)) as server:
        monkeypatch.setattr(client, "tcp", lambda *_: socket.create_connection(("127.0.0.1", server.port), timeout=5))
        yield server


def seen(root: Path | None) -> Seen:
    stack = deployed()
    return look(stack, SHOP, choose_trust(stack, root), intermediate(), True)


def failed(of: Seen) -> list[str]:
    return [result.check for result in of.results if result.state == "failed"]


def test_a_certificate_that_is_not_trusted_is_examined_all_the_same(gateway: Gateway) -> None:
    trusted, untrusted = seen(gateway.root), seen(None)
    assert (failed(trusted), failed(untrusted)) == ([], ["chain"])
    assert {result.check for result in untrusted.results} == {result.check for result in trusted.results}
    assert untrusted.fingerprint == trusted.fingerprint, "it is the same certificate"


def test_a_route_that_does_not_answer_comes_with_a_fix(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(connection: ssl.SSLSocket, *_: object) -> None:
        connection.close()
        raise TimeoutError

    monkeypatch.setattr("tlsctl.verify.https.ask", silent)
    route = next(result for result in seen(gateway.root).results if result.check == "route")
    assert (route.state, route.detail) == ("failed", "/: no answer in 3 s")
    assert route.fix[0] == "kubectl --namespace shop get services,endpointslices,pods"
