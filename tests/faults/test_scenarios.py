"""Scenarios: a fault with a name is staged, and what followed is checked.

`make test` plays three of them: those in which nothing continues by itself, so that the failure's words have to do.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import asdict

import pytest

from sandbox import paths
from sandbox.testing import AcmeProxy
from tests.faults.invariants import NO_CAUSE
from tests.faults.operations import Project
from tests.faults.player import Player, standing
from tests.faults.scenarios import SCENARIOS
from tests.faults.stage import Scenario, Stage, disk

_STATE = paths.RUN / "pulumi" / "faults"
_SIZE = "64m"
_OF_MAKE_TEST = {"two-ups", "account-lost", "challenge-errored"}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, acme: AcmeProxy) -> Iterator[Project]:
    """A stack for scenarios; its state is on a small disk of its own."""
    with disk(_STATE, _SIZE):
        project = Project(tmp_path_factory.mktemp("scenarios"), _STATE)
        project.stack.use_acme(acme)
        yield project


@pytest.fixture(scope="module")
def player(project: Project) -> Iterator[Player]:
    with standing(project, paths.LOGS, paths.PULUMI_STATE, _STATE) as player:
        yield player


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
    project: Project,
    player: Player,
    acme: AcmeProxy,
    request: pytest.FixtureRequest,
    record_property: Callable[[str, object], None],
) -> None:
    seed = request.config.getoption("seed")
    dice = random.Random(f"{seed}/scenario {scenario.name}")  # noqa: S311 - reproducible
    stage = Stage(project, acme=acme, state=_STATE, dice=dice)
    scenario.prepare(stage)
    cause = scenario.cause or NO_CAUSE
    played = player.play(stage, scenario.play(stage), cause, has_to_fail=bool(scenario.cause))
    record_property("scenario", {"name": scenario.name} | asdict(played))
    assert played.broken == [], f"every invariant holds; again: make faults SEED={seed} SCENARIOS={scenario.name}"
