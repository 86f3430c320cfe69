"""Files of Go modules, without Go: charts, CRDs and certificates in the sources of what the sandbox runs.

The module proxy (https://go.dev/ref/mod#goproxy-protocol) serves a module as one zip archive, and a build's go.sum has
its hash. Files are cached outside the work tree, for all clones and sandboxes of a user.
"""

import base64
import hashlib
import io
import os
import re
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from sandbox import paths
from sandbox.errors import SandboxError
from sandbox.gobuild import BUILDS
from sandbox.tools import required_version
from sandbox.web import Client, DownloadError


def folder(build: str, module: str, *wanted: str) -> Path:
    """Return a folder with some files and folders of a module that a build requires.

    Args:
        build: The folder of `sandbox/builds` whose go.mod and go.sum pin the module.
        module: The path of the module.
        wanted: Paths in the module.

    Raises:
        SandboxError: no module proxy served it, or another file than the pinned one.
    """
    version = required_version(build, module)
    pinned = _pinned_hash(build, module, version)
    fingerprint = hashlib.sha256(f"{pinned}{wanted}".encode()).hexdigest()[:12]
    made = paths.cache() / "modules" / f"{module.rpartition('/')[2]}-{fingerprint}"
    if not made.is_dir():
        _unpack(_archive(module, version, pinned), f"{module}@{version}", wanted, made)
    return made


def _pinned_hash(build: str, module: str, version: str) -> str:
    for line in (BUILDS / build / "go.sum").read_text().splitlines():
        if line.startswith(f"{module} {version} "):
            return line.split()[2]
    raise LookupError(f"sandbox/builds/{build}/go.sum has no hash of {module} {version}")


def _archive(module: str, version: str, pinned: str) -> bytes:
    failures = []
    for place in _places():
        # The protocol writes capital letters so, for file systems that do not tell them apart.
        url = f"{place}/{re.sub('[A-Z]', lambda letter: '!' + letter[0].lower(), module)}/@v/{version}.zip"
        try:
            archive = _read(url)
        except (OSError, DownloadError) as error:
            failures.append(str(error))
            continue
        if _hash(archive) == pinned:
            return archive
        failures.append(f"{url} is not the module that go.sum pins")
    raise SandboxError(
        f"The source of {module} {version} cannot be downloaded: {'; '.join(failures)}.\n"
        "If Go modules need a proxy here, export GOPROXY=URL and run the command again."
    )


def _places() -> Iterator[str]:
    """Yield Go's own cache, and the module proxies."""
    home = Path(_go("GOPATH", str(Path.home() / "go")).split(os.pathsep)[0])
    yield (Path(_go("GOMODCACHE", str(home / "pkg" / "mod"))) / "cache" / "download").as_uri()
    for proxy in re.split("[,|]", _go("GOPROXY", "https://proxy.golang.org")):
        if proxy not in {"", "direct", "off"}:
            yield proxy.rstrip("/")


def _go(variable: str, default: str) -> str:
    if not shutil.which("go"):
        return os.environ.get(variable) or default
    # Its value may be in a file of Go's own.
    return (
        subprocess.run(["go", "env", variable], capture_output=True, text=True, check=False).stdout.strip() or default
    )


def _read(url: str) -> bytes:
    if url.startswith("file://"):
        return Path(url.removeprefix("file://")).read_bytes()
    client = Client()
    return b"".join(client.content(client.get(url)))


def _hash(archive: bytes) -> str:
    """Return the hash of a module zip as go.sum has it (https://pkg.go.dev/golang.org/x/mod/sumdb/dirhash#Hash1)."""
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as files:
            lines = [f"{hashlib.sha256(files.read(name)).hexdigest()}  {name}\n" for name in sorted(files.namelist())]
    except (zipfile.BadZipFile, EOFError):
        return ""
    return "h1:" + base64.b64encode(hashlib.sha256("".join(lines).encode()).digest()).decode()


def _unpack(archive: bytes, root: str, wanted: tuple[str, ...], made: Path) -> None:
    made.parent.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="module-", dir=made.parent) as scratch,
        zipfile.ZipFile(io.BytesIO(archive)) as files,
    ):
        for path in wanted:
            names = [name for name in files.namelist() if f"{name}/".startswith(f"{root}/{path}/")]
            files.extractall(scratch, names)
        with suppress(OSError):  # another process was faster
            (Path(scratch) / root).rename(made)
