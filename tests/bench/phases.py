"""Where the time of a first preview goes, by Pulumi's own traces of it (`--otel-traces`)."""

import json
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

from sandbox.testing import Engine
from tests.bench.flat_stack import FlatStack
from tests.bench.results import Figure
from tests.bench.runs import Bench
from tests.sandbox.stack import Stack

GROUP = "Where a first preview of 2 hosts spends its time"
_PHASES = (
    "Pulumi starts, and asks which plugins there are",
    "the program is loaded; ours checks the config and reads the zone",
    "the kubernetes provider starts",
    "resources are registered; ours reads the gateway",
    "the plugins end",
)
_AGAINST = "the same of the flat program"


def measure(bench: Bench, ours: Stack, flat: FlatStack) -> None:
    """Measure each phase of both."""
    taken: dict[str, list[list[float]]] = {"ours": [], "flat": []}
    rounds = bench.times(5)
    for number in range(rounds):
        bench.say(f"where a first preview spends its time: {number + 1} of {rounds}")
        taken["ours"].append(phases(_traced(bench.folder, ours)))
        taken["flat"].append(phases(_traced(bench.folder, flat)))
    for place, name in enumerate(_PHASES):
        both = {which: [each[place] for each in runs] for which, runs in taken.items()}
        bench.results.add(Figure(GROUP, name, both["ours"], both["flat"], _AGAINST))


def _traced(folder: Path, stack: Engine) -> list[Mapping[str, Any]]:
    file = folder / "traces.json"
    file.unlink(missing_ok=True)
    stack.run("preview", f"--otel-traces=file://{file}")
    return list(spans(file.read_text()))


def spans(text: str) -> Iterator[Mapping[str, Any]]:
    """Yield the spans of a file in OTLP's JSON, of which each line is a batch."""
    for line in text.splitlines():
        for resource in json.loads(line)["resourceSpans"]:
            for scope in resource["scopeSpans"]:
                yield from scope["spans"]


def phases(found: list[Mapping[str, Any]]) -> list[float]:
    """Return the seconds of each phase."""

    def begins(name: str) -> list[int]:
        return sorted(int(each["startTimeUnixNano"]) for each in found if each["name"] == name)

    def ends(name: str) -> list[int]:
        return sorted(int(each["endTimeUnixNano"]) for each in found if each["name"] == name)

    # The first is the stack itself, which both register before anything else.
    _, registered, *_ = begins("pulumirpc.ResourceMonitor/RegisterResource")
    marks = [
        begins("pulumi")[0],
        begins("pulumirpc.LanguageRuntime/Run")[0],
        registered,
        ends("pulumirpc.ResourceProvider/Configure")[-1],
        begins("pulumirpc.ResourceMonitor/SignalAndWaitForShutdown")[0],
        ends("pulumi")[0],
    ]
    return [(end - begin) / 1e9 for begin, end in pairwise(marks)]
