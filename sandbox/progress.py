"""Progress of long work on a terminal, with the time that is left; plain lines elsewhere."""

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from sandbox.gobuild import Record, Report
from sandbox.messages import Status

_HEARTBEAT = 30.0
"""Seconds between lines about one build without a terminal."""
_LINKING = 0.95
"""The share of a build that compiling is at most: linking at its end reports no progress."""
_TRUST = 15.0
"""Seconds of work after which this machine's pace counts as much as the usual one."""


class Builds:
    """The progress of several builds, one after the other."""

    def __init__(self, console: Console, usual: Sequence[Record]) -> None:
        """Start with the first build.

        Args:
            console: where to print.
            usual: the usual costs of the builds, in order.
        """
        self._console = console
        self._usual = usual
        self._compiling = 0.0
        """Seconds of compiling before this build; the time of downloads does not tell a machine's pace."""
        self._number = 0

    @contextmanager
    def next(self, title: str) -> Iterator[Report]:
        """Show the next build while it runs, and its cost once it has succeeded.

        Yields the function to report progress to.
        """
        usual = self._usual[self._number]
        self._number += 1
        began = printed = time.monotonic()
        prefix = f"[{self._number}/{len(self._usual)}] build {title}"
        console = self._console
        columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
        compiled, first = 0, None
        with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
            row = progress.add_task(prefix, total=None)

            def report(doing: str, packages: int) -> None:
                nonlocal printed, compiled, first
                compiled = packages
                now = time.monotonic()
                if packages:
                    first = first or now
                    doing = f"{doing}, {packages} of about {max(usual.packages, packages)} packages"
                rest = self._left(packages, self._compiling + now - (first or now))
                progress.update(row, description=f"{prefix}  {doing}; {rest}")
                if not console.is_terminal and now - printed > _HEARTBEAT:
                    printed = now
                    line = f"{prefix}  {doing} ({now - began:.0f} s); {rest}"
                    console.print(line, markup=False, soft_wrap=True)

            yield report
        self._compiling += time.monotonic() - (first or began)
        cost = f"{compiled} packages  {time.monotonic() - began:.1f} s"
        console.print(f"{prefix}  {cost}", markup=False, soft_wrap=True)

    def _left(self, packages: int, elapsed: float) -> str:
        before, usual = self._usual[: self._number - 1], self._usual[self._number - 1]
        share = min(packages / usual.packages, _LINKING)
        done = sum(build.seconds for build in before) + usual.seconds * share
        todo = sum(build.seconds for build in self._usual) - done
        return f"{spell(left(todo, done, elapsed))} left in all"


def left(todo: float, done: float, elapsed: float) -> float:
    """Return the seconds that are left.

    Args:
        todo: the rest of the work, in seconds on the usual machine.
        done: the work so far, in seconds on the usual machine.
        elapsed: the seconds that it took on this machine.
    """
    return todo * (elapsed + _TRUST) / (done + _TRUST)


def spell(seconds: float) -> str:
    """Return an estimated duration in words."""
    minutes = round(seconds / 60)
    return f"about {minutes} min" if minutes else "less than a minute"


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
