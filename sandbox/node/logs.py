"""`kubectl logs`: the one part of a kubelet's own API that the sandbox serves.

`GET /containerLogs/NAMESPACE/POD/CONTAINER` with `tailLines` and `follow`, over HTTPS on the node's address.
"""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

FindLog = Callable[[str, str, str], str | None]
"""(namespace, pod, container) -> the log file, or None if there is no such container."""

_POLL_SECONDS = 0.2


def serve(address: tuple[str, int], certificate: Path, key: Path, find: FindLog) -> None:
    """Serve logs in threads that end with the process.

    Args:
        address: host and port to listen on.
        certificate: PEM file of the serving certificate.
        key: PEM file of its key.
        find: finds a container's log.
    """

    class Handler(_LogHandler):
        find_log = staticmethod(find)

    server = ThreadingHTTPServer(address, Handler)
    server.daemon_threads = True
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, name="logs", daemon=True).start()


class _LogHandler(BaseHTTPRequestHandler):
    find_log: FindLog

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        parts = url.path.strip("/").split("/")
        query = {name: values[-1] for name, values in parse_qs(url.query).items()}
        if len(parts) != 4 or parts[0] != "containerLogs":
            self.send_error(404, "the sandbox's node serves logs only")
            return
        file = self.find_log(parts[1], parts[2], parts[3])
        if file is None or not Path(file).exists():
            self.send_error(404, "the container has no log yet")
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.end_headers()
        try:
            self._copy(Path(file), int(query.get("tailLines", -1)), follow=query.get("follow") == "true")
        except (BrokenPipeError, ConnectionResetError, ssl.SSLError):
            return  # the reader has left

    def _copy(self, file: Path, tail: int, *, follow: bool) -> None:
        with file.open("rb") as log:
            text = log.read()
            lines = text.splitlines(keepends=True)
            self.wfile.write(text if tail < 0 else b"".join(lines[len(lines) - min(tail, len(lines)) :]))
            while follow:
                if chunk := log.read():
                    self.wfile.write(chunk)
                self.wfile.flush()
                time.sleep(_POLL_SECONDS)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        """Log nothing: requests are not worth a line each."""
