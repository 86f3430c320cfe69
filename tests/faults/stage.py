"""Where a scenario is played: the stack, the ACME server that can be made to fail, and the disk that can be filled."""

import random
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sandbox.testing import AcmeProxy
from tests.faults.invariants import Ended, Outage
from tests.faults.operations import PATIENCE, Project, Started

IMPATIENCE = 10
"""Seconds that an `up` waits where the certificate cannot come."""


@dataclass
class Course:
    """The course of a fault.

    Attributes:
        project: The stack.
        over: When the fault ended, or the part was killed, by `time.monotonic`; None if the operation did not meet it.
        done: When the operation's purpose was reached.
        outage: When no client can be answered.
        others: Other commands that ended meanwhile, and have to succeed.
        broken: What did not hold in the course itself.
        cleanup: Called at the end, whatever happened.
    """

    project: Project
    over: float | None = None
    done: float | None = None
    outage: Outage | None = None
    others: list[Ended] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    cleanup: ExitStack = field(default_factory=ExitStack)


@dataclass(kw_only=True)
class Stage(Course):
    """The course of a scenario, and what the scenario works with.

    Attributes:
        acme: The ACME server that signs for the stack.
        state: The file system that holds the stack's state, and nothing else.
        dice: Decides moments, by the seed and the scenario's name.
    """

    acme: AcmeProxy
    state: Path
    dice: random.Random

    @contextmanager
    def fault(self) -> Iterator[None]:
        """Note when the fault ends."""
        yield
        self.over = time.monotonic()

    def start(self, operation: str = "up") -> Started:
        """Start an operation; an `up` asks for another certificate than the last one."""
        started = self.project.start(operation)
        # A command that the scenario did not wait for holds the stack's lock.
        self.cleanup.callback(lambda: started.over() or started.end())
        return started

    def up(self, patience: int = PATIENCE) -> Ended:
        """Run an `up` that asks for another certificate than the last one, and waits so many seconds for it."""
        self.project.stack.configure(acme={"timeout": patience})
        try:
            return self.start().end()
        finally:
            self.project.stack.configure(acme={"timeout": PATIENCE})


Play = Callable[[Stage], Iterator[Ended]]


@dataclass(frozen=True)
class Scenario:
    """A fault with a name.

    Attributes:
        name: As in `make faults SCENARIOS=NAME`.
        what: What is done, in words.
        ends: How the operation ends, in words.
        fixed_by: What an operator does, in words.
        play: Has the operation meet the fault, and yields how it ended, after the fault; then does what an operator
            does before the next `up`.
        cause: A pattern of the words with which the operation fails; empty where it has to succeed.
        operation: Which operation it is.
        prepare: Makes what the fault needs, before clients are watched.
    """

    name: str
    what: str
    ends: str
    fixed_by: str
    play: Play
    cause: str = ""
    operation: str = "up"
    prepare: Callable[[Stage], None] = lambda _: None


def scenario(name: str, **fields: Any) -> Callable[[Play], Scenario]:
    """Make a scenario of the function that plays it; `fields` are those of `Scenario`."""
    return lambda play: Scenario(name, play=play, **({"fixed_by": "nothing"} | fields))


@contextmanager
def disk(folder: Path, size: str) -> Iterator[Path]:
    """Mount a small file system in memory while the block runs.

    Args:
        folder: Where; it is made, and not visible outside the sandbox.
        size: As `mount` takes it.
    """
    folder.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], check=True, timeout=10)
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True, timeout=10)
        folder.rmdir()
