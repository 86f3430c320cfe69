"""docs/faults.md is what faults/results.json says."""

import json

import pytest
from markdown_it import MarkdownIt

from tests.faults import page
from tests.unit.test_documents import DOCS

ROUND = {"round": {"victim": "etcd"}, "outcome": "went through", "recovered": 2.0, "broken": []}
RESULTS = {
    "machine": {"cores": 2},
    "seed": 7,
    "rounds": [
        ROUND,
        {**ROUND, "outcome": "failed", "recovered": 6.0},
        {**ROUND, "outcome": "failed", "recovered": 4.0, "broken": ["up failed without naming the cause: 42"]},
        {"round": {"victim": "DNS"}, "outcome": "over before the kill", "recovered": None, "broken": []},
    ],
    "scenarios": [
        {
            "name": "disk-full",
            "what": "a | b\n| c",
            "outcome": "failed",
            "seconds": 3.21,
            "recovered": None,
            "broken": [],
        }
    ],
    "hostile": {"configs": 10_000, "seed": 1, "valid": 2_000, "refused": 8_000, "seconds": 100.0, "broken": []},
}


def test_the_page_is_made_of_the_results_that_there_are() -> None:
    results = json.loads(page.FILE.read_text()) if page.FILE.exists() else None

    assert (DOCS / "faults.md").read_text() == page.page(results), "python -m tests.faults.page > docs/faults.md"
    assert page.page(None) == page.ABOUT.read_text(), "nothing is claimed that was not measured"


def test_the_page_has_every_part_that_was_killed_and_every_scenario() -> None:
    made = page.page(RESULTS)

    assert "| etcd | 3 | 1 | 1 | 4.0 s | 6.0 s | 1 |" in made
    assert "| DNS | 1 | 0 | 0 |  |  | 0 |" in made, "its round was over before the kill"
    assert "| all | 4 | 1 | 1 | 4.0 s | 6.0 s | 1 |" in made
    assert "| `disk-full` | a \\| b \\| c | failed | 3.2 s |  | 0 |" in made, "a text stays in its cell"
    assert "10,000 configs of seed 1 in 100 s (100 a second): 2,000 were accepted, 8,000 refused, 0 broke" in made
    assert rows(made) == rows(page.page(None)) + 4 + 2, "rounds and scenarios, with their heads"


def rows(text: str) -> int:
    return sum(token.type == "tr_open" for token in MarkdownIt("gfm-like", {"linkify": False}).parse(text))


@pytest.mark.parametrize(("part", "heading"), [
    ("rounds", "### Parts killed at random"), ("scenarios", "### Scenarios"), ("hostile", "### Hostile configs"),
    ("machine", "## Results"),
])  # fmt: skip
def test_a_part_without_results_is_said_not_to_be_measured(part: str, heading: str) -> None:
    made = page.page({key: value for key, value in RESULTS.items() if key != part})

    assert f"{heading}\n\n{page.NOT_MEASURED}" in made
    assert made.count(page.NOT_MEASURED) == 1
