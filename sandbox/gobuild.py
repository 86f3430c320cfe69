"""One Go build: run once for all sandboxes of a user, with progress, and with a record of what it took."""

import fcntl
import json
import os
import resource
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from sandbox.errors import SandboxError

BUILDS = Path(__file__).parent / "builds"
GCFLAGS = "-gcflags=all=-dwarf=false"
"""Omits debug information, which the linker would drop: a tenth less to compile."""
TIMEOUT = 45 * 60
"""Seconds for one build, downloads included; the longest takes about six minutes on two cores."""

_RECORD = "build.json"
_ENVIRONMENT = {
    "GOFLAGS": "-mod=readonly -buildvcs=false",
    "GOWORK": "off",
    # A fifth of what the compiler does is to collect garbage. The largest package takes 570 MB so, instead of 420.
    "GOGC": "400",
}

Report = Callable[[str, int], None]
"""Takes what a running build does, and how many packages it has compiled so far."""


@dataclass(frozen=True)
class Record:
    """The cost of a build."""

    seconds: float
    """Including downloads and linking."""
    packages: int
    """How many packages it compiled; Go's cache provides those that an earlier build has compiled."""
    processor: float = 0
    """Seconds of processor time, of all cores together."""


@dataclass(frozen=True)
class Build:
    """One Go build: a folder of `sandbox/builds`, and the packages that become programs."""

    folder: str
    packages: tuple[str, ...]
    ldflags: str = "-s -w"
    system: bool = False
    """Whether programs of the same names on PATH are preferred."""
    beside: tuple[tuple[str, str], ...] = ()
    """Files to copy beside the programs: the path in the first package's module, and the name of the copy."""
    links: tuple[str, ...] = ()
    """The names of the first program, where it is several in one and looks under which name it is started."""
    usual: Record = field(kw_only=True)
    """The cost in this order on two idle cores with an empty cache, to estimate the time that is left."""

    @property
    def programs(self) -> tuple[str, ...]:
        """The names of the programs: one per package, or the links to the first and one per further package."""
        return (*self.links, *self.binaries[1:]) if self.links else self.binaries

    @property
    def binaries(self) -> tuple[str, ...]:
        """The names of what is linked, one per package."""
        return tuple(self.folder if package == "." else package.rsplit("/", 1)[1] for package in self.packages)

    @property
    def source(self) -> Path:
        """The folder with go.mod and go.sum; its files other than Go's are copied beside the programs."""
        return BUILDS / self.folder


def run(build: Build, folder: Path, report: Report, beside: Sequence[tuple[Path, str]] = ()) -> None:
    """Make `folder` with the programs and copies of further files in it, unless another process has made it meanwhile.

    Raises:
        SandboxError: Go is missing, or the build failed or took too long; contains the build's last lines.
    """
    with _locked(folder.with_suffix(".lock"), report):
        if not folder.is_dir():
            _build(build, folder, report, beside)


def record(folder: Path) -> Record | None:
    """Return the cost of the build that made a folder; None if it was not recorded."""
    try:
        return Record(**json.loads((folder / _RECORD).read_text()))
    except FileNotFoundError:
        return None


@contextmanager
def _locked(lock: Path, report: Report) -> Iterator[None]:
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as handle:
        report("waiting for another sandbox that builds it", 0)
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _build(build: Build, folder: Path, report: Report, beside: Sequence[tuple[Path, str]]) -> None:
    if not shutil.which("go"):
        raise SandboxError(
            f"Go is needed to build {', '.join(build.programs)}, and there is no `go` on PATH. Install it: "
            "https://go.dev/doc/install"
        )
    began, used = time.monotonic(), _processor()
    partial = folder.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    # One command for all programs of a project: one is linked, on one core, while the next compiles. Several programs
    # are named after their packages; a single one gets its name here.
    output = f"{partial}/" if len(build.packages) > 1 else f"{partial}/{build.binaries[0]}"
    command = ["go", "build", "-v", GCFLAGS, "-ldflags", build.ldflags, "-o", output, *build.packages]
    compiled = _go(command, build.source, report)
    # Hard links: the node follows symbolic ones, and the program would not see its name.
    for name in build.links:
        (partial / name).hardlink_to(partial / build.binaries[0])
    for path, name in beside:
        shutil.copy(path, partial / name)
    for file in build.source.iterdir():
        if file.suffix not in {".go", ".mod", ".sum"}:
            shutil.copy(file, partial)
    cost = Record(round(time.monotonic() - began, 3), compiled, round(_processor() - used, 3))
    (partial / _RECORD).write_text(json.dumps(asdict(cost)))
    partial.rename(folder)


def _processor() -> float:
    """Return the seconds of processor time of all commands that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


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
