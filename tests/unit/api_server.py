"""An API server that answers what a test tells it to."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from components.kube.client import Client
from components.kube.kubeconfig import gke_kubeconfig

VERSION = "7"
"""Of the cluster, when it is listed."""


class Api:
    """A list answers `now`, a watch from there tells `later`; what is in `objects` is answered by its path,
    and everything else with `refused`, or 404. `asked` has the paths of all requests."""

    def __init__(self) -> None:
        self.now: dict[str, Any] | None = None
        self.status = 200
        self.refused = 0
        self.later: list[tuple[str, dict[str, Any]]] = []
        self.objects: dict[str, Any] = {}
        self.asked: list[str] = []
        api = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, body = api.answer(self.path)
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def answer(self, path: str) -> tuple[int, bytes]:
        self.asked.append(path)
        route, _, query = path.partition("?")
        if route in self.objects:
            content = self.objects[route]
            return 200, content if isinstance(content, bytes) else json.dumps(content).encode()
        if "watch=true" in query:
            if f"resourceVersion={VERSION}" not in query:
                return 504, b"Too large resource version"
            events = [{"type": kind, "object": item} for kind, item in self.later]
            return 200, b"".join(json.dumps(event).encode() + b"\n" for event in events)
        if not route.endswith("/services"):
            return self.refused or 404, b"{}"
        services = {"metadata": {"resourceVersion": VERSION}, "items": [self.now] if self.now else []}
        return self.status, json.dumps(services).encode()

    @property
    def kubeconfig(self) -> str:
        spec = gke_kubeconfig("test", "unused", "")
        spec["clusters"][0]["cluster"] = {"server": f"http://127.0.0.1:{self.server.server_address[1]}"}
        spec["users"][0]["user"] = {}
        return json.dumps(spec)

    def client(self) -> Client:
        return Client(self.kubeconfig)

    def close(self) -> None:
        """Answer no more."""
        self.server.shutdown()
        self.server.server_close()
