"""The wheel: the components under their own name, and nothing of the program that is built from them."""

import re
import subprocess
import sys
import zipfile
from email.message import Message
from email.parser import HeaderParser
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from tests.unit.test_imports import imported

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "components").rglob("*.py"))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    folder = tmp_path_factory.mktemp("wheel")
    # The backend itself, as the environment has it: a front end would download it.
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, f"the wheel is built: {done.stdout}{done.stderr}"
    (built,) = folder.iterdir()
    return zipfile.ZipFile(built)


@pytest.fixture(scope="module")
def metadata(wheel: zipfile.ZipFile) -> Message:
    (path,) = (each for each in wheel.namelist() if each.endswith(".dist-info/METADATA"))
    return HeaderParser().parsestr(wheel.read(path).decode())


def test_it_holds_every_file_of_the_components_under_the_name_to_import(wheel: zipfile.ZipFile) -> None:
    held = {each for each in wheel.namelist() if ".dist-info/" not in each}
    sources = {
        f"istio_gateway_tls/{path.relative_to(ROOT / 'components')}"
        for path in (ROOT / "components").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert held == sources, "no settings, no sandbox and no tests"


def test_it_needs_what_the_components_import_and_nothing_else(metadata: Message) -> None:
    distributions = packages_distributions()
    modules = {module.partition(".")[0] for path in SOURCES for module in imported(path)} - sys.stdlib_module_names
    expected = {distributions[name][0].lower().replace("_", "-") for name in modules}
    needed = {re.split("[<>=]", each)[0] for each in metadata.get_all("Requires-Dist") or []}
    assert needed == expected, "what the program's stack config needs is in a group of its own"


def test_the_components_import_each_other_by_relative_names() -> None:
    absolute = [path.name for path in SOURCES if any(module.split(".")[0] == "components" for module in imported(path))]
    assert not absolute, "there is no `components` where the wheel is installed"
