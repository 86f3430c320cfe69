"""Plays scenarios: a fault is staged, and what followed is held to the invariants."""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sandbox import paths
from sandbox.testing import AcmeProxy
from tests.faults import invariants
from tests.faults.operations import SHOP, Project
from tests.faults.player import NO_CAUSE, Player
from tests.faults.stage import Scenario, Stage, disk

_STATE = paths.RUN / "pulumi" / "faults"
_SIZE = "64m"


@dataclass
class PlayedScenario:
    """What came of a scenario.

    Attributes:
        scenario: The scenario.
        outcome: Whether the operation went through or failed.
        told: The last line by which a failure named its cause.
        recovered: Seconds from the fault's end until what the operation was for had been reached.
        seconds: How long the operation took.
        in_all: Seconds of the whole scenario.
        broken: The invariants that did not hold.
    """

    scenario: type[Scenario]
    outcome: str = ""
    told: str = ""
    recovered: float | None = None
    seconds: float = 0.0
    in_all: float = 0.0
    broken: list[str] = field(default_factory=list)


class Scenes(Player):
    """Plays scenarios with one stack, at an ACME server that can be made to fail."""

    def __init__(self, project: Project, acme: AcmeProxy) -> None:
        super().__init__(project, (paths.LOGS, paths.PULUMI_STATE, _STATE))
        self._acme = acme

    def play(self, scenario: type[Scenario], seed: int) -> PlayedScenario:
        """Play a scenario; what goes wrong in it is in the answer."""
        began, played = time.monotonic(), PlayedScenario(scenario)
        dice = random.Random(f"{seed}/scenario {scenario.name}")  # noqa: S311 - no secret, and to be repeated
        stage = Stage(self._project, self._acme, _STATE, dice)
        work = scenario()
        try:
            work.prepare(stage)
            with self._project.watching():
                self._disturb(work, stage, played)
            samples = self._project.watch.samples
            played.broken += invariants.requests_are_answered(samples, stage.outage)
            played.broken += invariants.certificate_is_kept(samples, [str(SHOP["host"])])
        except AssertionError as error:
            played.broken.append(f"it did not come to its end: {invariants.end_of(str(error))}")
        finally:
            stage.end()
        played.broken += stage.broken
        work.clean(stage)
        played.in_all = time.monotonic() - began
        return played

    def _disturb(self, work: Scenario, stage: Stage, played: PlayedScenario) -> None:
        ended = work.play(stage)
        done = stage.done or time.monotonic()
        played.outcome, played.seconds = "failed" if ended.code else "went through", ended.seconds
        if bool(work.cause) != bool(ended.code):
            expected = "fail" if work.cause else "go through"
            played.broken.append(
                f"{ended.what} was to {expected}, and {played.outcome}: {invariants.tail(ended.printed)}"
            )
        played.broken += invariants.cause_is_named([ended], work.cause or NO_CAUSE)
        played.broken += invariants.cause_is_named(stage.beside, NO_CAUSE)
        played.told = invariants.naming(ended, work.cause or NO_CAUSE)
        if ended.code:
            work.put_right(stage)
        settled = self._settle(ended, done)
        played.broken += settled.broken
        played.recovered = max(settled.done - stage.over, 0.0)


@contextmanager
def theatre() -> Iterator[Scenes]:
    """A stack for scenarios, up while the block runs; its state is on a small disk of its own, and ends with it."""
    with disk(_STATE, _SIZE), tempfile.TemporaryDirectory() as folder:
        acme = AcmeProxy(Path(folder), (paths.RUN / "acme" / "ca.crt").read_text())
        try:
            project = Project(Path(folder), _STATE)
            bundle = project.stack.get("acme")["caBundle"] + acme.ca_bundle
            project.stack.configure(acme={"servers": {"staging": acme.url}, "caBundle": bundle})
            scenes = Scenes(project, acme)
            scenes.stand()
            yield scenes
        finally:
            acme.close()
