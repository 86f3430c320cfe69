"""Imports: their directions, which CONTRIBUTING's layout states, and what stays light."""

import ast
import fnmatch
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SPECS = [f"components.specs.{file.stem}" for file in (ROOT / "components" / "specs").glob("[a-z]*.py")]

LAYOUT = {
    name.strip("/"): set(re.findall(r"`([\w.]+)`", allowed))
    for name, allowed in re.findall(
        r"^\| `([^`]+)` \|.*\|([^|]*)\|$",
        (ROOT / "CONTRIBUTING.md").read_text().partition("## Layout")[2].partition("\n## ")[0],
        re.MULTILINE,
    )
}
"""The modules that each folder may import."""

WORKFLOWS = "".join(file.read_text() for file in (ROOT / ".github/workflows").glob("*.yml"))
COMMANDS = "".join(file.read_text() for file in (ROOT / "deploy/ci").glob("*.py"))


def imported(file: Path) -> set[str]:
    """The modules that a file imports by their full names."""
    nodes = list(ast.walk(ast.parse(file.read_text())))
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return plain | {
        node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module and not node.level
    }


def sources(place: str) -> Iterator[Path]:
    return iter([ROOT / place]) if place.endswith(".py") else (ROOT / place).rglob("*.py")


@pytest.mark.parametrize("place", sorted(LAYOUT.keys() - {"tests"}))
def test_imports_go_in_the_directions_of_the_layout(place: str) -> None:
    ours = {name.removesuffix(".py") for name in LAYOUT}
    allowed = {place.removesuffix(".py"), *LAYOUT[place]}
    for file in sources(place):
        for module in imported(file):
            known = any(module == name or module.startswith(f"{name}.") for name in allowed)
            assert known or module.partition(".")[0] not in ours, f"{file.relative_to(ROOT)} imports {module}"


def test_the_layout_has_every_folder_of_python() -> None:
    tracked = subprocess.run(["git", "ls-files", "*.py"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert {path.partition("/")[0] for path in tracked.split()} <= LAYOUT.keys()


def test_what_the_sdk_does_not_document_is_used_in_one_module() -> None:
    # Not the plugin, which serves the provider protocol and is no part of the wheel.
    folders = ("components", "config", "deploy", "policies", "tlsctl")
    users = {file.relative_to(ROOT).as_posix() for folder in folders for file in sources(folder) if internals(file)}
    assert users == {"components/engine.py"}


def internals(file: Path) -> set[str]:
    return {module for module in imported(file) if module.startswith(("pulumi.runtime", "pulumi.provider"))}


HIDING = """
import importlib, sys
class Hiding:
    def find_spec(self, name, *_):
        if name in {hidden}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Hiding())
for name in {hidden}:
    sys.modules.pop(name, None)
for name in {modules}:
    importlib.import_module(name)
"""


def test_a_stack_needs_nothing_that_only_unix_has() -> None:
    files = [file for folder in ("components", "config", "policies", "tlsctl") for file in sources(folder)]
    names = [file.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".") for file in files]
    # The policy pack's __main__ starts it.
    modules = [name.removesuffix(".__init__") for name in names if name != "policies.__main__"]
    program = HIDING.format(hidden=["fcntl", "grp", "pwd", "resource", "syslog", "termios"], modules=modules)
    argv = [sys.executable, "-W", "ignore", "-c", program]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    for file in files:
        assert not re.search(r"[\"'(]/(dev|proc|sys)/", file.read_text()), f"{file} reads what only Linux has"


def owners(path: str) -> list[str]:
    """The owners that GitHub finds for a file: those of the last line that matches."""
    rules = [line.split() for line in (ROOT / ".github/CODEOWNERS").read_text().splitlines() if line[:1] in ("*", "/")]
    matching = [
        names
        for pattern, *names in rules
        if pattern == "*" or fnmatch.fnmatch(f"/{path}", f"{pattern}*" if pattern.endswith("/") else pattern)
    ]
    return matching[-1]


def test_code_that_runs_with_rights_has_an_owner() -> None:
    # `pulumi` starts the program, and its policies.
    files = {"__main__.py", *re.findall(r'pack: str = "(\w+)"', COMMANDS)}
    files |= {*re.findall(r"python3? -P -m (\w+)", WORKFLOWS), *re.findall(r'"-m", "(\w+)"', COMMANDS)}
    assert files >= {"deploy", "policies", "tlsctl"}
    while True:
        imports = {module.partition(".")[0] for place in files for file in sources(place) for module in imported(file)}
        if imports & LAYOUT.keys() <= files:
            break
        files |= imports & LAYOUT.keys()
    assert files >= {"components", "config"}, "what they import runs with the same rights"

    settings = [".github/workflows/up.yml", ".github/programs.sha256", "Pulumi.prod.yaml", "pyproject.toml", "uv.lock"]
    for file in [*(place if place.endswith(".py") else f"{place}/x.py" for place in files), *settings]:
        assert owners(file), file
    assert owners("yaml/__init__.py"), "it would take the place of a package"
    assert not owners("docs/README.md"), "what nothing runs needs none"


def loaded(*modules: str, after: str = "pass") -> set[str]:
    """The modules of a fresh interpreter that has imported these."""
    code = f"import {', '.join(modules)}, json, sys\n{after}\nprint(json.dumps(sorted(sys.modules)), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    names = json.loads(done.stderr)
    return {*names, *(name.partition(".")[0] for name in names)}


@pytest.mark.parametrize(
    ("modules", "heavy"),
    [
        (SPECS, {"pulumi", "pydantic", "kubernetes", "cryptography"}),
        (["config.reading"], {"pulumi", "pulumi_gcp", "pulumi_kubernetes", "kubernetes"}),
        (["config.loading"], {"kubernetes"}),
        (["tlsctl.verify.run", "tlsctl.verify.command"], {"pulumi", "pulumi_gcp", "pulumi_kubernetes", "config.args"}),
    ],
    ids=["specs", "settings", "program", "verify"],
)
def test_what_starts_fast_loads_no_heavy_packages(modules: list[str], heavy: set[str]) -> None:
    assert not heavy & loaded(*modules)


@pytest.mark.parametrize("arguments", [["--help"], ["verify", "--help"], ["recover", "--help"], ["adopt", "--help"]])
def test_the_help_of_tlsctl_loads_no_heavy_packages(arguments: list[str]) -> None:
    after = f"try:\n    tlsctl.__main__.main({arguments})\nexcept SystemExit:\n    pass"
    assert not {"rich", "config.models", "kubernetes", "sslyze", "dns"} & loaded("tlsctl.__main__", after=after)
