"""Progress of long work on a terminal, with the time that is left; plain lines elsewhere."""

import time
from collections.abc import Callable, Iterable, Sequence

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from sandbox.gobuild import Build, Report
from sandbox.messages import Status

_HEARTBEAT = 30.0
"""Seconds between lines about one build without a terminal."""
_LINKING = 0.95
"""The share of a build that compiling is at most: linking at its end reports no progress."""
_PACE = 300.0
"""The latest seconds of work, whose pace rich takes for that of the rest."""


def run_builds(console: Console, builds: Sequence[Build], run: Callable[[Build, Report], object]) -> None:
    """Run builds one after the other, with their progress, and with the cost of each one that has succeeded."""
    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    plain = not console.is_terminal
    with Progress(
        *columns, TimeRemainingColumn(), console=console, transient=True, disable=plain, speed_estimate_period=_PACE
    ) as progress:
        # In seconds on the usual machine.
        row = progress.add_task("", total=sum(build.usual.seconds for build in builds))
        for number, build in enumerate(builds, 1):
            title = f"[{number}/{len(builds)}] build {', '.join(build.programs)}"
            _run_build(progress, row, title, build, run)


def _run_build(
    progress: Progress, row: TaskID, title: str, build: Build, run: Callable[[Build, Report], object]
) -> None:
    console, task, usual = progress.console, progress.tasks[row], build.usual
    before, compiled = task.completed, 0
    began = printed = time.monotonic()

    def report(doing: str, packages: int) -> None:
        nonlocal printed, compiled
        compiled = packages
        if packages:
            doing = f"{doing}, {packages} of about {max(usual.packages, packages)} packages"
        share = min(packages / usual.packages, _LINKING)
        progress.update(row, description=f"{title}  {doing}", completed=before + usual.seconds * share)
        now = time.monotonic()
        if not console.is_terminal and now - printed > _HEARTBEAT:
            printed = now
            seconds = task.time_remaining or task.remaining or 0
            line = f"{title}  {doing} ({now - began:.0f} s); about {seconds / 60:.0f} min left in all"
            console.print(line, markup=False, soft_wrap=True)

    run(build, report)
    progress.update(row, completed=before + usual.seconds)
    console.print(f"{title}  {compiled} packages  {time.monotonic() - began:.1f} s", markup=False, soft_wrap=True)


def show(console: Console, statuses: Iterable[Status]) -> None:
    """Show the stages of a sandbox's start."""
    text = TextColumn("{task.description}")
    columns = (SpinnerColumn(), text, BarColumn(20), MofNCompleteColumn(), TimeElapsedColumn())
    printed = 0
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        row = progress.add_task("starting")
        for status in statuses:
            done = [stage for stage in status.stages if stage.seconds is not None]
            for stage in done[printed:]:
                line = f"[{stage.number}/{stage.of}] {stage.title}  {stage.seconds:.1f} s"
                progress.console.print(line, markup=False, soft_wrap=True)
            printed = len(done)
            if status.state == "up":
                progress.console.print(f"The cluster is ready after {status.seconds:.1f} s.")
            elif status.stages:
                latest = status.stages[-1]
                progress.update(row, description=latest.title, total=latest.of, completed=printed)
