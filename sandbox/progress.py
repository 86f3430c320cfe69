"""Long work on a terminal: what, how many of how many, elapsed; the same in plain lines where there is none."""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)

from sandbox.tools import Report

_HEARTBEAT = 30.0
"""Seconds between lines about one long step where there is no terminal."""


@contextmanager
def task(console: Console, number: int, total: int, title: str) -> Iterator[Report]:
    """Show one step of several while it runs, and how long it took once it has succeeded.

    Yields a function that takes a line about what the step does at the moment.
    """
    began = time.monotonic()
    prefix = f"[{number}/{total}] {title}"
    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        row = progress.add_task(prefix, total=None)
        spoken = began

        def report(line: str) -> None:
            nonlocal spoken
            progress.update(row, description=f"{prefix}  {line}")
            if not console.is_terminal and time.monotonic() - spoken > _HEARTBEAT:
                spoken = time.monotonic()
                console.print(f"{prefix}  {line}  ({spoken - began:.0f} s)", markup=False, soft_wrap=True)

        yield report
    console.print(f"{prefix}  {time.monotonic() - began:.1f} s", markup=False, soft_wrap=True)


def show(console: Console, events: Iterable[dict[str, Any]]) -> None:
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
            if "step" in event:
                progress.update(row, description=event["step"], total=event["of"], completed=event["n"] - 1)
            if "up" in event:
                progress.console.print(f"The cluster is ready after {event['seconds']:.1f} s.")
            elif "seconds" in event:
                line = f"[{event['n']}/{event['of']}] {event['step']}  {event['seconds']:.1f} s"
                progress.console.print(line, markup=False, soft_wrap=True)
