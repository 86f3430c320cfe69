"""The form of a policy pack that the engine at hand can run."""

from pathlib import Path

import pytest
import yaml

from sandbox import paths, policies
from sandbox.errors import SandboxError


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    folder = tmp_path / "my pack"
    folder.mkdir()
    description = {"description": "rules", "version": "1.2.3", "runtime": {"name": "python"}}
    (folder / "PulumiPolicy.yaml").write_text(yaml.safe_dump(description))
    return folder


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return paths.cache()


def host(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a language host on PATH, in a folder."""
    folder.mkdir(parents=True)
    program = folder / "pulumi-language-python"
    program.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(folder))


@pytest.mark.usefixtures("cache")
def test_an_installed_language_host_runs_the_pack_as_it_is(
    pack: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host(tmp_path / "opt", monkeypatch)
    assert policies.folder(pack) == pack, "nothing is made"


def test_beside_a_built_one_the_pack_has_a_runtime_without_a_language_host(
    pack: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host(cache / "tools" / "pulumi-language-python-1", monkeypatch)
    made = policies.folder(pack)
    assert policies.folder(pack) == made, "asking again changes nothing"
    description = yaml.safe_load((made / "PulumiPolicy.yaml").read_text())
    assert description == {"description": "rules", "version": "1.2.3", "runtime": "pysandbox"}, "all else is the pack's"
    assert (made / "pack").resolve() == pack, "the analyzer finds the pack itself"
    assert "pulumi-analyzer-policy-pysandbox" in policies.programs(), "by the name that the engine derives"


def test_a_folder_without_a_pack_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SandboxError, match=r"is not a policy pack: it has no PulumiPolicy\.yaml"):
        policies.folder(tmp_path)
