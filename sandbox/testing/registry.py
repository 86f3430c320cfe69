"""An OCI registry with one chart, as much of it as Helm uses.

https://github.com/opencontainers/distribution-spec/blob/main/spec.md
"""

import hashlib
import json
from http.server import BaseHTTPRequestHandler
from pathlib import Path

from sandbox.pki import Authority
from sandbox.testing.server import Quiet, Server, server_tls

_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_CONFIG = "application/vnd.cncf.helm.config.v1+json"
_CHART = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"


class Registry:
    """A registry that serves over TLS, with a certificate of its own CA."""

    def __init__(self, folder: Path) -> None:
        Authority.create(folder, "registry-ca").issue("registry", "localhost", sans=["localhost"])
        self.ca = folder / "ca.crt"
        self._content: dict[str, bytes] = {}
        registry = self

        class Handler(_Handler):
            content = registry._content

        tls = server_tls(f"{folder}/registry.crt", f"{folder}/registry.key")
        self._server = Server(("localhost", 0), Handler, tls)

    @property
    def chart(self) -> str:
        """The chart's reference."""
        return f"oci://localhost:{self._server.server_port}/charts/cert-manager"

    def push(self, package: Path, version: str) -> str:
        """Store a packaged chart under a tag; return the digest of its manifest, which it is stored under as well."""
        config = {"name": "cert-manager", "version": version, "apiVersion": "v1"}
        layers = [self._keep(package.read_bytes(), _CHART)]
        parts = {"config": self._keep(json.dumps(config).encode(), _CONFIG), "layers": layers}
        manifest = json.dumps({"schemaVersion": 2, "mediaType": _MANIFEST, **parts}).encode()
        self._content[version] = manifest
        return str(self._keep(manifest, _MANIFEST)["digest"])

    def close(self) -> None:
        """Refuse connections."""
        self._server.close()

    def _keep(self, content: bytes, media_type: str) -> dict[str, str | int]:
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        self._content[digest] = content
        return {"mediaType": media_type, "digest": digest, "size": len(content)}


class _Handler(Quiet, BaseHTTPRequestHandler):
    """Paths are `/v2/REPOSITORY/manifests/TAG-OR-DIGEST` or `/v2/REPOSITORY/blobs/DIGEST`."""

    content: dict[str, bytes]

    def do_GET(self) -> None:
        """Answer with content, or 404."""
        *_, kind, reference = self.path.split("/")
        content = self.content.get(reference)
        self.send_response(200 if content else 404)
        self.send_header("Content-Type", _MANIFEST if kind == "manifests" else "application/octet-stream")
        self.send_header("Content-Length", str(len(content or b"")))
        if content:
            self.send_header("Docker-Content-Digest", f"sha256:{hashlib.sha256(content).hexdigest()}")
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content or b"")

    def do_HEAD(self) -> None:
        """Answer with the headers alone."""
        self.do_GET()
