"""What is measured: figures, each beside its floor and its goal; read from JSON and written to it."""

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

FILE = Path(__file__).parent / "results.json"
"""The results that docs/numbers.md quotes."""


@dataclass(frozen=True)
class Goal:
    """What a figure should not be over: so many times its floor, so much, or both."""

    ratio: float | None = None
    most: float | None = None

    def __str__(self) -> str:
        """Say it."""
        ratio = [f"{self.ratio:g} x the floor"] if self.ratio is not None else []
        return " and ".join([*ratio, *([f"{self.most:g}"] if self.most is not None else [])])


@dataclass(frozen=True)
class Figure:
    """One thing that was measured, in several runs that took turns with those of its floor."""

    group: str
    """What it is a figure of: a heading."""
    name: str
    """What tells it from the others of the group."""
    ours: Sequence[float]
    """Of each run."""
    floor: Sequence[float] = ()
    """Of each run; none where nothing is compared."""
    against: str = ""
    """What the floor is."""
    unit: str = "s"
    goal: Goal | None = None
    note: str = ""
    """What else is to be known of it, such as what limits it."""

    @property
    def ratio(self) -> float | None:
        """How many times the floor it takes, by the medians; None without a floor, or where that is nothing."""
        if not self.ours or not self.floor or not statistics.median(self.floor):
            return None
        return statistics.median(self.ours) / statistics.median(self.floor)

    @property
    def met(self) -> bool | None:
        """Whether the goal is met; None without one."""
        if self.goal is None or not self.ours:
            return None
        over_floor = self.goal.ratio is not None and (self.ratio is None or self.ratio > self.goal.ratio)
        over_most = self.goal.most is not None and statistics.median(self.ours) > self.goal.most
        return not (over_floor or over_most)


@dataclass
class Results:
    """All figures of one `make bench`, and the machine that they are of."""

    machine: dict[str, str] = field(default_factory=dict)
    figures: list[Figure] = field(default_factory=list)
    missing: dict[str, str] = field(default_factory=dict)
    """Why there are no figures of something, by what."""

    def add(self, *figures: Figure) -> None:
        """Add figures."""
        self.figures += figures

    def groups(self) -> Mapping[str, list[Figure]]:
        """Return the figures by group, in the order in which they were measured."""
        found: dict[str, list[Figure]] = {}
        for each in self.figures:
            found.setdefault(each.group, []).append(each)
        return found

    def merged(self, newer: "Results") -> "Results":
        """Return these with newer ones in the place of those of the same group and name.

        Raises:
            ValueError: they are of another machine, or of other versions.
        """
        if self.machine != newer.machine:
            raise ValueError(
                "the results that there are were measured on another machine, or of other versions: measure all"
            )
        figures = {(each.group, each.name): each for each in (*self.figures, *newer.figures)}
        grouped = Results(self.machine, [*figures.values()]).groups()
        return Results(
            self.machine, [each for group in grouped.values() for each in group], self.missing | newer.missing
        )

    def dump(self) -> str:
        """Return the JSON."""
        return json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n"

    @classmethod
    def load(cls, text: str) -> "Results":
        """Return what `dump` wrote."""
        held = json.loads(text)
        figures = [
            Figure(**{**each, "goal": Goal(**each["goal"]) if each["goal"] else None}) for each in held["figures"]
        ]
        return cls(held["machine"], figures, held["missing"])


def amount(value: float, unit: str) -> str:
    """Return a measured value with its unit, with as many digits as mean something."""
    digits = 0 if value >= 100 or unit in COUNTED else 1 if value >= 10 else 2
    return f"{value:,.{digits}f} {unit}".rstrip()


COUNTED = ("", "requests")
"""Units that come in whole numbers."""


def spread(runs: Sequence[float], unit: str) -> str:
    """Return the median, the least and the most of the runs, and how many there were."""
    if not runs:
        return ""
    middle = amount(statistics.median(runs), unit)
    if len(runs) == 1:
        return f"{middle} (1 run)"
    least, most = (amount(each, unit).removesuffix(f" {unit}") for each in (min(runs), max(runs)))
    return f"{middle} ({least} to {most}, {len(runs)} runs)"


def row(figure: Figure) -> list[str]:
    """Return what a table says of a figure: its name, ours, the floor, the ratio, the goal, and whether it is met."""
    goal = str(figure.goal or "")
    if figure.goal and figure.goal.most is not None:
        goal += f" {figure.unit}"
    verdict: Any = {True: "met", False: "not met", None: ""}[figure.met]
    ratio = f"{figure.ratio:.2f}" if figure.ratio is not None else ""
    return [figure.name, spread(figure.ours, figure.unit), spread(figure.floor, figure.unit), ratio, goal, verdict]


COLUMNS = ("", "ours", "floor", "ours / floor", "goal: at most", "")
