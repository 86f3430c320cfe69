"""The scenarios: which there are, and what decides their moments."""

import random
import re

import pytest

from tests.faults.page import ABOUT
from tests.faults.scenarios import SCENARIOS
from tests.faults.scenarios_acme import two_in_three


def test_the_page_has_every_scenario_in_the_order_of_play_with_what_is_done() -> None:
    rows = re.findall(r"^\| `([a-z-]+)` \| (.+?) \|", ABOUT.read_text(), re.MULTILINE)
    assert rows == [(name, scenario.what) for name, scenario in SCENARIOS.items()]


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_cause_matches_its_own_words_and_no_other_scenarios(name: str) -> None:
    cause = SCENARIOS[name].cause
    if not cause:
        return
    assert not re.search(cause, ""), "a failure that says nothing names no cause"
    (row,) = (line for line in ABOUT.read_text().splitlines() if line.startswith(f"| `{name}`"))
    promised = re.findall(r"`([^`]+)`", row.split(" | ")[2])[-1]
    assert promised.split("(")[0] in cause.replace("\\", ""), "the page promises what is looked for"
    for other, scenario in SCENARIOS.items():
        if other != name and scenario.cause:
            assert not re.search(cause, scenario.cause), "one failure is not taken for another"


def test_two_in_three_nonces_are_rejected_the_same_each_time() -> None:
    def first(seed: int) -> list[bool]:
        rejects = two_in_three(random.Random(seed))  # noqa: S311 - no secret
        return [rejects(f"/order/{number % 2}") for number in range(300)]

    assert sum(first(1)) == 200
    assert first(1) == first(1), "by the seed alone"
    assert first(1) != first(2)
