"""What is printed of the rounds, and written down."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from sandbox import machine
from sandbox.instance import Instance
from tests.faults.hostile.play import Result
from tests.faults.page import seconds
from tests.faults.player import Player
from tests.faults.rounds import Played
from tests.faults.scenes import PlayedScenario

_COLUMNS = {
    "what": 10,
    "operation": 10,
    "fault": 20,
    "after": 7,
    "outcome": 20,
    "took": 7,
    "recovered": 10,
    "in all": 7,
}
_NUMBERS = {"after", "took", "recovered", "in all"}


@dataclass
class Progress:
    """How far the run has come.

    Attributes:
        of: How many are played.
        began: When, by `time.monotonic`.
        count: How many have been played.
    """

    of: int
    began: float
    count: int = 0

    def next(self) -> str:
        """Count one more and say so."""
        self.count += 1
        elapsed = int(time.monotonic() - self.began)
        return f"{self.count} of {self.of}, {elapsed // 60}:{elapsed % 60:02}"


def round_(out: Console, played: Played, progress: Progress) -> None:
    """Print a round, and what did not hold in it."""
    drawn = played.round
    took = {"after": drawn.after, "recovered": played.recovered, "in all": played.seconds}
    cells = [f"{drawn.seed}/{drawn.number}", drawn.operation, drawn.victim]
    _line(out, progress, cells, played.outcome, took)
    _told(out, played.told)
    _broken(out, played.broken, drawn.command)


def scenario(out: Console, played: PlayedScenario, seed: int, progress: Progress) -> None:
    """Print a scenario, and what did not hold in it."""
    name = played.scenario.name
    took = {"took": played.seconds, "recovered": played.recovered, "in all": played.in_all}
    _line(out, progress, ["scenario", played.scenario.operation, name], played.outcome, took)
    _told(out, played.told)
    _broken(out, played.broken, f"make faults SEED={seed} SCENARIOS={name}")


def _line(
    out: Console, progress: Progress, cells: Sequence[str], outcome: str, took: Mapping[str, float | None]
) -> None:
    told = progress.next()
    table = Table(box=None, show_header=progress.count == 1, padding=(0, 1, 0, 0))
    for name, width in _COLUMNS.items():
        table.add_column(name, width=width, justify="right" if name in _NUMBERS else "left")
    table.add_column("progress")
    shown = {name: seconds(took.get(name)) for name in _NUMBERS}
    table.add_row(*cells, shown["after"], outcome, shown["took"], shown["recovered"], shown["in all"], told)
    out.print(table)


def _told(out: Console, told: str) -> None:
    if told:
        out.print(f"    it said: {told}", style="dim", markup=False, no_wrap=True, overflow="ellipsis")


def _broken(out: Console, broken: Sequence[str], again: str) -> None:
    for each in broken:
        out.print(f"    {each}", style="red", markup=False)
    if broken:
        out.print(f"    again: {again}", markup=False)


def last(out: Console, player: Player) -> list[str]:
    """Destroy the stack; print and return what did not hold then."""
    broken = player.end()
    for each in broken:
        out.print(f"after the last destroy: {each}", style="red", markup=False)
    return broken


def write(
    path: Path, seed: int, rounds: Sequence[Played], scenarios: Sequence[PlayedScenario], hostile: Result
) -> None:
    """Write everything down as JSON; seconds have one decimal."""
    standins = Instance.require(os.environ["SANDBOX"]).request("status").standins
    result = {
        "machine": machine.facts(standins),
        "seed": seed,
        "scenarios": [
            {
                "name": each.scenario.name,
                "what": each.scenario.what,
                "operation": each.scenario.operation,
                "outcome": each.outcome,
                "told": each.told,
                "seconds": round(each.seconds, 1),
                "recovered": None if each.recovered is None else round(each.recovered, 1),
                "broken": each.broken,
            }
            for each in scenarios
        ],
        "rounds": [asdict(each) for each in rounds],
        "hostile": hostile.as_json() if hostile.configs else {},
    }
    path.write_text(json.dumps(result, indent=1) + "\n")
