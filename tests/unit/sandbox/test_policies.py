"""The form of a policy pack that the engine at hand can run."""

from pathlib import Path

import pytest
import yaml

from sandbox import paths, policies
from sandbox.errors import SandboxError


@pytest.mark.parametrize("built", [False, True], ids=["installed", "built"])
def test_beside_a_built_language_host_the_pack_has_a_runtime_without_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, built: bool
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = paths.cache() / "tools" / "pulumi-language-python-1" if built else tmp_path / "opt"
    folder.mkdir(parents=True)
    (folder / "pulumi-language-python").touch(mode=0o755)
    monkeypatch.setenv("PATH", str(folder))
    pack = tmp_path / "my pack"
    pack.mkdir()
    description = {"description": "rules", "version": "1.2.3", "runtime": {"name": "python"}}
    (pack / "PulumiPolicy.yaml").write_text(yaml.safe_dump(description))

    made = policies.folder(pack)
    assert policies.folder(pack) == made, "asking again changes nothing"
    if not built:
        assert made == pack, "nothing is made"
        return
    assert yaml.safe_load((made / "PulumiPolicy.yaml").read_text()) == description | {"runtime": "pysandbox"}
    assert (made / "pack").resolve() == pack, "the analyzer finds the pack itself"
    assert "pulumi-analyzer-policy-pysandbox" in policies.programs(), "by the name that the engine derives"


def test_a_folder_without_a_pack_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SandboxError, match=r"is not a policy pack: it has no PulumiPolicy\.yaml"):
        policies.folder(tmp_path)
