"""The sandbox itself: its builds, its start, its memory and disk."""

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from rich.console import Console

from sandbox import doctor, paths, tools
from sandbox.instance import Instance, start
from sandbox.messages import Status
from sandbox.plan import Plan
from sandbox.provision import provide
from tests.bench.processes import MIB
from tests.bench.results import Figure

NAME = "bench"
GROUP = "The sandbox"
_STAGE = 180.0
"""Seconds without progress after which a start is given up."""
_GIB = 2**30


def plan(console: Console) -> Plan:
    """Return what a sandbox is made of, built where it has not been."""
    doctor.require(fix=False)
    return provide(console)


def started(made_of: Plan) -> Status:
    """Start the sandbox and return what it says of itself."""
    for _ in start(NAME, made_of, _STAGE):
        pass
    return Instance.require(NAME).request("status")


def end() -> None:
    """End the sandbox, if it runs."""
    if found := Instance.find(NAME):
        found.end()


def figures(starts: Iterable[Status]) -> list[Figure]:
    """Return the figures of a sandbox that runs, and of its starts."""
    starts = list(starts)
    warm = [sum(stage.seconds for stage in each.stages) for each in starts]
    builds = [record.seconds for each in tools.builds() if (record := tools.record(each))]
    note = "The builds are as recorded when they were made; what was installed was not built."
    return [
        *([Figure(GROUP, f"cold: {len(builds)} builds", [sum(builds)], note=note)] if builds else []),
        Figure(GROUP, "warm start, until the applications answer", warm),
        Figure(GROUP, "memory after the start, files included", [_gib(starts[-1].memory_bytes)], unit="GiB"),
        Figure(GROUP, "memory of its processes (PSS)", [_processes()], unit="MiB"),
        Figure(GROUP, "disk: the tools", [_gib(_size(paths.cache() / "tools"))], unit="GiB"),
        Figure(GROUP, "disk: the Python packages of the clone", [_gib(_size(Path(sys.prefix)))], unit="GiB"),
    ]


def _processes() -> float:
    argv = [sys.executable, "-c", "from tests.bench.processes import pss; print(pss())"]
    instance = Instance.require(NAME)
    done = subprocess.run(
        instance.command(argv, paths.PROJECT), env=instance.environment(),
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    return int(done.stdout) / MIB


def _gib(size: int) -> float:
    return size / _GIB


def _size(folder: Path) -> int:
    """Return the bytes on the disk of what is below a folder; what several links name counts once."""
    found = {(stat.st_dev, stat.st_ino): stat.st_blocks * 512 for stat in map(Path.lstat, folder.rglob("*"))}
    return sum(found.values())
