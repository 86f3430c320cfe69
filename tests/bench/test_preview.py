"""The first preview of a stack, beside that of a flat program, and the phases of both by Pulumi's own traces."""

import json
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

import pytest

from sandbox.testing import Engine
from tests.bench.conftest import Bench, log, timed
from tests.bench.figures import FIRST_PREVIEW, NO_CHANGE, PHASES, Figure
from tests.bench.flat_stack import FlatStack, planned, require_same
from tests.sandbox.stack import Stack

pytestmark = pytest.mark.bench

GOAL = 1.35
"""Times the flat program."""
_PHASES = (
    "Pulumi starts, and asks which plugins there are",
    "the program is loaded; ours checks the config and reads the zone",
    "the kubernetes provider starts",
    "resources are registered; ours reads the gateway",
    "the plugins end",
)


@pytest.mark.parametrize("grouping", ["shared", "perHost"])
@pytest.mark.parametrize(("number", "runs"), [(2, 5), (100, 5), (1000, 1)], ids=["2", "100", "1000"])
def test_first_preview(bench: Bench, number: int, runs: int, grouping: str) -> None:
    number, runs = bench.hosts(number), bench.runs(runs)
    name = f"first-{number}-{grouping.lower()}"
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


def test_first_preview_phases(bench: Bench) -> None:
    stack = bench.stack("phases", 2)
    flat = FlatStack("phases-flat", bench.folder, stack)
    flat.take(planned(stack))
    ours, floor, runs = [], [], bench.runs(5)
    for run in range(runs):
        log.info("phases of a first preview: %d of %d", run + 1, runs)
        ours.append(phases(_traced(bench, stack)))
        floor.append(phases(_traced(bench, flat)))
    for name, of_ours, of_flat in zip(_PHASES, zip(*ours, strict=True), zip(*floor, strict=True), strict=True):
        bench.record(Figure(PHASES, name, of_ours, of_flat))


def measure_no_change(bench: Bench, stack: Stack, number: int) -> None:
    """Measure a preview of a stack that is up."""
    flat = FlatStack(f"{stack.name}-flat", bench.folder, stack)
    flat.take_state(stack)
    drivers = {"ours": stack, "flat": flat}
    works = {
        name: lambda driver=driver: driver.run("preview", "--expect-no-changes") for name, driver in drivers.items()
    }
    taken = bench.alternate(f"preview without changes: {number} hosts", works, 5)
    bench.record(Figure(NO_CHANGE, f"{number:,} hosts", taken["ours"], taken["flat"], most_ratio=GOAL))


def _traced(bench: Bench, stack: Engine) -> list[Mapping[str, Any]]:
    file = bench.folder / "traces.json"
    file.unlink(missing_ok=True)
    stack.run("preview", f"--otel-traces=file://{file}")
    return list(spans(file.read_text()))


def spans(text: str) -> Iterator[Mapping[str, Any]]:
    """Yield the spans of a file in OTLP's JSON, of which each line is a batch."""
    for line in text.splitlines():
        for resource in json.loads(line)["resourceSpans"]:
            for scope in resource["scopeSpans"]:
                yield from scope["spans"]


def phases(traced: list[Mapping[str, Any]]) -> list[float]:
    """Return the seconds of each phase."""

    def times(key: str, name: str) -> list[int]:
        return sorted(int(span[key]) for span in traced if span["name"] == name)

    begin, end = "startTimeUnixNano", "endTimeUnixNano"
    # The first is the stack itself, which both register before anything else.
    _, registered, *_ = times(begin, "pulumirpc.ResourceMonitor/RegisterResource")
    marks = [
        times(begin, "pulumi")[0],
        times(begin, "pulumirpc.LanguageRuntime/Run")[0],
        registered,
        times(end, "pulumirpc.ResourceProvider/Configure")[-1],
        times(begin, "pulumirpc.ResourceMonitor/SignalAndWaitForShutdown")[0],
        times(end, "pulumi")[0],
    ]
    return [(after - before) / 1e9 for before, after in pairwise(marks)]
