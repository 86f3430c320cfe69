"""The wheel: one package, which needs nothing of the clone."""

import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterable
from email.message import Message
from email.parser import HeaderParser
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from hatch_build import NAMES, rename_imports
from tests.unit.test_imports import imported

ROOT = Path(__file__).parents[2]
PAGES = {"config/reference.py", "tlsctl/reference.py", "policies/table.py"}
"""Modules that write pages of docs/, and are of use in the clone alone."""
EXTRAS = {"policies": ["policies", "tlsctl/policy_pack.py"], "verify": ["tlsctl/verify"]}
"""The modules that need an extra."""


def modules(*places: str) -> set[Path]:
    files = {file for place in places for file in [ROOT / place, *(ROOT / place).rglob("*.py")] if file.suffix == ".py"}
    return files - {ROOT / page for page in PAGES}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    folder = tmp_path_factory.mktemp("wheel")
    # The backend itself, as the environment has it: a front end would download it.
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, f"the wheel is built: {done.stdout}{done.stderr}"
    (built,) = folder.iterdir()
    return zipfile.ZipFile(built)


@pytest.fixture(scope="module")
def installed(wheel: zipfile.ZipFile, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("installed")
    wheel.extractall(folder)
    return folder


@pytest.fixture(scope="module")
def metadata(wheel: zipfile.ZipFile) -> Message:
    (path,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    return HeaderParser().parsestr(wheel.read(path).decode())


def test_it_holds_every_module_of_a_stack_in_one_package(wheel: zipfile.ZipFile) -> None:
    held = {name for name in wheel.namelist() if ".dist-info/" not in name}
    sources = {
        "/".join([*NAMES[file.relative_to(ROOT).parts[0]].split("."), *file.relative_to(ROOT).parts[1:]])
        for file in modules(*NAMES)
    }
    pack = {f"share/istio-gateway-tls/policies/{name}" for name in ("PulumiPolicy.yaml", "__main__.py")}
    data = {name.partition(".data/data/")[2] for name in held if ".data/" in name}
    assert data == pack
    more = {"istio_gateway_tls/py.typed", "istio_gateway_tls/tlsctl/verify/letsencrypt-staging.pem"}
    assert {name for name in held if ".data/" not in name} == sources | more, "no sandbox and no tests"


def test_its_modules_import_no_folder_of_the_clone(installed: Path) -> None:
    for file in installed.rglob("*.py"):
        clone = {module for module in imported(file) if module.partition(".")[0] in NAMES}
        assert not clone, f"{file.relative_to(installed)} imports {clone}, which are not there"


def test_imports_are_renamed_and_nothing_else() -> None:
    source = (
        'import components\nfrom config import proofs\nTEXT = """\nfrom config import it\n"""\nfrom configs import x\n'
    )
    assert rename_imports(source) == source.replace(
        "import components\nfrom config", "import istio_gateway_tls as components\nfrom istio_gateway_tls.config"
    )


def test_it_runs_outside_of_the_clone(installed: Path, tmp_path: Path) -> None:
    program = (
        f"import sys; sys.path.insert(0, {str(installed)!r})\n"
        "import istio_gateway_tls.config.loading, istio_gateway_tls.policies, istio_gateway_tls.tlsctl.verify.run\n"
        "from istio_gateway_tls.tlsctl.__main__ import main\n"
        "sys.exit(main(['verify', '--stack', 'x']))"
    )
    argv = [sys.executable, "-W", "ignore", "-P", "-c", program]
    done = subprocess.run(
        argv, cwd=tmp_path, env={"PATH": ""}, capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.returncode, "pulumi is not on PATH" in done.stderr) == (2, True), done.stdout + done.stderr


def test_it_needs_what_it_imports_and_nothing_else(metadata: Message) -> None:
    requirements = [Requirement(line) for line in metadata.get_all("Requires-Dist") or []]

    def needed(extra: str) -> set[str]:
        return {item.name for item in requirements if not item.marker or item.marker.evaluate({"extra": extra})}

    of_extras = modules(*(place for places in EXTRAS.values() for place in places))
    base = distributions(modules(*NAMES) - of_extras)
    assert needed("") == base
    for extra, places in EXTRAS.items():
        assert needed(extra) == base | distributions(modules(*places)), extra


def distributions(files: Iterable[Path]) -> set[str]:
    """The packages that files import, by the names that `pip install` takes."""
    known = packages_distributions()
    imports = {module.partition(".")[0] for file in files for module in imported(file)}
    others = imports - sys.stdlib_module_names - set(NAMES)
    return {known[name][0].lower().replace("_", "-") for name in others} | (
        {"pulumi-policy"} if ROOT / "tlsctl/policy_pack.py" in files else set()
    )


def test_the_components_import_each_other_by_relative_names() -> None:
    absolute = [
        file.name
        for file in modules("components")
        if any(name.split(".")[0] == "components" for name in imported(file))
    ]
    assert not absolute, "the plugin and the wheel have them under different names"


def test_the_clone_installs_what_the_wheel_does() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    for extra in EXTRAS:
        assert f"istio-gateway-tls[{extra}]" in project["dependency-groups"][extra]
