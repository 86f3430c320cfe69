"""What rounds and scenarios share: a stack that is up, its repair after a fault, and what is checked then."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sandbox import paths
from sandbox.testing import ISTIO, eventually, kubectl
from sandbox.testing.leftovers import remove_orphaned_secrets
from tests.faults import invariants
from tests.faults.invariants import Ended, LogScan, Outage
from tests.faults.operations import SECRET, Project
from tests.sandbox.stack import SHOP

NO_CAUSE = "$^"
"""The cause where nothing may fail: it matches no words."""
SERVED = 120.0
"""Seconds after the last `up` for the certificate to be served."""


@dataclass
class Played:
    """The result of a round or a scenario, as it is recorded.

    Attributes:
        outcome: Whether the operation went through by itself, failed, or was over before the fault.
        cause: The line with which a failure named its cause.
        seconds: How long the operation took.
        recovered: Seconds from the fault until the operation's purpose was reached.
        broken: The invariants that did not hold.
    """

    outcome: str = ""
    cause: str = ""
    seconds: float = 0.0
    recovered: float | None = None
    broken: list[str] = field(default_factory=list)


@dataclass
class Settled:
    """What followed an operation.

    Attributes:
        done: When the operation's purpose was reached, by `time.monotonic`.
        broken: The invariants that did not hold.
    """

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
        self._wait_until_served()

    def end(self) -> list[str]:
        """Destroy the stack; return what did not hold then."""
        broken = self.emptied(self._project.run("destroy", "--yes", "--skip-preview")) + self.shown()
        remove_orphaned_secrets()
        return broken

    def emptied(self, destroyed: Ended) -> list[str]:
        """Return what a destroy has left, or that it failed."""
        broken = invariants.cause_is_named([destroyed], NO_CAUSE) + invariants.nothing_is_left(self._project.left())
        # cert-manager leaves the Secret on purpose; the next certificate has to be another one.
        kubectl("delete", "secret", SECRET, "--namespace", ISTIO, "--ignore-not-found")
        return broken

    def shown(self) -> list[str]:
        """Return the secrets that appeared since the last look, in logs, in the state or in a command's output."""
        printed, self._project.printed = self._project.printed, []
        logs = [(str(path), text) for path, text in self._scan.news()]
        return invariants.no_secret_is_shown(self._project.secrets(), [*printed, *logs])

    def judge(self, disturb: Callable[[Played], None]) -> Played:
        """Disturb the stack; return what followed, and the failure if it does not come to its end."""
        played = Played()
        try:
            disturb(played)
        except AssertionError as error:
            played.broken.append(f"it did not come to its end: {invariants.end_of(str(error))}")
        return played

    def clients_saw(self, outage: Outage | None) -> list[str]:
        """Return what did not hold for the client that watched."""
        samples = self._project.watch.samples
        return invariants.requests_are_answered(samples, outage) + invariants.certificate_is_kept(
            samples, [SHOP["host"]]
        )

    def settle(self, ended: Ended, done: float, *, again: bool = False) -> Settled:
        """Run the next `up` if something is left to do, and check the invariants.

        Args:
            ended: How the operation ended.
            done: When, by `time.monotonic`.
            again: Whether to run another `up` in any case.
        """
        project, settled, commands = self._project, Settled(done), [ended]
        if ended.code or again or (compared := project.compare()).code:
            commands.append(project.fix())
            settled.broken += invariants.cause_is_named(commands[1:], NO_CAUSE)
            if commands[-1].code:
                return settled  # The rest depends on this `up`.
            self._wait_until_served()
            settled.done = time.monotonic() if ended.code else settled.done
            compared = project.compare()
        settled.broken += invariants.ends_in_its_bound([*commands, compared])
        settled.broken += invariants.state_and_cluster_agree(compared)
        settled.broken += self.shown()
        return settled

    def _wait_until_served(self) -> None:
        eventually("the host is served", lambda: self._project.watch.serial, SERVED)
