"""Some rounds of `make faults`, always the same: cert-manager, etcd and the API server are killed in a change."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.testing.leftovers import remove_orphaned_secrets
from tests.faults.draw import draw
from tests.faults.operations import Project
from tests.faults.rounds import Rounds

pytestmark = pytest.mark.sandbox

SEED, ROUNDS = 4, (4, 6, 20)


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    project = Project(tmp_path)
    yield project
    destroyed = project.run("destroy", "--yes", "--skip-preview")
    remove_orphaned_secrets()
    assert Rounds(project).emptied(destroyed) == [], "nothing is left"


def test_a_stack_outlives_the_kill_of_a_part_and_clients_see_nothing_of_it(project: Project) -> None:
    rounds = Rounds(project)
    rounds.stand()
    for number in ROUNDS:
        played = rounds.play(draw(SEED, number))
        assert played.broken == [], f"what must hold, held; again: {played.round.command}"
        assert played.recovered is not None, "the part was killed while the operation ran"
