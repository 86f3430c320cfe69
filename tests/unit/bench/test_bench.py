"""What would make the figures of `make bench` wrong without a failure; and the pages that quote figures."""

import json
import statistics
from pathlib import Path
from typing import Any

import pytest

from components.specs.acme import PROD
from config.limits import DAY, HOUR, LETS_ENCRYPT
from tests import recording
from tests.bench import page
from tests.bench.figures import GROUPS, Figure
from tests.bench.flat_stack import raw, require_same
from tests.bench.load import read

ROOT = Path(__file__).parents[3]


def test_docs_show_every_recorded_figure() -> None:
    reports = recording.read(page.FILE)
    text = page.PAGE.read_text()
    assert text == page.page(reports, recording.read(page.REAL)), "python -m tests.bench.page"
    figures = [Figure(**figure) for figure in recording.recorded(reports, "figure")]
    assert {figure.group for figure in figures} == set(GROUPS), "each group has figures"
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    for figure in figures:
        (cells,) = [cells for cells in rows if cells[:2] == figure.row()[:2]]
        median = statistics.median(figure.ours)
        shown = float(cells[1].split()[0].replace(",", ""))
        assert shown == pytest.approx(median, abs=0.5 if median >= 100 else 0.05 if median >= 10 else 0.005)
        limits = [figure.most] if figure.most is not None else []
        if figure.most_ratio is not None:
            limits.append(figure.most_ratio * statistics.median(figure.floor))
        if limits:
            assert cells[-1] == ("met" if median <= min(limits) else "not met")
    machine = recording.recorded(reports, "machine")[0]
    assert all([key, value] in rows for key, value in machine.items()), "and the machine"


def report(test: str, cores: str, name: str) -> recording.Report:
    return {"nodeid": test, "user_properties": [["machine", {"cores": cores}], ["figure", name]]}


def test_a_new_result_replaces_the_one_of_the_same_test_on_the_same_machine() -> None:
    older = [report("a", "2", "1 host"), report("b", "2", "2 hosts")]
    merged = recording.merged(older, [report("a", "2", "3 hosts")])
    assert recording.recorded(merged, "figure") == ["3 hosts", "2 hosts"], "in the same order"
    with pytest.raises(ValueError, match="another machine"):
        recording.merged(older, [report("a", "4", "3 hosts")])


def registered(kind: str, **inputs: Any) -> dict[str, Any]:
    return {"urn": f"urn:pulumi:dev::tls::{kind}::{kind}", "custom": True, "type": kind, "inputs": inputs}


def test_the_floor_registers_a_release_without_what_the_provider_adds_empty() -> None:
    empty = {"disableCRDHooks": False, "maxHistory": 0, "keyring": "", "valueYamlFiles": [], "repositoryOpts": {}}
    release = registered("kubernetes:helm.sh/v3:Release", chart="cert-manager", timeout=300, **empty)
    assert [resource["inputs"] for resource in raw([release])] == [{"chart": "cert-manager", "timeout": 300}]


def test_the_floor_registers_the_same_resources_or_is_refused() -> None:
    gateway, route = registered("Gateway", spec={}), registered("VirtualService", metadata={"name": "tls"})
    in_default = registered("VirtualService", metadata={"name": "tls", "namespace": "default"})
    component = {"urn": "urn:pulumi:dev::tls::Tls::tls", "custom": False, "type": "Tls"}
    assert require_same([component, gateway, route], [gateway, in_default]) == 2
    with pytest.raises(ValueError, match="'VirtualService': 1"):
        require_same([gateway, route], [gateway])
    with pytest.raises(ValueError, match="the same inputs of Gateway"):
        require_same([gateway], [registered("Gateway", spec={"servers": []})])


def line(second: float, *, code: int = 200, error: str = "") -> str:
    """A result of the load; each took half a second."""
    at = f"2026-11-25T10:00:{second:012.9f}Z"
    return json.dumps({"timestamp": at, "latency": 500_000_000, "code": code, "error": error})


def test_the_load_counts_failures_and_the_longest_time_without_a_success() -> None:
    seen = read([line(0), line(1), line(2, code=503, error="503 Service Unavailable"), line(3.25), line(4, code=0)])
    assert (seen.requests, seen.failed, seen.problems) == (5, 2, ("503 Service Unavailable", "0"))
    assert seen.gap == pytest.approx(2.25), "from the second answer to the fourth"
    assert seen.seconds == pytest.approx(4.5)
    assert read([line(0), line(1, code=503), line(9, code=503)]).gap == pytest.approx(9), "until the load's end"
    assert read([line(0, code=503), line(9, code=503)]).gap == pytest.approx(9.5), "nothing succeeded at all"


def test_the_arithmetic_of_several_clusters() -> None:
    same = LETS_ENCRYPT[PROD].same_names
    waits = [max(0, clusters - same.tokens) * same.seconds / HOUR for clusters in (5, 6, 10)]
    assert waits == pytest.approx([0, 33.6, 168])
    signed = [same.tokens + int(days * DAY / same.seconds + 1e-9) for days in (30, 15)]
    assert signed == [26, 15]
    text = " ".join((ROOT / "docs" / "limits.md").read_text().split())
    for quoted in ("every 33.6 hours", "sixth waits 33.6 hours", "tenth 7 days", "26 clusters", "15 clusters"):
        assert quoted in text
    assert f"{LETS_ENCRYPT[PROD].certificates.tokens} certificates a week" in text
