"""`kubectl logs`: the one part of a kubelet's API that the sandbox serves, over HTTPS on the node's address."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from flask import Flask, Response, abort, request
from werkzeug.serving import make_server

FindLog = Callable[[str, str, str], Path | None]
"""(namespace, pod, container) -> the log file, or None if there is no such container."""

_POLL_SECONDS = 0.2


def serve(address: tuple[str, int], certificate: Path, find: FindLog) -> None:
    """Serve logs in threads that end with the process; the certificate `NAME.crt` lies beside its key `NAME.key`."""
    app = Flask(__name__)

    @app.get("/containerLogs/<namespace>/<pod>/<container>")
    def container_log(namespace: str, pod: str, container: str) -> Response:
        file = find(namespace, pod, container)
        if file is None or not file.exists():
            abort(404, "the container has no log yet")
        tail = request.args.get("tailLines", type=int)
        return Response(_read(file, tail, follow=request.args.get("follow") == "true"), mimetype="text/plain")

    tls = (str(certificate), str(certificate.with_suffix(".key")))
    server = make_server(*address, app, threaded=True, ssl_context=tls)
    threading.Thread(target=server.serve_forever, name="logs", daemon=True).start()


def _read(file: Path, tail: int | None, *, follow: bool) -> Iterator[bytes]:
    with file.open("rb") as log:
        lines = log.readlines()
        yield b"".join(lines if tail is None else lines[max(len(lines) - tail, 0) :])
        while follow:
            yield log.read()
            time.sleep(_POLL_SECONDS)
