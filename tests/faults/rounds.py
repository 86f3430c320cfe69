"""One round: an operation is begun, its victim killed, and what followed is held to the invariants."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from sandbox.testing import eventually
from tests.faults import draw, invariants, victims
from tests.faults.draw import Round
from tests.faults.invariants import Outage
from tests.faults.operations import SHOP, Project, Started
from tests.faults.player import SERVED, Player


@dataclass
class Played:
    """What came of a round.

    Attributes:
        round: The round.
        outcome: Whether the operation went through by itself, failed, or had nothing that could be killed.
        told: The last line by which a failure named its cause.
        recovered: Seconds from the kill until what the operation was for had been reached.
        seconds: How long the round took in all.
        broken: The invariants that did not hold.
    """

    round: Round
    outcome: str = ""
    told: str = ""
    recovered: float | None = None
    seconds: float = 0.0
    broken: list[str] = field(default_factory=list)


class Rounds(Player):
    """Plays rounds with one stack."""

    def __init__(self, project: Project) -> None:
        super().__init__(project)
        self._victims = victims.roster()

    def play(self, drawn: Round) -> Played:
        """Play a round; what goes wrong in it is in the answer."""
        began = time.monotonic()
        played = Played(drawn)
        try:
            self._disturb(drawn, played)
        except AssertionError as error:
            played.broken.append(f"it did not come to its end: {invariants.end_of(str(error))}")
        self._victims[drawn.victim].settle()
        played.seconds = time.monotonic() - began
        return played

    def _disturb(self, drawn: Round, played: Played) -> None:
        project = self._project
        if drawn.operation == "first up":
            played.broken += self.emptied(project.run("destroy", "--yes", "--skip-preview"))
        if drawn.operation in ("destroy", "first up"):
            self._operate(drawn, played)
            return
        with project.watching():
            outage = self._operate(drawn, played)
        away = outage if drawn.victim == draw.GATEWAY else None
        played.broken += invariants.requests_are_answered(project.watch.samples, away)
        played.broken += invariants.certificate_is_kept(project.watch.samples, [str(SHOP["host"])])

    def _operate(self, drawn: Round, played: Played) -> Outage | None:
        """Run the operation with the kill in it and what puts things right; return when the victim was away."""
        project, victim = self._project, self._victims[drawn.victim]
        started = project.start(drawn.operation)
        killed_at, outage = self._kill(drawn, started), None
        if killed_at is not None:
            time.sleep(drawn.away)
            victim.bring_back()
            outage = Outage(killed_at, time.monotonic())
        ended, done = started.end(), time.monotonic()
        played.outcome = "over before the kill" if killed_at is None else "failed" if ended.code else "went through"
        if drawn.operation == "destroy" and not ended.code:
            played.broken += self.emptied(ended)
        if killed_at is not None:
            self._put_right(drawn.victim)
        settled = self._settle(ended, done, again=drawn.operation == "destroy")
        played.broken += settled.broken + invariants.cause_is_named([ended], victim.cause)
        played.told = invariants.naming(ended, victim.cause)
        if drawn.operation == "renewal" and ended.code:
            eventually("the renewal is served", started.over, SERVED)
            settled.done = time.monotonic()
        played.recovered = None if killed_at is None else settled.done - killed_at
        return outage

    def _kill(self, drawn: Round, started: Started) -> float | None:
        """Kill the victim at its moment, or as soon as there is one; return when, or None if there never was."""
        victims.wait_for(drawn.after, started.over)
        victim = self._victims[drawn.victim]
        while not started.over():
            at = time.monotonic()
            if victim.kill(started.command):
                return at
            time.sleep(0.1)
        return None

    def _put_right(self, victim: str) -> None:
        """Do what an operator does when this was killed, beside the next `up`."""
        project = self._project
        if victim == draw.ENGINE:
            released = project.tlsctl("recover")
            assert released.code == 0, f"tlsctl recover ended with {released.code}: {released.printed}"
        if victim == draw.ACME:
            project.trust_again()
            project.register_anew()
