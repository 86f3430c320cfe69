"""Figures: what was measured, beside its floor and its goal, by the headings of docs/numbers.md."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

COLUMNS = ("", "ours", "floor", "ours / floor", "goal: at most", "")
_COUNTED = "requests"
"""A unit that comes in whole numbers."""

FIRST_PREVIEW = "First preview"
UP = "`up` from an empty cluster"
UP_WITHOUT_ORDER = "`up` from an empty cluster, without its Order"
NO_CHANGE = "Preview without changes"
LOAD = "Under 500 requests a second"
VERIFY = "`tlsctl verify`"
SERVING = "Scale: 1,000 hosts"
UP_DNS01 = "Scale: `up` from an empty cluster, DNS-01"
SANDBOX = "The sandbox"
GROUPS = (FIRST_PREVIEW, UP, UP_WITHOUT_ORDER, NO_CHANGE, LOAD, VERIFY, SERVING, UP_DNS01, SANDBOX)
"""Headings of docs/numbers.md; `numbers.txt` says what the floor of each is."""


@dataclass(frozen=True)
class Figure:
    """One measured thing, in several runs that alternated with those of its floor.

    Attributes:
        group: The heading of docs/numbers.md.
        name: Its name in the group.
        ours: The value of each run.
        floor: The value of each run of the floor; empty where nothing is compared.
        unit: The unit of the values.
        most: The goal: the largest acceptable median.
        most_ratio: The goal: the largest acceptable ratio of the medians.
    """

    group: str
    name: str
    ours: Sequence[float]
    floor: Sequence[float] = ()
    unit: str = "s"
    most: float | None = None
    most_ratio: float | None = None

    @property
    def ratio(self) -> float | None:
        """The median divided by the floor's; None without a floor, or where the floor is zero."""
        if not self.floor or not statistics.median(self.floor):
            return None
        return statistics.median(self.ours) / statistics.median(self.floor)

    @property
    def goal(self) -> str:
        """The goal in words."""
        ratio = f"{self.most_ratio:g} x the floor" if self.most_ratio is not None else ""
        most = f"{self.most:g} {self.unit}" if self.most is not None else ""
        return " and ".join(filter(None, (ratio, most)))

    @property
    def met(self) -> bool | None:
        """Whether the goal is met; None without one."""
        if not self.goal:
            return None
        slow = self.most_ratio is not None and (self.ratio is None or self.ratio > self.most_ratio)
        return not slow and (self.most is None or statistics.median(self.ours) <= self.most)

    def row(self) -> list[str]:
        """Return the cells of its row, by `COLUMNS`."""
        ratio = "" if self.ratio is None else f"{self.ratio:.2f}"
        verdict = {True: "met", False: "not met", None: ""}[self.met]
        return [self.name, spread(self.ours, self.unit), spread(self.floor, self.unit), ratio, self.goal, verdict]


def amount(value: float, unit: str) -> str:
    """Return a value with its unit, with three significant digits where it is small."""
    digits = 0 if value >= 100 or unit == _COUNTED else 1 if value >= 10 else 2
    return f"{value:,.{digits}f} {unit}"


def spread(runs: Sequence[float], unit: str) -> str:
    """Return the median, the least and the most of the runs, and the number of runs."""
    if not runs:
        return ""
    middle = amount(statistics.median(runs), unit)
    if len(runs) == 1:
        return f"{middle} (1 run)"
    least, most = (amount(value, unit).removesuffix(f" {unit}") for value in (min(runs), max(runs)))
    return f"{middle} ({least} to {most}, {len(runs)} runs)"
