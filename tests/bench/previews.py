"""Previews, beside those of a flat program: the first of a stack, and one that finds nothing to do."""

from dataclasses import dataclass, field
from functools import partial
from typing import Any

from components.specs.acme import GROUPINGS
from tests.bench import phases
from tests.bench.flat_stack import FlatStack, planned, require_same
from tests.bench.results import Figure, Goal
from tests.bench.runs import Bench, timed
from tests.bench.stacks import stack
from tests.sandbox.stack import Stack

_AGAINST = (
    "a flat program in Python that registers the same resources with the same inputs on the same two providers, "
    "without components and settings (`tests/bench/flat`)"
)
_NOTE = (
    "Beyond the flat program, ours loads the settings ([below](#imports)), checks the config, reads the zone and the "
    "gateway, and registers components."
)
_GOAL = Goal(ratio=1.15)
_SMALLEST = 2
_FEW = 1000
"""From so many hosts on, a run takes minutes."""


@dataclass
class _Pair:
    """A stack, and the flat program that registers the same; the first preview of ours tells what that is."""

    ours: Stack
    flat: FlatStack
    registered: list[dict[str, Any]] = field(default_factory=list)
    flatly: list[dict[str, Any]] = field(default_factory=list)

    def preview(self) -> None:
        self.registered = planned(self.ours)

    def preview_flat(self) -> None:
        self.flatly = planned(self.flat)


def first(bench: Bench) -> None:
    """Measure the first preview, of an empty cluster."""
    for number in bench.sizes(2, 100, 1000):
        for grouping in GROUPINGS:
            name, what = f"first-{number}-{grouping.lower()}", f"{number:,} hosts, {grouping}"
            ours = stack(bench, name, number, grouping)
            pair = _Pair(ours, FlatStack(f"{name}-flat", bench.folder, ours))
            taken: dict[str, list[float]] = {"ours": [], "flat": []}
            rounds = bench.times(1 if number >= _FEW else 5)
            for each in range(rounds):
                bench.say(f"first preview: {what}: ours and flat, {each + 1} of {rounds}")
                taken["ours"].append(timed(pair.preview))
                pair.flat.take(pair.registered)
                taken["flat"].append(timed(pair.preview_flat))
                same = require_same(pair.registered, pair.flatly)
            if number == _SMALLEST and grouping == GROUPINGS[0]:
                phases.measure(bench, ours, pair.flat)
            name = f"{what} ({same:,} resources)"
            bench.results.add(
                Figure("First preview", name, taken["ours"], taken["flat"], _AGAINST, goal=_GOAL, note=_NOTE)
            )


def no_change(bench: Bench, ours: Stack, number: int) -> None:
    """Measure a preview of a stack that stands."""
    flat = FlatStack(f"{ours.name}-flat", bench.folder, ours)
    flat.take_state(ours)
    nothing = ("preview", "--expect-no-changes")
    taken = bench.turns(
        f"preview without changes: {number} hosts",
        {"ours": partial(ours.run, *nothing), "flat": partial(flat.run, *nothing)},
        bench.times(5),
    )
    name = f"{number:,} hosts"
    bench.results.add(
        Figure("Preview without changes", name, taken["ours"], taken["flat"], _AGAINST, goal=_GOAL, note=_NOTE)
    )
