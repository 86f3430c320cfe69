"""HTTP servers in the background of a test."""

import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Server(ThreadingHTTPServer):
    """A server that listens, with TLS or without, until it is closed."""

    daemon_threads = True

    def __init__(
        self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler], tls: ssl.SSLContext | None = None
    ) -> None:
        super().__init__(address, handler)
        if tls:
            # The handler does the handshake, so that a slow client delays no other.
            self.socket = tls.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def handle_error(self, request: object, client_address: object) -> None:
        """Print nothing: tests have clients that refuse a certificate and end their connection."""

    def close(self) -> None:
        """Refuse connections."""
        self.shutdown()
        self.server_close()


class Quiet:
    """Mixed into a handler, it logs nothing: pytest would show that with a test's own output."""

    def log_message(self, *_: object) -> None:
        """Print nothing."""


def server_tls(certificate: str, key: str) -> ssl.SSLContext:
    """Return a context that presents a certificate."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    return context
