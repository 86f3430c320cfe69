"""What rounds and scenarios share: a stack that stands, what puts it right after a fault, what is looked at then."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sandbox import paths
from sandbox.testing import eventually, kubectl
from tests.faults import invariants
from tests.faults.invariants import Ended, LogScan
from tests.faults.operations import ISTIO, SECRET, Project

NO_CAUSE = "$^"
"""No words name the cause of a failure where nothing was to fail."""
SERVED = 120.0
"""Seconds after the last `up` for the certificate to be served."""


@dataclass
class Settled:
    """What followed an operation.

    Attributes:
        commands: The operation, and the `up` that put right what it left, where it left something.
        done: When what the operation was for had been reached, by `time.monotonic`.
        broken: The invariants that did not hold.
    """

    commands: list[Ended]
    done: float
    broken: list[str] = field(default_factory=list)


class Player:
    """Plays faults with one stack."""

    def __init__(self, project: Project, folders: Sequence[Path] = (paths.LOGS, paths.PULUMI_STATE)) -> None:
        self._project = project
        self._scan = LogScan(folders)

    def stand(self) -> None:
        """Bring the stack up for the first time.

        Raises:
            AssertionError: Undisturbed, it does not come up.
        """
        first = self._project.run("up", "--yes", "--skip-preview")
        assert first.code == 0, first.printed
        self._serves()

    def end(self) -> list[str]:
        """Destroy the stack; return what did not hold then."""
        return self.emptied(self._project.run("destroy", "--yes", "--skip-preview")) + self.shown()

    def emptied(self, destroyed: Ended) -> list[str]:
        """Return what a destroy has left, or that it failed."""
        broken = invariants.cause_is_named([destroyed], NO_CAUSE) + invariants.nothing_is_left(self._project.left())
        # cert-manager leaves the Secret, on purpose: the next certificate is to be another one.
        kubectl("delete", "secret", SECRET, "--namespace", ISTIO, "--ignore-not-found")
        return broken

    def shown(self) -> list[str]:
        """Return the secrets that were shown since the last look, in logs, in the state or in what was printed."""
        printed, self._project.printed = self._project.printed, []
        logs = [(str(path), text) for path, text in self._scan.news()]
        return invariants.no_secret_is_shown(self._project.secrets(), [*printed, *logs])

    def _settle(self, ended: Ended, done: float, *, again: bool = False) -> Settled:
        """Run the next `up` where something is left to do, and hold what there is then to the invariants.

        Args:
            ended: How the operation ended.
            done: When, by `time.monotonic`.
            again: Whether another `up` is to follow in any case.
        """
        project, settled = self._project, Settled([ended], done)
        if ended.code or again or (agrees := project.compare()).code:
            settled.commands.append(project.fix())
            settled.broken += invariants.cause_is_named(settled.commands[1:], NO_CAUSE)
            if settled.commands[-1].code:
                return settled  # what was to follow from it cannot
            self._serves()
            settled.done = time.monotonic() if ended.code else settled.done
            agrees = project.compare()
        settled.broken += invariants.ends_in_its_bound([*settled.commands, agrees])
        settled.broken += invariants.state_and_cluster_agree(agrees)
        settled.broken += self.shown()
        return settled

    def _serves(self) -> None:
        eventually("the host is served", lambda: self._project.watch.serial, SERVED)
