"""Container images, as much of the registry's protocol as is needed to read their layers.

https://github.com/opencontainers/distribution-spec/blob/main/spec.md, and for tokens
https://distribution.github.io/distribution/spec/auth/token/
"""

import hashlib
import json
import platform
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import parse_http_list, parse_keqv_list

import requests

from sandbox.releases import Release
from sandbox.web import Client, DownloadError, host

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
"""The names in an image's index, by those that `uname -m` prints."""

_MANIFESTS = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)


def layers(client: Client, release: Release) -> Iterator["Layer"]:
    """Yield the layers of an image for this machine, the last one first: it is where the program is.

    Raises:
        DownloadError: the registry refuses, a digest differs, or the image is not for this machine.
    """
    registry, _, repository = release.url.removeprefix("oci://").partition("/")
    source = _Repository(client, f"https://{registry}/v2/{repository.rpartition(':')[0]}")
    manifest = source.manifest(release.digest)
    if "manifests" in manifest:
        manifest = source.manifest(_for_this_machine(manifest, release))
    for layer in reversed(manifest.get("layers", [])):
        yield Layer(source, layer["digest"])


@dataclass(frozen=True)
class Layer:
    """One layer of an image, a packed tar archive."""

    source: "_Repository"
    digest: str

    def save(self, file: Path) -> None:
        """Write it to a file.

        Raises:
            DownloadError: it did not arrive whole, or has another digest.
        """
        self.source.client.save(self.source.get(f"blobs/{self.digest}"), self.digest, file)


class _Repository:
    def __init__(self, client: Client, url: str) -> None:
        self.client, self._url = client, url
        self._headers = {"Accept": ", ".join(_MANIFESTS)}

    def manifest(self, digest: str) -> dict[str, Any]:
        answer = self.get(f"manifests/{digest}")
        content = b"".join(self.client.content(answer))
        actual = f"sha256:{hashlib.sha256(content).hexdigest()}"
        if actual != digest:
            raise DownloadError(f"{host(answer.url)} sends another manifest: {actual}, not {digest}")
        manifest: dict[str, Any] = json.loads(content)
        return manifest

    def get(self, path: str) -> requests.Response:
        answer = self.client.get(f"{self._url}/{path}", self._headers)
        scheme, _, challenge = answer.headers.get("WWW-Authenticate", "").partition(" ")
        if answer.status_code == requests.codes.unauthorized and scheme.lower() == "bearer":
            self._headers["Authorization"] = f"Bearer {self._token(challenge)}"
            answer = self.client.get(f"{self._url}/{path}", self._headers)
        return answer

    def _token(self, challenge: str) -> str:
        """Return a token for anybody, from where a registry says that there is one."""
        words = parse_keqv_list(parse_http_list(challenge))
        query = {key: words[key] for key in ("service", "scope") if key in words}
        url = requests.Request("GET", words.get("realm", ""), params=query).prepare().url
        try:
            answer = json.loads(b"".join(self.client.content(self.client.get(url or ""))))
            return str(answer.get("token") or answer["access_token"])
        except (ValueError, KeyError, AttributeError):
            raise DownloadError(f"{host(self._url)} gives no token") from None


def _for_this_machine(index: dict[str, Any], release: Release) -> str:
    wanted = {"os": "linux", "architecture": ARCHITECTURES.get(platform.machine(), platform.machine())}
    for manifest in index["manifests"]:
        if wanted.items() <= manifest.get("platform", {}).items():
            return str(manifest["digest"])
    raise DownloadError(f"{release.url} is not for this machine ({platform.machine()})")
