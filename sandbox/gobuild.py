"""One Go build: run once for all sandboxes of a user, with its progress told and what it took recorded."""

import fcntl
import json
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

from sandbox.errors import SandboxError

TIMEOUT = 45 * 60
"""Seconds for one build, downloads included; the longest takes about six minutes on two cores."""

_RECORD = "build.json"
_ENVIRONMENT = {"GOFLAGS": "-mod=readonly -buildvcs=false", "GOWORK": "off"}


class Report(Protocol):
    """Takes what a running build does at the moment."""

    def __call__(self, doing: str, packages: int = 0) -> None:
        """Say what it does, and how many packages it has compiled so far."""


@dataclass(frozen=True)
class Record:
    """What a build took."""

    seconds: float
    """Downloads and linking included."""
    packages: int
    """Compiled by it; what an earlier build has compiled alike comes from Go's cache."""


@dataclass(frozen=True)
class Job:
    """What to build, and what from."""

    source: Path
    """The folder with go.mod and go.sum, and further files that are copied beside the programs."""
    packages: Sequence[str]
    programs: Sequence[str]
    flags: Sequence[str]
    """Of `go build`."""
    beside: Sequence[tuple[Path, str]] = ()
    """Files to copy beside the programs, and their names there."""


def run(job: Job, folder: Path, report: Report) -> None:
    """Make `folder` with the programs in it, unless another process has made it meanwhile.

    Raises:
        SandboxError: Go is missing, or the build failed or took too long; carries the build's last lines.
    """
    with _locked(folder.with_suffix(".lock"), report):
        if not folder.is_dir():
            _build(job, folder, report)


def record(folder: Path) -> Record | None:
    """What the build of a folder took; None where it was not recorded."""
    try:
        return Record(**json.loads((folder / _RECORD).read_text()))
    except FileNotFoundError:
        return None


@contextmanager
def _locked(lock: Path, report: Report) -> Iterator[None]:
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as handle:
        report("waiting for another sandbox that builds it")
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _build(job: Job, folder: Path, report: Report) -> None:
    if not shutil.which("go"):
        raise SandboxError(f"Go is needed to build {', '.join(job.programs)}, and there is no `go` on PATH.")
    began = time.monotonic()
    partial = folder.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    # One command for all of a project's programs: one is linked, on one core, while the next compiles. Several go into
    # a folder, under their packages' names; a single one is given its name.
    output = f"{partial}/" if len(job.packages) > 1 else f"{partial}/{job.programs[0]}"
    command = ["go", "build", "-v", *job.flags, "-o", output, *job.packages]
    compiled = _go(command, job.source, report)
    for path, name in job.beside:
        shutil.copy(path, partial / name)
    for source in job.source.iterdir():
        if source.suffix not in {".go", ".mod", ".sum"}:
            shutil.copy(source, partial)
    taken = Record(round(time.monotonic() - began, 3), compiled)
    (partial / _RECORD).write_text(json.dumps(asdict(taken)))
    partial.rename(folder)


def _go(command: list[str], cwd: Path, report: Report) -> int:
    """Run a build and return how many packages it compiled."""
    lines: list[str] = []
    deadline = time.monotonic() + TIMEOUT
    compiled = 0
    with subprocess.Popen(
        command, cwd=cwd, env=os.environ | _ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        watchdog = threading.Timer(TIMEOUT, process.kill)
        watchdog.start()
        try:
            assert process.stderr is not None  # noqa: S101 - PIPE was asked for
            for line in process.stderr:
                lines.append(line)
                if line.startswith("go: downloading "):
                    report(f"downloading {line.split()[2]}", compiled)
                elif not line.startswith(("go: ", "#")):
                    compiled += 1
                    report("compiling", compiled)
            process.wait()
        finally:
            watchdog.cancel()
            process.kill()
    if process.returncode:
        late = " It was stopped at its time limit." if time.monotonic() >= deadline else ""
        raise SandboxError(
            f"`{' '.join(command)}` failed in {cwd}.{late} Its last lines:\n{''.join(lines[-20:])}".rstrip()
        )
    return compiled
