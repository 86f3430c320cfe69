"""The Chromium of the tests: the pinned file or none."""

from pathlib import Path

import pytest
from rich.console import Console

from sandbox import chromium
from sandbox.errors import SandboxError

CONSOLE = Console(quiet=True)


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The package's file in a registry, which is a folder; nothing is cached or in the registry."""
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("NPM_CONFIG_REGISTRY", (tmp_path / "registry").as_uri() + "/")
    return tmp_path / "registry" / "@sparticuz" / "chromium" / "-" / f"chromium-{chromium.VERSION}.tgz"


def test_another_file_than_the_pinned_one_is_refused(package: Path) -> None:
    package.parent.mkdir(parents=True)
    package.write_bytes(b"another")
    with pytest.raises(SandboxError, match=r"registry/@sparticuz/chromium/.* is not the file that .* pins"):
        chromium.install(CONSOLE)
    assert not chromium.is_ready()


def test_a_registry_that_cannot_be_reached_is_named_with_the_commands_to_run(package: Path) -> None:
    with pytest.raises(SandboxError) as error:
        chromium.install(CONSOLE)
    for part in (package.name, "export NPM_CONFIG_REGISTRY=URL", "python -m sandbox doctor --fix --tests"):
        assert part in str(error.value)


@pytest.mark.usefixtures("package")
def test_there_is_none_for_other_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    chromium.install(CONSOLE)
    assert not chromium.is_ready(), "and the tests that need it are skipped"
