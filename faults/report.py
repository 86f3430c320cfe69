"""What is printed of the rounds, and written down."""

from __future__ import annotations

import json
import os
import platform
import statistics
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from faults.draw import VICTIMS
from faults.rounds import Played

_COLUMNS = {"round": 9, "operation": 10, "victim": 14, "killed after": 12, "outcome": 21, "recovered": 10, "took": 7}


def line(out: Console, played: Played, progress: str, elapsed: float) -> None:
    """Print a round, and what did not hold in it."""
    table = Table(box=None, show_header=progress.startswith("1 "), padding=(0, 1, 0, 0))
    for name, width in _COLUMNS.items():
        table.add_column(name, width=width, justify="right" if name in ("recovered", "took") else "left")
    table.add_column("progress")
    drawn = played.round
    table.add_row(
        f"{drawn.seed}/{drawn.number}",
        drawn.operation,
        drawn.victim,
        f"{drawn.after:.1f} s",
        f"[red]{played.outcome}[/]" if played.broken else played.outcome,
        "" if played.recovered is None else f"{played.recovered:.1f} s",
        f"{played.seconds:.0f} s",
        f"{progress}, {int(elapsed) // 60}:{int(elapsed) % 60:02}",
    )
    out.print(table)
    for broken in played.broken:
        out.print(f"    {broken}", style="red", markup=False)
    if played.broken:
        out.print(f"    again: {drawn.command}", markup=False)


def by_victim(played: Sequence[Played]) -> list[dict[str, Any]]:
    """Return for each victim how often it was killed, what came of it, and the recovery's median and worst."""
    found = []
    for victim in VICTIMS:
        rounds = [each for each in played if each.round.victim == victim and each.recovered is not None]
        seconds = [each.recovered for each in rounds if each.recovered is not None]
        if rounds:
            found.append(
                {
                    "victim": victim,
                    "kills": len(rounds),
                    "wentThrough": sum(each.outcome == "went through" for each in rounds),
                    "medianSeconds": round(statistics.median(seconds), 1),
                    "worstSeconds": round(max(seconds), 1),
                    "broken": sum(bool(each.broken) for each in rounds),
                }
            )
    return found


def summary(out: Console, played: Sequence[Played]) -> None:
    """Print the recovery by victim."""
    table = Table("victim", "kills", "went through", "median", "worst", "broken", box=None)
    for column in table.columns[1:]:
        column.justify = "right"
    for each in by_victim(played):
        table.add_row(
            each["victim"], str(each["kills"]), str(each["wentThrough"]), f"{each['medianSeconds']:.1f} s",
            f"{each['worstSeconds']:.1f} s", str(each["broken"]),
        )  # fmt: skip
    out.print(table)


def write(path: Path, seed: int, played: Sequence[Played]) -> None:
    """Write everything down as JSON."""
    machine = {"cores": os.cpu_count(), "python": platform.python_version(), "kernel": platform.release()}
    result = {
        "seed": seed,
        "machine": machine,
        "victims": by_victim(played),
        "rounds": [asdict(each) for each in played],
    }
    path.write_text(json.dumps(result, indent=1) + "\n")
