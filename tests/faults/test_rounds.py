"""Rounds: a part is killed at a random moment of an operation; what the seed decides is in `draw`.

`make test` plays three of them, always the same: cert-manager, etcd and the API server are killed in a change.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict

import pytest

from sandbox import paths
from sandbox.testing import eventually
from tests.faults import draw, victims
from tests.faults.draw import Round
from tests.faults.invariants import Ended, Outage
from tests.faults.operations import Project, Started
from tests.faults.player import SERVED, Player, standing
from tests.faults.stage import Course
from tests.faults.victims import Victim

_OF_MAKE_TEST = [draw.draw(4, number) for number in (4, 6, 20)]


def disturb(course: Course, drawn: Round, victim: Victim) -> Iterator[Ended]:
    """Run the operation of a round with the kill in it, as `Player.play` takes it."""
    project = course.project
    if drawn.operation == "first up":
        course.broken += project.emptied(project.run("destroy", "--yes", "--skip-preview"))
    started = project.start(drawn.operation)
    course.over = killed_at = _kill(drawn, victim, started)
    if killed_at is not None:
        time.sleep(drawn.away)
        victim.bring_back()
        course.outage = Outage(killed_at, time.monotonic()) if drawn.victim == draw.GATEWAY else None
    ended = started.end()
    if drawn.operation == "destroy" and not ended.code:
        course.broken += project.emptied(ended)
    yield ended
    if killed_at is not None:
        _put_right(project, drawn.victim)
    yield ended
    if drawn.operation == "renewal" and ended.code:
        eventually("the renewal is served", started.over, SERVED)
        course.done = time.monotonic()


def _kill(drawn: Round, victim: Victim, started: Started) -> float | None:
    """Kill the victim at its moment, or as soon as it runs; return when, or None if it never ran."""
    victims.wait_for(drawn.after, started.over)
    while not started.over():
        at = time.monotonic()
        if victim.kill(started.command):
            return at
        time.sleep(0.1)
    return None


def _put_right(project: Project, victim: str) -> None:
    """Do what an operator does after such a kill, before the next `up`."""
    if victim == draw.ENGINE:
        recovered = project.tlsctl("recover")
        assert recovered.code == 0, f"tlsctl recover ended with {recovered.code}: {recovered.printed}"
    if victim == draw.ACME:
        project.trust_new_root()
        project.register_again()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give each round of the seed a test, three quarters of them for one sandbox, the rest beside the scenarios."""
    seed, count = metafunc.config.getoption("seed"), metafunc.config.getoption("rounds")
    rounds = [pytest.param(drawn, id=f"test-{drawn.number}", marks=pytest.mark.sandbox) for drawn in _OF_MAKE_TEST]
    for number in range(1, count + 1):
        group = pytest.mark.xdist_group("rounds" if number > count // 4 else "rounds beside the scenarios")
        rounds.append(pytest.param(draw.draw(seed, number), id=str(number), marks=[pytest.mark.faults, group]))
    metafunc.parametrize("drawn", rounds)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return Project(tmp_path_factory.mktemp("rounds"))


@pytest.fixture(scope="module")
def player(project: Project) -> Iterator[Player]:
    with standing(project, paths.LOGS, paths.PULUMI_STATE) as player:
        yield player


def test_a_stack_outlives_the_kill_of_a_part(
    drawn: Round, project: Project, player: Player, record_property: Callable[[str, object], None]
) -> None:
    course, victim = Course(project), victims.roster()[drawn.victim]
    course.cleanup.callback(victim.settle)
    watched = drawn.operation not in ("destroy", "first up")
    played = player.play(course, disturb(course, drawn, victim), victim.cause, watched=watched)
    record_property("round", asdict(drawn) | asdict(played))
    assert played.broken == [], f"every invariant holds; again: {drawn.command}"
    if drawn in _OF_MAKE_TEST:
        assert played.recovered is not None, "the part was killed while the operation ran"
