"""Figures: what was measured, beside its floor and its goal, and the groups in which docs/numbers.md shows them."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

COLUMNS = ("", "ours", "floor", "ours / floor", "goal: at most", "")
_COUNTED = "requests"
"""A unit that comes in whole numbers."""


@dataclass(frozen=True)
class Group:
    """A table of docs/numbers.md.

    Attributes:
        title: The heading.
        floor: What the floor of its figures is.
        note: What a reader has to know beside the figures.
    """

    title: str
    floor: str = ""
    note: str = ""


_FLAT = Group(
    "First preview",
    "a flat program in Python that registers the same resources with the same inputs on the same two providers, "
    "without components and settings (`tests/bench/flat`)",
    "Beyond the flat program, ours loads the settings, checks the config, reads the zone and the gateway, and "
    "registers components.",
)
PHASES = Group("Where a first preview of 2 hosts spends its time", "the same phase of the flat program")
FIRST_PREVIEW = _FLAT
UP = Group(
    "`up` from an empty cluster",
    "with 2 hosts, `helm install --wait` of the same chart and values, `kubectl apply` of the same objects, one "
    "request for all record sets, and `kubectl wait` for the same conditions; with more, the time of the Order, from "
    "its creation until its CertificateRequest is Ready, which the objects give in whole seconds",
)
UP_WITHOUT_ORDER = Group(
    "`up` from an empty cluster, without its Order",
    "2 hosts by hand, without their Order",
    "The time that remains without the Order: Pulumi starts, cert-manager is installed, before which nothing can be "
    "ordered, and each host gets what it needs beside its challenge.",
)
NO_CHANGE = Group("Preview without changes", _FLAT.floor, _FLAT.note)
LOAD = Group(
    "Under 500 requests a second",
    "the same load while nothing changes: 10 s of it for the renewal; for the change to prod, while `pulumi up` finds "
    "nothing to do, since all of them share the machine",
    "The load is [vegeta](https://github.com/tsenart/vegeta): 500 requests a second, 50 of them each in a new "
    "connection, whose handshake verifies the chain.",
)
VERIFY = Group(
    "`tlsctl verify`",
    "one TLS handshake with each host, one after the other, that verifies the chain",
    "The start of the command is not included.",
)
SERVING = Group(
    "Scale: 1,000 hosts",
    "the memory before the hosts were made",
    "Memory is the proportional set size; memory of earlier work may not all have been given back. A Secret is "
    "changed by `kubectl apply`; the time runs from the end of that command until the first handshake that presents "
    "the new certificate, tried every hundredth of a second.",
)
UP_DNS01 = Group(
    "Scale: `up` from an empty cluster, DNS-01",
    "the time of the Orders, from the creation of the first until the last CertificateRequest is Ready",
    "With `PULUMI_PARALLEL=64` and `PULUMI_SKIP_CHECKPOINTS=true`.",
)
SANDBOX = Group(
    "The sandbox", note="Each build records its time when it is made; tools that were installed were not built."
)
GROUPS = (PHASES, FIRST_PREVIEW, UP, UP_WITHOUT_ORDER, NO_CHANGE, LOAD, VERIFY, SERVING, UP_DNS01, SANDBOX)
"""In the order of the page."""


@dataclass(frozen=True)
class Figure:
    """One measured thing, in several runs that alternated with those of its floor.

    Attributes:
        group: The title of its group.
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
