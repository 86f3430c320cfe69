"""A Pod's volumes: directories whose content follows the API's objects, as in a kubelet.

Secrets, ConfigMaps, the downward API and ServiceAccount tokens become files that are replaced all at once: readers
follow `name -> ..data/name -> ..<time>/name`, and one rename moves `..data`
(https://pkg.go.dev/k8s.io/kubernetes/pkg/volume/util#AtomicWriter).
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from sandbox.api import Json
from sandbox.node.environment import Lookup, MissingError, field_value, object_data
from sandbox.node.rootfs import Mount

DATA = "..data"
_REFRESH_AT = 0.8  # of a token's lifetime, as the kubelet does

TokenRequest = Callable[[str | None, int], str]
"""(audience, expiration in seconds) -> a token of the Pod's ServiceAccount."""


@dataclass(frozen=True)
class File:
    """A file of a volume."""

    content: bytes
    mode: int = 0o644


@dataclass
class PodVolumes:
    """The volumes of one Pod, below one directory."""

    directory: Path
    lookup: Lookup
    request_token: TokenRequest
    _tokens: dict[tuple[str | None, int], tuple[str, float]] = field(default_factory=dict)

    def refresh(self, pod: Json, pod_ip: str) -> None:
        """Create missing volumes and rewrite changed ones.

        Raises:
            MissingError: an object that is not optional is missing; the message is the kubelet's.
        """
        for volume in pod["spec"].get("volumes") or []:
            name = volume["name"]
            target = self.directory / name
            target.mkdir(parents=True, exist_ok=True)
            if "emptyDir" in volume:
                continue
            try:
                write_atomically(target, self._files(volume, pod, pod_ip))
            except MissingError as error:
                raise MissingError(f'MountVolume.SetUp failed for volume "{name}" : {error}') from None

    def mounts(self, container: Json) -> list[Mount]:
        """Return a container's mounts."""
        return [
            Mount(self.directory / entry["name"], PurePosixPath("/", entry["mountPath"]), entry.get("readOnly", False))
            for entry in container.get("volumeMounts") or []
        ]

    def _files(self, source: Json, pod: Json, pod_ip: str) -> dict[str, File]:
        """Return the files of a volume, or of one source of a projected volume."""
        if projected := source.get("projected"):
            default = projected.get("defaultMode", 0o644)
            files: dict[str, File] = {}
            for part in projected.get("sources") or []:
                with_mode = {kind: {"defaultMode": default} | body for kind, body in part.items()}
                files |= self._files(with_mode, pod, pod_ip)
            return files
        if body := source.get("secret"):
            return self._object_files("Secret", body.get("secretName") or body.get("name"), body)
        if body := source.get("configMap"):
            return self._object_files("ConfigMap", body["name"], body)
        if body := source.get("downwardAPI"):
            return self._downward_files(body, pod, pod_ip)
        if body := source.get("serviceAccountToken"):
            token = self._token(body.get("audience"), body.get("expirationSeconds", 3600))
            return {body["path"]: File(token.encode(), body["defaultMode"])}
        kinds = ", ".join(key for key in source if key != "name")
        raise MissingError(f"volume source {kinds} is not supported by the sandbox")

    def _object_files(self, kind: str, name: str, body: Json) -> dict[str, File]:
        optional = body.get("optional", False)
        default = body.get("defaultMode", 0o644)
        data = object_data(self.lookup, kind, name, optional=optional)
        if "items" not in body:
            return {key: File(content, default) for key, content in data.items()}
        files = {}
        for item in body["items"]:
            if item["key"] in data:
                files[item["path"]] = File(data[item["key"]], item.get("mode", default))
            elif not optional:
                raise MissingError(f'references non-existent {kind.lower()} key: {name}: "{item["key"]}"')
        return files

    def _downward_files(self, body: Json, pod: Json, pod_ip: str) -> dict[str, File]:
        files = {}
        for item in body.get("items") or []:
            value = field_value(item["fieldRef"]["fieldPath"], pod, pod_ip)
            files[item["path"]] = File(value.encode(), item.get("mode", body.get("defaultMode", 0o644)))
        return files

    def _token(self, audience: str | None, seconds: int) -> str:
        token, renew_at = self._tokens.get((audience, seconds), ("", 0.0))
        if time.monotonic() >= renew_at:
            token = self.request_token(audience, seconds)
            self._tokens[audience, seconds] = token, time.monotonic() + _REFRESH_AT * seconds
        return token


def write_atomically(directory: Path, files: dict[str, File]) -> bool:
    """Replace a directory's files all at once; return whether anything has changed."""
    data = directory / DATA
    current = {str(path.relative_to(data)): path.read_bytes() for path in data.rglob("*") if path.is_file()}
    if data.exists() and current == {name: file.content for name, file in files.items()}:
        return False
    old = data.resolve() if data.exists() else None
    new = directory / f"..{time.time_ns()}"
    new.mkdir()
    for name, file in files.items():
        path = new / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.content)
        path.chmod(file.mode)
    temporary = directory / "..data_tmp"
    temporary.symlink_to(new.name)
    temporary.rename(data)
    _link_top_level(directory, {PurePosixPath(name).parts[0] for name in files})
    if old:
        shutil.rmtree(old)
    return True


def _link_top_level(directory: Path, names: set[str]) -> None:
    current = {entry.name for entry in directory.iterdir() if not entry.name.startswith("..")}
    for name in names - current:
        (directory / name).symlink_to(f"{DATA}/{name}")
    for name in current - names:
        (directory / name).unlink()
