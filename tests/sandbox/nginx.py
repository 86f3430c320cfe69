"""A stand-in for the controller of ingress-nginx, whose image is in no registry of packages.

It reads Ingresses of the class nginx, and serves them at an address of its own: TLS with the certificate of the
Ingress's Secret, by SNI, and each request at the Service with the longest path. What an Ingress serves by TLS is
redirected on port 80, as ingress-nginx does by default. It reads the cluster for each connection, so there is no reload
to wait for, and closes a connection after one answer. Annotations of ingress-nginx mean nothing to it.
"""

from __future__ import annotations

import base64
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

from components.kube.client import Client, Object
from sandbox import network, paths
from sandbox.testing import client, server

ADDRESS = network.HOST
"""Where nothing else listens on ports 80 and 443."""
CLASS = "nginx"


class Cluster:
    """What the controller reads of the cluster."""

    def __init__(self) -> None:
        self._client = Client(str(paths.KUBECONFIG))

    def rules(self, host: str) -> Iterator[tuple[Object, Object]]:
        """Yield the paths of a host, the longest first, each with its Ingress."""
        ingresses = self._client.items("networking.k8s.io/v1", "ingresses")
        paths = [
            (ingress, path)
            for ingress in ingresses
            if CLASS in (ingress["spec"].get("ingressClassName"), _annotation(ingress, "kubernetes.io/ingress.class"))
            for rule in ingress["spec"].get("rules", ())
            if rule.get("host") == host
            for path in rule["http"]["paths"]
        ]
        yield from sorted(paths, key=lambda pair: -len(pair[1]["path"]))

    def service(self, namespace: str, backend: Object) -> tuple[str, int]:
        """Return the address and port of a backend's Service."""
        spec = (self._client.get("v1", "services", backend["name"], namespace) or {})["spec"]
        return str(spec["clusterIP"]), int(backend["port"]["number"])

    def chain(self, host: str) -> tuple[bytes, bytes] | None:
        """Return the certificate and the key of a host, in PEM, or None where no Ingress has them."""
        for ingress, _ in self.rules(host):
            for tls in ingress["spec"].get("tls", ()):
                if host in tls["hosts"]:
                    namespace = ingress["metadata"]["namespace"]
                    data = (self._client.get("v1", "secrets", tls["secretName"], namespace) or {}).get("data", {})
                    if "tls.crt" in data:
                        return base64.b64decode(data["tls.crt"]), base64.b64decode(data["tls.key"])
        return None


def _annotation(obj: Object, name: str) -> str:
    return str(obj["metadata"].get("annotations", {}).get(name, ""))


def _handler(cluster: Cluster, *, tls: bool) -> type[BaseHTTPRequestHandler]:
    class Handler(server.Quiet, BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            host = self.headers.get("Host", "").partition(":")[0]
            matching = (rule for rule in cluster.rules(host) if self.path.startswith(rule[1]["path"]))
            ingress, path = next(matching, (None, None))
            if ingress is None or path is None:
                self.send_error(404)
            elif not tls and any(host in entry["hosts"] for entry in ingress["spec"].get("tls", ())):
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

    return Handler


def _tls(cluster: Cluster) -> ssl.SSLContext:
    """Return what shakes hands with the certificate that the Ingress's Secret has at that moment."""

    def present(connection: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> int | None:
        chain = cluster.chain(name or "")
        if chain is None:
            return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
        with tempfile.TemporaryDirectory() as folder:
            certificate, key = Path(folder, "tls.crt"), Path(folder, "tls.key")
            certificate.write_bytes(chain[0])
            key.write_bytes(chain[1])
            connection.context = server.server_tls(str(certificate), str(key))
        return None

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.sni_callback = present
    return context


@contextmanager
def controller() -> Iterator[None]:
    """Serve Ingresses for as long as the block runs."""
    cluster = Cluster()
    plain = server.Server((ADDRESS, 80), _handler(cluster, tls=False))
    secure = server.Server((ADDRESS, 443), _handler(cluster, tls=True), _tls(cluster))
    try:
        yield
    finally:
        plain.close()
        secure.close()
