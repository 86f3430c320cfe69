"""What a scenario is held to, beside the invariants."""

import random
from pathlib import Path
from typing import Any

import pytest

from tests.faults import invariants
from tests.faults.invariants import Ended
from tests.faults.player import Settled
from tests.faults.scenes import PlayedScenario, Scenes
from tests.faults.stage import Scenario, Stage


class Failing(Scenario):
    name, what, cause = "failing", "nothing", "no space left"


class Through(Scenario):
    name, what = "through", "nothing"


class Theatre(Scenes):
    """One in which nothing is left to do after an operation."""

    def __init__(self) -> None:
        pass

    def _settle(self, ended: Ended, done: float, *, again: bool = False) -> Settled:
        assert not again
        return Settled([ended], done)


def played(scenario: type[Scenario], code: int, printed: str, monkeypatch: pytest.MonkeyPatch) -> PlayedScenario:
    none: Any = None
    stage, found = Stage(none, none, Path(), random.Random(1)), PlayedScenario(scenario)  # noqa: S311 - no secret
    monkeypatch.setattr(scenario, "play", lambda *_: Ended("up", code, printed, 1.0, bound=10.0))
    Theatre()._disturb(scenario(), stage, found)
    return found


def test_a_fault_that_is_to_make_the_operation_fail_and_does_not_was_not_met(monkeypatch: pytest.MonkeyPatch) -> None:
    assert played(Failing, 0, "ok", monkeypatch).broken == ["up was to fail, and went through: ok"]


def test_an_operation_that_is_to_go_through_and_fails_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    first, *_ = played(Through, 1, "error: 42", monkeypatch).broken
    assert first == "up was to go through, and failed: error: 42"


def test_a_failure_is_held_to_its_own_cause(monkeypatch: pytest.MonkeyPatch) -> None:
    found = played(Failing, 1, "a\n  error: no space left\nb", monkeypatch)
    assert (found.told, found.broken) == ("error: no space left", [])
    other = played(Failing, 1, "error: 42", monkeypatch)
    assert other.broken == invariants.cause_is_named([Ended("up", 1, "error: 42", 1.0, 10.0)], Failing.cause)
    assert other.broken, "another failure is not taken for it"
