"""docs/faults.md follows from the recorded results."""

from typing import Any

import pytest

from tests import recording
from tests.faults import page
from tests.faults.scenarios import SCENARIOS

ROUND: dict[str, Any] = {"victim": "etcd", "seed": 7, "outcome": "went through", "recovered": 2.0, "broken": []}
SCENARIO = {"name": "disk-full", "outcome": "failed", "seconds": 3.21, "recovered": None, "broken": []}
HOSTILE = {"configs": 10_000, "seed": 1, "valid": 2_000, "refused": 8_000, "seconds": 100.0, "broken": []}
RESULTS = [
    ("machine", {"cores": 2}),
    ("round", ROUND),
    ("round", {**ROUND, "outcome": "failed", "recovered": 6.0}),
    ("round", {**ROUND, "outcome": "failed", "recovered": 4.0, "broken": ["up failed without naming the cause: 42"]}),
    ("round", {**ROUND, "outcome": "failed", "recovered": None, "broken": ["it did not come to its end"]}),
    ("round", {**ROUND, "victim": "DNS", "outcome": "over before the kill", "recovered": None}),
    ("scenario", SCENARIO),
    ("hostile", HOSTILE),
]


def made(*results: tuple[str, Any]) -> str:
    return page.page([{"user_properties": results}])


def test_docs_show_the_recorded_results() -> None:
    reports, text = recording.read(page.FILE), page.PAGE.read_text()
    assert text == page.page(reports), "python -m tests.faults.page"
    assert page.NOT_MEASURED not in text
    played = recording.recorded(reports, "scenario")
    assert [one["name"] for one in played] == [scenario.name for scenario in SCENARIOS], "each scenario was played"
    for one in played:
        assert f"| `{one['name']}` | {one['outcome']} |" in text
    rounds = recording.recorded(reports, "round")
    through = sum(one["outcome"] == "went through" for one in rounds)
    assert f"| all | {len(rounds)} | {through} |" in text


def test_a_part_has_its_rounds_its_outcomes_and_its_recoveries() -> None:
    text = made(*RESULTS)

    assert "| etcd | 4 | 1 | 2 | 4.0 s | 6.0 s | 2 |" in text, "one broke before it recovered"
    assert "| DNS | 1 | 0 | 0 |  |  | 0 |" in text, "its round was over before the kill"
    assert "| all | 5 | 1 | 2 | 4.0 s | 6.0 s | 2 |" in text
    assert "| `disk-full` | failed | 3.2 s |  | 0 |" in text
    assert "10,000 configs of seed 1 in 100 s (100 a second): 2,000 were accepted, 8,000 refused, 0 broke" in text
    assert "{" not in text, "every placeholder is filled"


@pytest.mark.parametrize(("part", "heading"), [
    ("round", "### Parts killed at random"), ("scenario", "### Scenarios played"), ("hostile", "### Hostile configs"),
    ("machine", "## Results"),
])  # fmt: skip
def test_a_part_without_results_is_marked_as_not_measured(part: str, heading: str) -> None:
    text = made(*(result for result in RESULTS if result[0] != part))

    assert f"{heading}\n\n{page.NOT_MEASURED}" in text
    assert text.count(page.NOT_MEASURED) == 1
