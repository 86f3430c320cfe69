"""A stand-in for the controller of ingress-nginx, whose image is in no registry of packages.

It reads Ingresses of the class nginx, and serves them at an address of its own: TLS with the certificate of the
Ingress's Secret, by SNI, and each request at the Service with the longest path. What an Ingress serves by TLS is
redirected on port 80, as ingress-nginx does by default. It looks at the cluster anew for each connection, so there is
no reload to wait for, and ends each after one answer. Annotations of ingress-nginx mean nothing to it.
"""

from __future__ import annotations

import base64
import json
import ssl
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from sandbox import network, paths
from sandbox.testing import client

ADDRESS = network.HOST
"""Where nothing else listens on ports 80 and 443."""
CLASS = "nginx"

Object = dict[str, Any]


class Cluster:
    """What the controller reads of the cluster."""

    def __init__(self) -> None:
        from components.kube.client import api_client

        self._api = api_client(str(paths.KUBECONFIG), None)

    def _get(self, path: str) -> Object:
        call = self._api.param_serialize("GET", path, auth_settings=["BearerToken"])
        found: Object = json.loads(self._api.call_api(*call, _request_timeout=client.TIMEOUT).read())
        return found

    def rules(self, host: str) -> Iterator[tuple[Object, Object]]:
        """Yield the paths of a host, the longest first, each with its Ingress."""
        ingresses = self._get("/apis/networking.k8s.io/v1/ingresses")["items"]
        found = [
            (each, path)
            for each in ingresses
            if CLASS in (each["spec"].get("ingressClassName"), _annotation(each, "kubernetes.io/ingress.class"))
            for rule in each["spec"].get("rules", ())
            if rule.get("host") == host
            for path in rule["http"]["paths"]
        ]
        yield from sorted(found, key=lambda each: -len(each[1]["path"]))

    def service(self, namespace: str, backend: Object) -> tuple[str, int]:
        """Return the address and port of a backend's Service."""
        spec = self._get(f"/api/v1/namespaces/{namespace}/services/{backend['name']}")["spec"]
        return str(spec["clusterIP"]), int(backend["port"]["number"])

    def chain(self, host: str) -> tuple[bytes, bytes] | None:
        """Return the certificate and the key of a host, in PEM, or None where no Ingress has them."""
        for ingress, _ in self.rules(host):
            for tls in ingress["spec"].get("tls", ()):
                if host in tls["hosts"]:
                    path = f"/api/v1/namespaces/{ingress['metadata']['namespace']}/secrets/{tls['secretName']}"
                    data = self._get(path).get("data", {})
                    if "tls.crt" in data:
                        return base64.b64decode(data["tls.crt"]), base64.b64decode(data["tls.key"])
        return None


def _annotation(obj: Object, name: str) -> str:
    return str(obj["metadata"].get("annotations", {}).get(name, ""))


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Nothing: a host without a certificate has no handshake."""


def _handler(cluster: Cluster, *, tls: bool) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            host = self.headers.get("Host", "").partition(":")[0]
            found = (each for each in cluster.rules(host) if self.path.startswith(each[1]["path"]))
            ingress, path = next(found, (None, None))
            if ingress is None or path is None:
                self.send_error(404)
            elif not tls and any(host in each["hosts"] for each in ingress["spec"].get("tls", ())):
                self.send_response(308)
                self.send_header("Location", f"https://{host}{self.path}")
                self.end_headers()
            else:
                address, port = cluster.service(ingress["metadata"]["namespace"], path["backend"]["service"])
                request = client.Request(self.path, headers={"Host": host})
                try:
                    answer = client.plain(address, request, port=port)
                except OSError:
                    self.send_error(502)
                    return
                self.send_response(answer.status)
                self.send_header("Content-Length", str(len(answer.content)))
                self.end_headers()
                self.wfile.write(answer.content)

        def log_message(self, *_: object) -> None:
            """Nothing: pytest would show it among a test's own words."""

    return Handler


def _tls(cluster: Cluster) -> ssl.SSLContext:
    """Return what shakes hands with the certificate that the Ingress's Secret has at that moment."""

    def present(connection: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> int | None:
        chain = cluster.chain(name or "")
        if chain is None:
            return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        with tempfile.TemporaryDirectory() as folder:
            certificate, key = Path(folder, "tls.crt"), Path(folder, "tls.key")
            certificate.write_bytes(chain[0])
            key.write_bytes(chain[1])
            context.load_cert_chain(certificate, key)
        connection.context = context
        return None

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.sni_callback = present
    return context


@contextmanager
def controller() -> Iterator[None]:
    """Serve Ingresses for as long as the block runs."""
    cluster = Cluster()
    plain = _Server((ADDRESS, 80), _handler(cluster, tls=False))
    secure = _Server((ADDRESS, 443), _handler(cluster, tls=True))
    # The handshake is the handler's, so that a slow client holds up no other.
    secure.socket = _tls(cluster).wrap_socket(secure.socket, server_side=True, do_handshake_on_connect=False)
    for each in (plain, secure):
        threading.Thread(target=each.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield
    finally:
        for each in (plain, secure):
            each.shutdown()
            each.server_close()
