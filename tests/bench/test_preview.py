"""The first preview of a stack, and one without changes, beside those of a flat program."""

from typing import Any

import pytest

from sandbox.testing import Engine
from tests.bench.conftest import GATEWAY_API, Bench, log, timed
from tests.bench.figures import FIRST_PREVIEW, NO_CHANGE, Figure
from tests.bench.flat_stack import FlatStack, planned, require_same
from tests.sandbox.stack import Stack

pytestmark = pytest.mark.bench

GOAL = 1.35
"""Times the flat program."""


@pytest.mark.parametrize("grouping", ["shared", "perHost", pytest.param(GATEWAY_API, id="gateway")])
@pytest.mark.parametrize(("number", "runs"), [(2, 5), (100, 5), (1000, 1)], ids=["2", "100", "1000"])
def test_first_preview(bench: Bench, number: int, runs: int, grouping: str) -> None:
    number, runs = bench.hosts(number), bench.runs(runs)
    name = f"first-{number}-{grouping.split()[-1].lower()}"
    stack = bench.stack(name, number, grouping)
    flat = FlatStack(f"{name}-flat", bench.folder, stack)
    registered: dict[str, list[dict[str, Any]]] = {}

    def preview(which: str, driver: Engine) -> float:
        return timed(lambda: registered.update({which: planned(driver)}))

    ours, floor, resources = [], [], 0
    for run in range(runs):
        log.info("first preview: %d hosts, %s: ours and flat, %d of %d", number, grouping, run + 1, runs)
        ours.append(preview("ours", stack))
        flat.take(registered["ours"])
        floor.append(preview("flat", flat))
        resources = require_same(registered["ours"], registered["flat"])
    name = f"{number:,} hosts, {grouping} ({resources:,} resources)"
    bench.record(Figure(FIRST_PREVIEW, name, ours, floor, most_ratio=GOAL))


def measure_no_change(bench: Bench, stack: Stack, number: int, suffix: str = "") -> None:
    """Measure a preview of a stack that is up."""
    flat = FlatStack(f"{stack.name}-flat", bench.folder, stack)
    flat.take_state(stack)
    drivers = {"ours": stack, "flat": flat}
    works = {
        name: lambda driver=driver: driver.run("preview", "--expect-no-changes") for name, driver in drivers.items()
    }
    taken = bench.alternate(f"preview without changes: {number} hosts", works, 5)
    bench.record(Figure(NO_CHANGE, f"{number:,} hosts{suffix}", taken["ours"], taken["flat"], most_ratio=GOAL))
