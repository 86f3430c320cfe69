"""A pulumi command line of the tests' own."""

import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def pulumi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Put a pulumi on PATH that runs this Python code."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")

    def write(code: str) -> None:
        program = folder / "pulumi"
        program.write_text(f"#!{sys.executable} -S\nimport json, sys\nfrom pathlib import Path\n{code}\n")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)

    return write
