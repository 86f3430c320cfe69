"""The phases of a preview, from Pulumi's traces."""

import json
from collections.abc import Mapping
from typing import Any

from tests.bench.test_preview import phases, spans

SECOND = 1_000_000_000


def span(name: str, begin: float, end: float) -> Mapping[str, Any]:
    return {"name": name, "startTimeUnixNano": f"{begin * SECOND:.0f}", "endTimeUnixNano": f"{end * SECOND:.0f}"}


SPANS = [
    span("pulumi", 0, 20),
    span("pulumirpc.LanguageRuntime/Run", 1, 18),
    span("pulumirpc.ResourceMonitor/RegisterResource", 2, 2.5),  # the stack
    span("pulumirpc.ResourceProvider/Configure", 2.5, 2.6),  # of gcp, for a look-up
    span("pulumirpc.ResourceMonitor/RegisterResource", 3, 7),
    span("pulumirpc.ResourceProvider/Configure", 6, 7),
    span("pulumirpc.ResourceMonitor/RegisterResource", 8, 9),
    span("pulumirpc.ResourceMonitor/SignalAndWaitForShutdown", 12, 12),
]


def test_the_phases_follow_each_other_from_the_first_to_the_last_moment() -> None:
    seconds = phases(SPANS)
    assert seconds == [1, 2, 4, 5, 8]
    assert sum(seconds) == 20, "nothing is left out"


def test_spans_are_read_of_every_batch() -> None:
    lines = [json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": SPANS[:3]}, {"spans": SPANS[3:]}]}]})] * 2
    assert list(spans("\n".join(lines))) == [*SPANS, *SPANS]
