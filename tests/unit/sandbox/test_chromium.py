"""The Chromium of the tests: the pinned file or none."""

import base64
import hashlib
import io
import os
import tarfile
from pathlib import Path

import brotli  # type: ignore[import-untyped]
import pytest
from rich.console import Console

from sandbox import chromium
from sandbox.errors import SandboxError

CONSOLE = Console(quiet=True)


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The package as a registry has it, which is a folder; nothing is cached."""
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("NPM_CONFIG_REGISTRY", (tmp_path / "registry").as_uri() + "/")
    libraries = packed({"lib/libnss3.so": b"library"})
    content = packed(
        {
            "package/bin/chromium.br": brotli.compress(b"program"),
            "package/bin/al2023.tar.br": brotli.compress(libraries),
        }
    )
    monkeypatch.setattr(chromium, "INTEGRITY", base64.b64encode(hashlib.sha512(content).digest()).decode())
    file = tmp_path / "registry" / "@sparticuz" / "chromium" / "-" / f"chromium-{chromium.VERSION}.tgz"
    file.parent.mkdir(parents=True)
    file.write_bytes(content)
    return file


def packed(files: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


def test_it_is_downloaded_once(package: Path) -> None:
    assert not chromium.is_ready()
    chromium.install(CONSOLE)
    package.unlink()
    chromium.install(CONSOLE)
    assert chromium.is_ready()
    assert os.access(chromium.program(), os.X_OK), "it can be run"
    libraries = Path(chromium.environment()["LD_LIBRARY_PATH"])
    assert [file.name for file in libraries.iterdir()] == ["libnss3.so"], "with what it needs"
    assert [file.name for file in chromium.program().parents[2].iterdir()] == [f"chromium-{chromium.VERSION}"]


def test_another_file_than_the_pinned_one_is_refused(package: Path) -> None:
    package.write_bytes(b"another")
    with pytest.raises(SandboxError, match=r"registry/@sparticuz/chromium/.* is not the file that .* pins"):
        chromium.install(CONSOLE)
    assert not chromium.is_ready()


def test_a_registry_that_cannot_be_reached_is_named_with_what_to_do(package: Path) -> None:
    package.unlink()
    with pytest.raises(SandboxError) as error:
        chromium.install(CONSOLE)
    assert package.name in str(error.value), "what it could not get"
    assert "export NPM_CONFIG_REGISTRY=URL" in str(error.value)
    assert "python -m sandbox doctor --fix --tests" in str(error.value)


def test_there_is_none_for_other_machines(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    package.unlink()
    chromium.install(CONSOLE)
    assert not chromium.is_ready(), "and the tests that need it are skipped"
