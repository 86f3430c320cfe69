"""One round: an operation is begun, its victim killed, and what followed is held to the invariants."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from faults import draw, invariants, victims
from faults.draw import Round
from faults.invariants import Ended, LogScan, Outage
from faults.operations import ISTIO, SECRET, SHOP, Project, Started
from sandbox import paths
from tests.sandbox.support import eventually, kubectl

NO_CAUSE = "$^"
"""No words name the cause of a failure where nothing was to fail."""
SERVED = 120.0
"""Seconds after the last `up` for the certificate to be served."""


@dataclass
class Played:
    """What came of a round.

    Attributes:
        round: The round.
        outcome: Whether the operation went through by itself, failed, or had nothing that could be killed.
        recovered: Seconds from the kill until what the operation was for had been reached.
        seconds: How long the round took in all.
        broken: The invariants that did not hold.
    """

    round: Round
    outcome: str = ""
    recovered: float | None = None
    seconds: float = 0.0
    broken: list[str] = field(default_factory=list)


class Rounds:
    """Plays rounds with one stack."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._victims = victims.roster()
        self._scan = LogScan([paths.LOGS, paths.PULUMI_STATE])

    def stand(self) -> None:
        """Bring the stack up for the first time.

        Raises:
            AssertionError: Undisturbed, it does not come up.
        """
        first = self._project.run("up", "--yes", "--skip-preview")
        assert first.code == 0, first.printed  # noqa: S101
        self._serves()

    def play(self, drawn: Round) -> Played:
        """Play a round; what goes wrong in it is in the answer."""
        began = time.monotonic()
        played = Played(drawn)
        try:
            self._disturb(drawn, played)
        except AssertionError as error:
            played.broken.append(f"it did not come to its end: {invariants.tail(str(error))}")
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
        ended = started.end()
        done = time.monotonic()
        played.outcome = "over before the kill" if killed_at is None else "failed" if ended.code else "went through"
        if drawn.operation == "destroy" and not ended.code:
            played.broken += self.emptied(ended)
        if killed_at is not None:
            self._put_right(drawn.victim)
        commands = [ended]
        if ended.code or drawn.operation == "destroy" or (agrees := project.compare()).code:
            commands.append(project.fix())
            played.broken += invariants.cause_is_named(commands[1:], NO_CAUSE)
            self._serves()
            done = time.monotonic() if ended.code else done
            agrees = project.compare()
        if drawn.operation == "renewal" and ended.code:
            eventually("the renewal is served", started.over, SERVED)
            done = time.monotonic()
        played.recovered = None if killed_at is None else done - killed_at
        played.broken += invariants.ends_in_its_bound([*commands, agrees])
        played.broken += invariants.cause_is_named([ended], victim.cause)
        played.broken += invariants.state_and_cluster_agree(agrees)
        played.broken += self.shown()
        return outage

    def emptied(self, destroyed: Ended) -> list[str]:
        """Return what a destroy has left, or that it failed."""
        broken = invariants.cause_is_named([destroyed], NO_CAUSE) + invariants.nothing_is_left(self._project.left())
        # cert-manager leaves the Secret, on purpose: the next certificate is to be another one.
        kubectl("delete", "secret", SECRET, "--namespace", ISTIO, "--ignore-not-found")
        return broken

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
            stack = project.stack
            project.printed.append(("what recover printed", victims.release(stack.name, stack.file, stack.environment)))
        if victim == draw.ACME:
            project.trust_again()
            project.register_anew()

    def _serves(self) -> None:
        eventually("the host is served", lambda: self._project.watch.serial, SERVED)

    def shown(self) -> list[str]:
        """Return the secrets that were shown since the last look, in logs, in the state or in what was printed."""
        printed, self._project.printed = self._project.printed, []
        logs = [(str(path), text) for path, text in self._scan.news()]
        return invariants.no_secret_is_shown(self._project.secrets(), [*printed, *logs])
