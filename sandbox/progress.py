"""Long work on a terminal: what, how many of how many, elapsed, what is left; plain lines where there is none."""

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)

from sandbox.gobuild import Record, Report
from sandbox.messages import Doing, Done, Event, Up

_HEARTBEAT = 30.0
"""Seconds between lines about one long step where there is no terminal."""
_LINKING = 0.95
"""How much of a build is done, at most, before it has ended."""
_TRUST = 15.0
"""Seconds of work after which a machine's own pace counts for as much as the usual one."""


class Builds:
    """Several builds, one after the other, and when they will be done."""

    def __init__(self, console: Console, usual: Sequence[Record]) -> None:
        """Begin with the first.

        Args:
            console: where to print.
            usual: what each build takes on the machine on which that was measured, in order.
        """
        self._console = console
        self._usual = usual
        self._compiling = 0.0
        """Seconds for which the builds before this one compiled; downloads say nothing of a machine's pace."""
        self._number = 0

    @contextmanager
    def next(self, title: str) -> Iterator[Report]:
        """Show the next build while it runs, and what it took once it has succeeded.

        Yields a function that takes what the build does at the moment.
        """
        usual = self._usual[self._number]
        self._number += 1
        began = spoken = time.monotonic()
        prefix = f"[{self._number}/{len(self._usual)}] build {title}"
        console = self._console
        columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
        compiled, first = 0, None
        with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
            row = progress.add_task(prefix, total=None)

            def report(doing: str, packages: int = 0) -> None:
                nonlocal spoken, compiled, first
                compiled = packages
                now = time.monotonic()
                if packages:
                    first = first or now
                    doing = f"{doing}, {packages} of about {max(usual.packages, packages)} packages"
                rest = self._left(packages, self._compiling + now - (first or now))
                progress.update(row, description=f"{prefix}  {doing}; {rest}")
                if not console.is_terminal and now - spoken > _HEARTBEAT:
                    spoken = now
                    line = f"{prefix}  {doing} ({now - began:.0f} s); {rest}"
                    console.print(line, markup=False, soft_wrap=True)

            yield report
        self._compiling += time.monotonic() - (first or began)
        took = f"{prefix}  {compiled} packages  {time.monotonic() - began:.1f} s"
        console.print(took, markup=False, soft_wrap=True)

    def _left(self, packages: int, elapsed: float) -> str:
        """Say what is left, as far as packages tell: at its end a build is linked, of which nothing is told."""
        before, usual = self._usual[: self._number - 1], self._usual[self._number - 1]
        share = min(packages / usual.packages, _LINKING)
        done = sum(each.seconds for each in before) + usual.seconds * share
        todo = sum(each.seconds for each in self._usual) - done
        return f"{spell(left(todo, done, elapsed))} left in all"


def left(todo: float, done: float, elapsed: float) -> float:
    """Seconds that are left.

    Args:
        todo: what is still to be done, in seconds on the usual machine.
        done: what has been done, the same.
        elapsed: the seconds that this took here; the longer, the more this machine's own pace counts.
    """
    return todo * (elapsed + _TRUST) / (done + _TRUST)


def spell(seconds: float) -> str:
    """A duration that is not exact: in minutes, from one on."""
    minutes = round(seconds / 60)
    return f"about {minutes} min" if minutes else "less than a minute"


def show(console: Console, events: Iterable[Event]) -> None:
    """Show a sandbox's start, stage by stage."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(20),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        row = progress.add_task("starting")
        for event in events:
            match event:
                case Up(seconds):
                    progress.console.print(f"The cluster is ready after {seconds:.1f} s.")
                case Done(title, number, of, seconds):
                    line = f"[{number}/{of}] {title}  {seconds:.1f} s"
                    progress.console.print(line, markup=False, soft_wrap=True)
                case Doing(title, number, of):
                    progress.update(row, description=title, total=of, completed=number - 1)
