"""The builds of the sandbox's programs share what they compile."""

from collections import defaultdict

from sandbox.gobuild import BUILDS
from sandbox.tools import builds

APART = {
    # The newest SDK that holds the Python language host, and the engine's own.
    "github.com/pulumi/pulumi/sdk/v3",
}


def versions(go_mod: str) -> dict[str, str]:
    """Return the version of each module that a go.mod names; replacements take the place of required modules."""
    required: dict[str, str] = {}
    replaced: dict[str, str] = {}
    for line in go_mod.splitlines():
        words = line.partition("//")[0].removeprefix("require").removeprefix("replace").split()
        if "=>" in words:
            at = words.index("=>")
            # Another module or a folder may replace it.
            replaced[words[0]] = words[-1] if words[0] == words[at + 1] else " ".join(words[at + 1 :])
        elif len(words) == 2 and words[1].startswith("v"):
            required[words[0]] = words[1]
    return {module: replaced.get(module, version) for module, version in required.items()}


def test_no_shared_module_has_two_versions() -> None:
    folders: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for build in builds():
        for module, version in versions((BUILDS / build.folder / "go.mod").read_text()).items():
            folders[module][version].append(build.folder)
    apart = {module: dict(by_version) for module, by_version in folders.items() if len(by_version) > 1}
    assert apart.keys() == APART, (
        "each version is compiled separately, and a cold `make up` waits for it; "
        f"align them with `go get MODULE@VERSION` in sandbox/builds: {apart}"
    )
    (users,) = folders["k8s.io/client-go"].values()
    assert len(users) > 1, "the versions were read: several builds share client-go"
