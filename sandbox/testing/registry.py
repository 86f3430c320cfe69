"""A registry with charts of one name in it, as far as Helm asks one.

https://github.com/opencontainers/distribution-spec/blob/main/spec.md
"""

import hashlib
import json
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from sandbox.pki import Authority

_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_CONFIG = "application/vnd.cncf.helm.config.v1+json"
_CHART = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"


class Registry:
    """Serves over TLS, with a certificate of a CA of its own."""

    def __init__(self, folder: Path) -> None:
        Authority.create(folder, "registry-ca").issue("registry", "localhost", sans=["localhost"])
        self.ca = folder / "ca.crt"
        self._content: dict[str, bytes] = {}
        registry = self

        class Handler(_Handler):
            content = registry._content

        self._server = ThreadingHTTPServer(("localhost", 0), Handler)
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(folder / "registry.crt", folder / "registry.key")
        self._server.socket = tls.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    @property
    def chart(self) -> str:
        """The chart's reference."""
        return f"oci://localhost:{self._server.server_port}/charts/cert-manager"

    def push(self, package: Path, version: str) -> str:
        """Have a tag lead to a packaged chart; return the digest of its manifest, by which it is there as well."""
        config = {"name": "cert-manager", "version": version, "apiVersion": "v1"}
        layers = [self._keep(package.read_bytes(), _CHART)]
        described = {"config": self._keep(json.dumps(config).encode(), _CONFIG), "layers": layers}
        manifest = json.dumps({"schemaVersion": 2, "mediaType": _MANIFEST, **described}).encode()
        self._content[version] = manifest
        return str(self._keep(manifest, _MANIFEST)["digest"])

    def close(self) -> None:
        """Refuse connections."""
        self._server.shutdown()
        self._server.server_close()

    def _keep(self, content: bytes, media_type: str) -> dict[str, str | int]:
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        self._content[digest] = content
        return {"mediaType": media_type, "digest": digest, "size": len(content)}


class _Handler(BaseHTTPRequestHandler):
    """One request: `/v2/REPOSITORY/manifests/TAG-OR-DIGEST` or `/v2/REPOSITORY/blobs/DIGEST`."""

    content: dict[str, bytes]

    def do_GET(self) -> None:
        """Content, or that there is none."""
        *_, kind, reference = self.path.split("/")
        found = self.content.get(reference)
        self.send_response(200 if found else 404)
        self.send_header("Content-Type", _MANIFEST if kind == "manifests" else "application/octet-stream")
        self.send_header("Content-Length", str(len(found or b"")))
        if found:
            self.send_header("Docker-Content-Digest", f"sha256:{hashlib.sha256(found).hexdigest()}")
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(found or b"")

    def do_HEAD(self) -> None:
        """Whether there is content, and how much."""
        self.do_GET()

    def log_message(self, *_: object) -> None:
        """Nothing: pytest would show it among a test's own words."""
