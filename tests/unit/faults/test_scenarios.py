"""The scenarios: their causes, their moments, and how an operation's end is judged."""

import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.faults.invariants import Ended
from tests.faults.player import Played, Settled
from tests.faults.scenarios import SCENARIOS
from tests.faults.scenarios_acme import two_in_three
from tests.faults.stage import Scenario, Stage
from tests.faults.test_scenarios import Scenes

ROOT = Path(__file__).parents[3]
FAILING = [scenario for scenario in SCENARIOS if scenario.cause]


@pytest.mark.parametrize("scenario", FAILING, ids=lambda scenario: scenario.name)
def test_a_cause_matches_its_own_words_and_those_of_no_other_scenario(scenario: Scenario) -> None:
    assert not re.search(scenario.cause, ""), "an empty failure names no cause"
    promised = re.findall(r"`([^`]+)`", scenario.ends)[-1]
    assert promised.split("(")[0] in scenario.cause.replace("\\", ""), "the page promises what the scenario looks for"
    others = [other.cause for other in FAILING if other is not scenario]
    assert not any(re.search(scenario.cause, cause) for cause in others), "one failure is not mistaken for another"


@pytest.mark.parametrize("name", ["account-lost", "challenge-errored"])
def test_a_cause_in_the_programs_own_words_is_in_its_source(name: str) -> None:
    (scenario,) = [scenario for scenario in FAILING if scenario.name == name]
    words = re.findall(r"`([^`]+)`", scenario.ends)[-1]
    assert any(words in file.read_text() for file in (ROOT / "components").rglob("*.py")), words


def test_the_seed_alone_decides_which_two_in_three_nonces_are_rejected() -> None:
    def first(seed: int) -> list[bool]:
        rejects = two_in_three(random.Random(seed))  # noqa: S311 - no secret
        return [rejects(f"/order/{number % 2}") for number in range(300)]

    assert sum(first(1)) == 200
    assert first(1) == first(1)
    assert first(1) != first(2)


class Settling(Scenes):
    """A player for which nothing is left to do after an operation."""

    def __init__(self) -> None:
        pass

    def settle(self, ended: Ended, done: float, *, again: bool = False) -> Settled:  # noqa: ARG002 - the player's
        return Settled(done)


@pytest.mark.parametrize(
    ("cause", "code", "printed", "broken", "fixed"),
    [
        ("no space left", 1, "a\n  error: no space left\nb", "", True),
        ("no space left", 0, "ok", "up had to fail, but went through: ok", False),
        ("no space left", 1, "error: 42", "up failed without naming the cause: error: 42", True),
        ("", 0, "ok", "", False),
        ("", 1, "error: 42", "up had to go through, but failed: error: 42", True),
    ],
)
def test_an_operation_has_to_end_as_the_scenario_says(
    cause: str, code: int, printed: str, broken: str, fixed: bool
) -> None:
    none: Any = None
    stage, played, fixes = Stage(none, none, Path(), random.Random(1)), Played(), []  # noqa: S311 - no secret

    def play(_: Stage) -> Iterator[Ended]:
        yield Ended("up", code, printed, 1.0, bound=10.0)
        fixes.append(True)

    Settling()._disturb(Scenario("x", "nothing", "somehow", "nothing", play, cause), stage, played)
    assert "; ".join(played.broken[:1]) == broken
    assert fixes == [True] * fixed, "an operator acts only after a failure"
    assert played.cause == ("error: no space left" if not broken and cause else "")
