"""The sandbox itself: its builds, its start, its memory and disk; first of all, while nothing else has run in it."""

import os
import sys
from pathlib import Path

import pytest

from sandbox import paths, tools
from sandbox.instance import Instance
from tests.bench.conftest import Bench
from tests.bench.figures import SANDBOX, Figure

pytestmark = pytest.mark.bench

MIB, GIB = 2**20, 2**30


def test_sandbox(bench: Bench) -> None:
    status = Instance.require(os.environ["SANDBOX"]).request("status")
    builds = [build for tool in tools.builds() if (build := tools.record(tool))]
    # Nothing where everything was downloaded.
    cold = {
        f"cold: {len(builds)} builds": (sum(build.seconds for build in builds), "s"),
        f"cold: {len(builds)} builds, processor time": (sum(build.processor for build in builds), "s"),
    }
    programs = [folder for folder in (paths.cache() / "tools", paths.cache() / "releases") if folder.is_dir()]
    values = {
        **(cold if builds else {}),
        "warm start, until the applications answer": (sum(stage.seconds or 0 for stage in status.stages), "s"),
        "memory after the start, files included": (status.memory_bytes / GIB, "GiB"),
        "memory of its processes (PSS)": (memory() / MIB, "MiB"),
        "disk: the tools": (sum(map(disk, programs)) / GIB, "GiB"),
        "disk: the Python packages of the clone": (disk(Path(sys.prefix)) / GIB, "GiB"),
    }
    for name, (value, unit) in values.items():
        bench.record(Figure(SANDBOX, name, [value], unit=unit))


def memory(program: str = "") -> int:
    """Return the bytes of all processes, or of those of a program.

    A process counts what it has alone and its share of what it has in common with others (proc_pid_smaps(5)).
    """
    processes = Path("/proc").glob("[0-9]*")
    return sum(_proportional(process) for process in processes if not program or _runs(process, program))


def _runs(process: Path, program: str) -> bool:
    try:
        first, _, _ = (process / "cmdline").read_bytes().partition(b"\0")
    except OSError:
        return False  # It has ended meanwhile.
    return Path(first.decode(errors="replace")).name == program


def _proportional(process: Path) -> int:
    try:
        lines = (process / "smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)


def disk(folder: Path) -> int:
    """Return the bytes on the disk below a folder; a file with several links counts once."""
    files = map(Path.lstat, folder.rglob("*"))
    return sum({(stat.st_dev, stat.st_ino): stat.st_blocks * 512 for stat in files}.values())
