"""Some scenarios of `make faults`: those in which nothing goes on by itself, so that what is said has to be enough."""

from collections.abc import Iterator

import pytest

from sandbox.testing.leftovers import remove_orphaned_secrets
from tests.faults.scenarios import SCENARIOS
from tests.faults.scenes import Scenes, theatre

pytestmark = pytest.mark.sandbox

SEED = 1


@pytest.fixture(scope="module")
def scenes() -> Iterator[Scenes]:
    with theatre() as scenes:
        yield scenes
        left = scenes.end()
        remove_orphaned_secrets()
        assert left == [], "nothing is left"


@pytest.mark.parametrize("name", ["two-ups", "account-lost", "challenge-errored"])
def test_a_fault_is_named_and_its_fix_is_all_that_it_takes(name: str, scenes: Scenes) -> None:
    played = scenes.play(SCENARIOS[name], SEED)
    assert played.broken == [], f"what must hold, held; again: make faults SEED={SEED} SCENARIOS={name}"
    assert played.told, "the failure is told in words of its own"
