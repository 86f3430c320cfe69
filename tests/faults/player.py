"""What rounds and scenarios share: a stack that is up, its repair after a fault, and what is checked then."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from sandbox.testing import eventually
from sandbox.testing.leftovers import remove_orphaned_secrets
from tests.faults import invariants
from tests.faults.invariants import NO_CAUSE, Ended, LogScan
from tests.faults.operations import Project
from tests.faults.stage import Course
from tests.sandbox.stack import SHOP

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


class Player:
    """Plays faults with one stack."""

    def __init__(self, project: Project, folders: Sequence[Path]) -> None:
        self._project = project
        self._scan = LogScan(folders)

    def _shown(self) -> list[str]:
        """Return the secrets that appeared since the last look, in logs, in the state or in a command's output."""
        printed, self._project.printed = self._project.printed, []
        logs = [(str(path), text) for path, text in self._scan.news()]
        return invariants.no_secret_is_shown(self._project.secrets(), [*printed, *logs])

    def play(
        self,
        course: Course,
        steps: Iterator[Ended],
        cause: str,
        *,
        has_to_fail: bool | None = None,
        watched: bool = True,
    ) -> Played:
        """Disturb the stack, repair it, and return what did not hold.

        Args:
            course: The course of the fault.
            steps: Yields how the operation ended, after the fault; then does what an operator does before the next
                `up`; and may yield again, to wait for what that `up` does not wait for.
            cause: A pattern of the words with which the operation may fail.
            has_to_fail: Whether the operation has to fail or to go through; None if it may do either.
            watched: Whether clients are served meanwhile.
        """
        played, watch = Played(), self._project.watch
        with course.cleanup:
            try:
                with watch.watching() if watched else nullcontext():
                    self._disturb(course, steps, cause, has_to_fail, played)
                if watched:
                    played.broken += invariants.requests_are_answered(watch.samples, course.outage)
                    played.broken += invariants.certificate_is_kept(watch.samples, [SHOP["host"]])
            except AssertionError as error:
                played.broken.append(f"it did not come to its end: {invariants.end_of(str(error))}")
        played.broken += course.broken
        return played

    def _disturb(
        self, course: Course, steps: Iterator[Ended], cause: str, has_to_fail: bool | None, played: Played
    ) -> None:
        ended = next(steps)
        course.done = course.done or time.monotonic()
        played.seconds, played.outcome = ended.seconds, "failed" if ended.code else "went through"
        if course.over is None:
            played.outcome = "over before the kill"
        if has_to_fail not in (None, bool(ended.code)):
            expected = "fail" if has_to_fail else "go through"
            played.broken.append(
                f"{ended.what} had to {expected}, but {played.outcome}: {invariants.tail(ended.printed)}"
            )
        played.broken += invariants.cause_is_named([ended], cause) + invariants.cause_is_named(course.others, NO_CAUSE)
        played.cause = invariants.naming(ended, cause)
        next(steps, None)
        played.broken += self._repair(course, ended)
        next(steps, None)
        if course.over is not None:
            played.recovered = max(course.done - course.over, 0.0)

    def _repair(self, course: Course, ended: Ended) -> list[str]:
        """Run the next `up` if something is left to do, and return the invariants that do not hold then."""
        project, commands, broken = self._project, [ended], []
        if ended.code or (compared := project.compare()).code:
            commands.append(project.fix())
            broken += invariants.cause_is_named(commands[1:], NO_CAUSE)
            if commands[-1].code:
                return broken  # The rest depends on this `up`.
            self._wait_until_served()
            course.done = time.monotonic() if ended.code else course.done
            compared = project.compare()
        broken += invariants.ends_in_its_bound([*commands, compared]) + invariants.state_and_cluster_agree(compared)
        return broken + self._shown()

    def _wait_until_served(self) -> None:
        eventually("the host is served", lambda: self._project.watch.serial, SERVED)


@contextmanager
def standing(project: Project, *folders: Path) -> Iterator[Player]:
    """Provide a player for a stack that is up, and destroy it at the end; nothing of it may be left.

    Args:
        project: The stack.
        folders: The folders whose files may show no secret.
    """
    player, broken = Player(project, folders), []
    try:
        first = project.run("up", "--yes", "--skip-preview")
        assert first.code == 0, first.printed
        player._wait_until_served()
        yield player
    finally:
        broken += project.emptied(project.run("destroy", "--yes", "--skip-preview")) + player._shown()
        remove_orphaned_secrets()
    assert broken == [], "after the last destroy"
