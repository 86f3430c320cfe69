"""A real Chromium for tests: the one that an npm package carries, downloaded once and cached.

The package is a build for bare machines (https://github.com/Sparticuz/chromium): a headless Chromium and the few
libraries that such a machine lacks, so that nothing has to be installed by root. Nothing else of npm is needed.
"""

import base64
import hashlib
import io
import os
import platform
import tarfile
import tempfile
import time
import urllib.request
from contextlib import suppress
from pathlib import Path

import brotli  # type: ignore[import-untyped]
from rich.console import Console

from sandbox import paths
from sandbox.errors import SandboxError

PACKAGE, VERSION = "@sparticuz/chromium", "153.0.0"
INTEGRITY = "jiGWqSvPMdu4+P9TilYqAR7yEGPEHINx+lCvE/NqNO/EHYzF/x1hUiI5T6ioVIt7dEy7n88byyT0vk+dnsgQwA=="
"""SHA-512 of the package in base64, as the registry and lock files of npm write it (`npm view … dist.integrity`)."""
MACHINE = "x86_64"
"""What the package's program runs on."""

TIMEOUT = 300.0
"""Seconds for the download of 70 MB."""
_STALL = 30.0
"""Seconds without a byte after which a download is given up."""
_CHUNK = 2**20


def program() -> Path:
    """The program, where it is or would be."""
    return _folder() / "bin" / "chromium"


def environment() -> dict[str, str]:
    """What it needs in its environment: its libraries, which may be older or newer than the machine's own."""
    return {"LD_LIBRARY_PATH": str(_folder() / "lib")}


def is_ready() -> bool:
    """Whether it is there."""
    return program().is_file()


def is_for_this_machine() -> bool:
    """Whether the package has a program for this machine."""
    return platform.machine() == MACHINE


def install(console: Console) -> None:
    """Download it, unless it is there or there is none for this machine.

    Raises:
        SandboxError: the registry does not give it in time, or gives another file than the pinned one.
    """
    if is_ready() or not is_for_this_machine():
        return
    began = time.monotonic()
    with console.status(f"downloading Chromium {VERSION}"):
        _unpack(_download(_url()))
    console.print(f"download chromium  {time.monotonic() - began:.1f} s", markup=False, soft_wrap=True)


def _url() -> str:
    # The variable by which npm itself is led to a mirror.
    registry = os.environ.get("NPM_CONFIG_REGISTRY") or "https://registry.npmjs.org"
    return f"{registry.rstrip('/')}/{PACKAGE}/-/{PACKAGE.rpartition('/')[2]}-{VERSION}.tgz"


def _folder() -> Path:
    # Two levels above the program: `make audit` looks at what lies one level deep, and knows Go's programs alone.
    return paths.cache() / "tools" / f"chromium-{VERSION}"


def _download(url: str) -> bytes:
    again = "Then run `python -m sandbox doctor --fix --tests` again."
    deadline = time.monotonic() + TIMEOUT
    content = b""
    try:
        with urllib.request.urlopen(url, timeout=_STALL) as response:  # noqa: S310 - the registry's, or a mirror of it
            while chunk := response.read(_CHUNK):
                content += chunk
                if time.monotonic() > deadline:
                    raise TimeoutError(f"took longer than {TIMEOUT:.0f} s")
    except (OSError, ValueError) as error:
        raise SandboxError(
            f"Chromium, which the tests run, cannot be downloaded from {url}: {error}\n"
            f"Where npm needs a mirror, export NPM_CONFIG_REGISTRY=URL. {again}"
        ) from error
    found = base64.b64encode(hashlib.sha512(content).digest()).decode()
    if found != INTEGRITY:
        raise SandboxError(
            f"{url} is not the file that sandbox/chromium.py pins: its SHA-512 is {found}, not {INTEGRITY}.\n"
            f"If NPM_CONFIG_REGISTRY names a mirror, see what it serves. {again}"
        )
    return content


def _unpack(package: bytes) -> None:
    folder = _folder()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="chromium-", dir=folder.parent) as scratch:
        partial = Path(scratch) / "chromium"
        (partial / "bin").mkdir(parents=True)
        with tarfile.open(fileobj=io.BytesIO(package)) as archive:
            executable = partial / "bin" / "chromium"
            executable.write_bytes(_read(archive, "chromium.br"))
            executable.chmod(0o755)
            with tarfile.open(fileobj=io.BytesIO(_read(archive, "al2023.tar.br"))) as libraries:
                libraries.extractall(partial, filter="data")
        # Another process may have made it meanwhile, from the same file.
        with suppress(OSError):
            partial.rename(folder)


def _read(archive: tarfile.TarFile, name: str) -> bytes:
    member = archive.extractfile(f"package/bin/{name}")
    assert member is not None  # noqa: S101 - the file is the pinned one
    content: bytes = brotli.decompress(member.read())
    return content
