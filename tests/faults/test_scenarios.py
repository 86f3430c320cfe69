"""Scenarios: a fault with a name is staged, and what followed is checked.

`make test` plays three of them: those in which nothing continues by itself, so that the failure's words have to do.
"""

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict

import pytest

from sandbox import paths
from sandbox.testing import AcmeProxy
from tests.faults import invariants
from tests.faults.operations import Project
from tests.faults.player import NO_CAUSE, Played, Player
from tests.faults.scenarios import SCENARIOS
from tests.faults.stage import Scenario, Stage, disk

_STATE = paths.RUN / "pulumi" / "faults"
_SIZE = "64m"
_OF_MAKE_TEST = {"two-ups", "account-lost", "challenge-errored"}


class Scenes(Player):
    """Plays scenarios with one stack, at an ACME server that can be made to fail."""

    def __init__(self, project: Project, acme: AcmeProxy) -> None:
        super().__init__(project, (paths.LOGS, paths.PULUMI_STATE, _STATE))
        self._acme = acme

    def play(self, scenario: Scenario, seed: int) -> Played:
        """Play a scenario; what does not hold in it is in the result."""
        dice = random.Random(f"{seed}/scenario {scenario.name}")  # noqa: S311 - reproducible
        stage = Stage(self._project, self._acme, _STATE, dice)

        def disturb(played: Played) -> None:
            scenario.prepare(stage)
            with self._project.watch.watching():
                self._disturb(scenario, stage, played)
            played.broken += self.clients_saw(stage.outage)

        with stage.cleanup:
            played = self.judge(disturb)
        played.broken += stage.broken
        return played

    def _disturb(self, scenario: Scenario, stage: Stage, played: Played) -> None:
        steps = scenario.play(stage)
        ended = next(steps)
        done = stage.done or time.monotonic()
        played.outcome, played.seconds = "failed" if ended.code else "went through", ended.seconds
        if bool(scenario.cause) != bool(ended.code):
            expected = "fail" if scenario.cause else "go through"
            played.broken.append(
                f"{ended.what} had to {expected}, but {played.outcome}: {invariants.tail(ended.printed)}"
            )
        played.broken += invariants.cause_is_named([ended], scenario.cause or NO_CAUSE)
        played.broken += invariants.cause_is_named(stage.others, NO_CAUSE)
        played.cause = invariants.naming(ended, scenario.cause or NO_CAUSE)
        if ended.code:
            next(steps, None)
        settled = self.settle(ended, done)
        played.broken += settled.broken
        played.recovered = max(settled.done - stage.over, 0.0)


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory, acme: AcmeProxy) -> Iterator[Scenes]:
    """A stack for scenarios; its state is on a small disk of its own."""
    with disk(_STATE, _SIZE):
        project = Project(tmp_path_factory.mktemp("scenarios"), _STATE)
        project.stack.use_acme(acme)
        player = Scenes(project, acme)
        try:
            player.stand()
            yield player
        finally:
            broken = player.end()
        assert broken == [], "after the last destroy"


@pytest.mark.parametrize(
    "scenario",
    [
        pytest.param(scenario, id=scenario.name, marks=[pytest.mark.sandbox] * (scenario.name in _OF_MAKE_TEST))
        for scenario in SCENARIOS
    ],
)
@pytest.mark.faults
@pytest.mark.xdist_group("scenarios")
def test_a_fault_is_named_and_repaired(
    scenario: Scenario,
    scenes: Scenes,
    request: pytest.FixtureRequest,
    record_property: Callable[[str, object], None],
) -> None:
    seed = request.config.getoption("seed")
    played = scenes.play(scenario, seed)
    record_property("scenario", {"name": scenario.name} | asdict(played))
    assert played.broken == [], f"every invariant holds; again: make faults SEED={seed} SCENARIOS={scenario.name}"
