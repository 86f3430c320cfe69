"""A server of release archives and container images on this machine, in place of upstream's."""

import hashlib
import io
import json
import shutil
import ssl
import tarfile
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler
from pathlib import Path

from sandbox.registry import ARCHITECTURES
from sandbox.releases import Release
from sandbox.testing.server import Quiet, Server

Answer = Callable[[BaseHTTPRequestHandler], None]
MIRRORED = ("quay.test", "files.test")
"""The hosts of its images and of its files."""


def sha256(content: bytes | Path) -> str:
    """Return the digest of some bytes or of a file, as registries write it."""
    with _opened(content) as source:
        return f"sha256:{hashlib.file_digest(source, 'sha256').hexdigest()}"


def tar(files: Mapping[str, bytes]) -> bytes:
    """Return a packed archive."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as members:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            members.addfile(member, io.BytesIO(content))
    return archive.getvalue()


class Upstream:
    """A server of files and images, by paths, that can be made to answer otherwise."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.content: dict[str, bytes | Path] = {}
        self.answers: dict[str, Answer] = {}
        """What happens in place of an answer, by the beginning of the path."""
        self.seen: list[tuple[str, str | None]] = []
        """The path and the Authorization header of every request."""
        upstream = self

        class Handler(Quiet, BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                upstream.seen.append((self.path, self.headers["Authorization"]))
                for path, answer in upstream.answers.items():
                    if self.path.startswith(path):
                        return answer(self)
                content = upstream.content.get(self.path)
                return send(self, content) if content is not None else self.send_error(404)

        self.server = Server(("localhost", 0), Handler, tls)
        self.url = f"{'https' if tls else 'http'}://localhost:{self.server.server_port}"

    @property
    def mirrors(self) -> str:
        """The value of SANDBOX_MIRRORS with which its releases are asked for here."""
        images, files = MIRRORED
        return f"{images}={self.url}, {files}={self.url}/"

    def image(self, layer: bytes | Path, programs: Mapping[str, str], name: str = "a/b") -> Release:
        """Serve an image for this machine, with a base below this layer, and one for another; return its release."""
        layers = [self._blob(name, content) for content in (tar({"etc/passwd": b"root"}), layer)]
        ours = self._manifest(name, {"layers": [{"digest": digest} for digest in layers]})
        other = self._manifest(name, {"layers": [{"digest": sha256(b"other")}]})
        manifests = [
            {
                "digest": ours if architecture in ARCHITECTURES.values() else other,
                "platform": {"os": "linux", "architecture": architecture},
            }
            for architecture in ("arm", *ARCHITECTURES.values())
        ]
        index = self._manifest(name, {"manifests": manifests})
        return Release(f"oci://{MIRRORED[0]}/{name}:v1", index, programs, ())

    def archive(self, content: bytes | Path, programs: Mapping[str, str], name: str = "file") -> Release:
        """Serve a file, and return its release."""
        self.content[f"/{name}"] = content
        return Release(f"https://{MIRRORED[1]}/{name}", sha256(content), programs, ())

    def _blob(self, name: str, content: bytes | Path) -> str:
        digest = sha256(content)
        self.content[f"/v2/{name}/blobs/{digest}"] = content
        return digest

    def _manifest(self, name: str, fields: dict[str, object]) -> str:
        content = json.dumps(fields).encode()
        self.content[f"/v2/{name}/manifests/{sha256(content)}"] = content
        return sha256(content)


def send(handler: BaseHTTPRequestHandler, content: bytes | Path, length: int | None = None) -> None:
    """Answer with some bytes, or with a file's."""
    size = len(content) if isinstance(content, bytes) else content.stat().st_size
    handler.send_response(200)
    handler.send_header("Content-Length", str(size if length is None else length))
    handler.end_headers()
    with _opened(content) as source:
        shutil.copyfileobj(source, handler.wfile)


def _opened(content: bytes | Path) -> io.BufferedIOBase:
    return io.BytesIO(content) if isinstance(content, bytes) else content.open("rb")
