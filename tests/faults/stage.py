"""Where a scenario is played: the stack, the ACME server that can be made to fail, and the disk that can be filled."""

from __future__ import annotations

import random
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from sandbox.testing import AcmeProxy
from tests.faults.invariants import Ended, Outage
from tests.faults.operations import PATIENCE, Project, Started

IMPATIENCE = 10
"""Seconds that an `up` waits where what it waits for will not come."""


@dataclass
class Stage:
    """What a scenario works with.

    Attributes:
        project: The stack.
        acme: The ACME server that signs for it.
        state: The file system that holds the stack's state, and nothing else.
        dice: What decides moments, by the seed and the scenario's name.
        beside: What else came to its end, and is to have gone through.
        began: When the fault began, by `time.monotonic`.
        over: When it ended.
        done: When what the operation was for had been reached, where that was before the scenario's end.
        outage: When no client can be answered, whatever is done.
        broken: What the scenario itself found that was to hold.
    """

    project: Project
    acme: AcmeProxy
    state: Path
    dice: random.Random
    beside: list[Ended] = field(default_factory=list)
    began: float = 0.0
    over: float = 0.0
    done: float | None = None
    outage: Outage | None = None
    broken: list[str] = field(default_factory=list)
    _started: list[Started] = field(default_factory=list)

    @contextmanager
    def fault(self) -> Iterator[None]:
        """Keep when it began and ended."""
        self.began = time.monotonic()
        yield
        self.over = time.monotonic()

    def start(self, operation: str = "up") -> Started:
        """Begin an operation; an `up` asks for another certificate than the last."""
        self._started.append(self.project.start(operation))
        return self._started[-1]

    def end(self) -> None:
        """Wait for what the scenario has begun and did not come to await: it holds the stack's lock."""
        for each in self._started:
            if not each.over():
                each.end()

    def up(self, patience: int = PATIENCE) -> Ended:
        """Run an `up` that asks for another certificate than the last, and waits so many seconds for it."""
        self.configure(acme={"timeout": patience})
        try:
            return self.start().end()
        finally:
            self.configure(acme={"timeout": PATIENCE})

    def configure(self, **settings: Any) -> None:
        """Merge values into the stack's config."""
        self.project.stack.configure(**settings)


class Scenario:
    """A fault with a name.

    Attributes:
        name: As it is called in `python -m faults --scenarios NAME`.
        what: What is done, in words.
        operation: What it meets.
        cause: A pattern of the words by which the operation's failure names it; empty where it is to go through.
    """

    name: ClassVar[str]
    what: ClassVar[str]
    cause: ClassVar[str] = ""
    operation: ClassVar[str] = "up"

    def prepare(self, stage: Stage) -> None:
        """Bring about what the fault needs, before clients are watched."""

    def play(self, stage: Stage) -> Ended:
        """Have the operation meet the fault; return how it ended. The fault ends, or is taken away, in it."""
        raise NotImplementedError

    def put_right(self, stage: Stage, /) -> None:
        """Do what an operator does beside the next `up`."""

    def clean(self, stage: Stage, /) -> None:
        """Take away what the scenario alone needed, whatever came of it."""


@contextmanager
def disk(folder: Path, size: str) -> Iterator[Path]:
    """A small file system in memory, for as long as the block runs.

    Args:
        folder: Where; it is made, and in a sandbox nobody outside sees it.
        size: As `mount` takes it.
    """
    folder.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], check=True, timeout=10)
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True, timeout=10)
        folder.rmdir()
