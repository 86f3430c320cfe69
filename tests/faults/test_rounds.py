"""Rounds: a part is killed at a random moment of an operation; what the seed decides is in `draw`.

`make test` plays three of them, always the same: cert-manager, etcd and the API server are killed in a change.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict

import pytest

from sandbox.testing import eventually
from tests.faults import draw, invariants, victims
from tests.faults.draw import Round
from tests.faults.invariants import Outage
from tests.faults.operations import Project, Started
from tests.faults.player import SERVED, Played, Player

_OF_MAKE_TEST = [draw.draw(4, number) for number in (4, 6, 20)]


class Rounds(Player):
    """Plays rounds with one stack."""

    def __init__(self, project: Project) -> None:
        super().__init__(project)
        self._victims = victims.roster()

    def play(self, drawn: Round) -> Played:
        """Play a round; what does not hold in it is in the result."""
        played = self.judge(lambda played: self._disturb(drawn, played))
        self._victims[drawn.victim].settle()
        return played

    def _disturb(self, drawn: Round, played: Played) -> None:
        project = self._project
        if drawn.operation == "first up":
            played.broken += self.emptied(project.run("destroy", "--yes", "--skip-preview"))
        if drawn.operation in ("destroy", "first up"):
            self._operate(drawn, played)
            return
        with project.watch.watching():
            outage = self._operate(drawn, played)
        played.broken += self.clients_saw(outage if drawn.victim == draw.GATEWAY else None)

    def _operate(self, drawn: Round, played: Played) -> Outage | None:
        """Run the operation with the kill in it, and repair; return when the victim was away."""
        project, victim = self._project, self._victims[drawn.victim]
        started = project.start(drawn.operation)
        killed_at, outage = self._kill(drawn, started), None
        if killed_at is not None:
            time.sleep(drawn.away)
            victim.bring_back()
            outage = Outage(killed_at, time.monotonic())
        ended, done = started.end(), time.monotonic()
        played.seconds = ended.seconds
        played.outcome = "over before the kill" if killed_at is None else "failed" if ended.code else "went through"
        if drawn.operation == "destroy" and not ended.code:
            played.broken += self.emptied(ended)
        if killed_at is not None:
            self._put_right(drawn.victim)
        settled = self.settle(ended, done, again=drawn.operation == "destroy")
        played.broken += settled.broken + invariants.cause_is_named([ended], victim.cause)
        played.cause = invariants.naming(ended, victim.cause)
        if drawn.operation == "renewal" and ended.code:
            eventually("the renewal is served", started.over, SERVED)
            settled.done = time.monotonic()
        played.recovered = None if killed_at is None else settled.done - killed_at
        return outage

    def _kill(self, drawn: Round, started: Started) -> float | None:
        """Kill the victim at its moment, or as soon as it runs; return when, or None if it never ran."""
        victims.wait_for(drawn.after, started.over)
        victim = self._victims[drawn.victim]
        while not started.over():
            at = time.monotonic()
            if victim.kill(started.command):
                return at
            time.sleep(0.1)
        return None

    def _put_right(self, victim: str) -> None:
        """Do what an operator does after such a kill, before the next `up`."""
        project = self._project
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
def rounds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rounds]:
    player = Rounds(Project(tmp_path_factory.mktemp("rounds")))
    try:
        player.stand()
        yield player
    finally:
        broken = player.end()
    assert broken == [], "after the last destroy"


def test_a_stack_outlives_the_kill_of_a_part(
    drawn: Round, rounds: Rounds, record_property: Callable[[str, object], None]
) -> None:
    played = rounds.play(drawn)
    record_property("round", asdict(drawn) | asdict(played))
    assert played.broken == [], f"every invariant holds; again: {drawn.command}"
    if drawn in _OF_MAKE_TEST:
        assert played.recovered is not None, "the part was killed while the operation ran"
