"""How things are measured: in turns, each for a number of times, with what is done told."""

import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench.results import Results


@dataclass
class Bench:
    """One run of the benchmark, inside a sandbox.

    Attributes:
        folder: for files that end with the sandbox.
        quick: whether everything is done once and with the smallest sizes, to see that it works.
        until: when no further figure is begun, by the monotonic clock.
        by_hand: the seconds of each `up` by hand, but for its Order; empty where none was measured.
    """

    folder: Path
    quick: bool
    until: float
    results: Results = field(default_factory=Results)
    by_hand: list[float] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)

    def sizes(self, *numbers: int) -> tuple[int, ...]:
        """Return the numbers of hosts to measure with."""
        return numbers[:1] if self.quick else numbers

    def times(self, number: int) -> int:
        """Return how often to measure."""
        return 1 if self.quick else number

    def left(self) -> float:
        """Return how many seconds there are for further figures."""
        return self.until - time.monotonic()

    def say(self, what: str) -> None:
        """Say what is done."""
        elapsed = int(time.monotonic() - self.began)
        print(f"{elapsed // 60:2}:{elapsed % 60:02}  {what}", file=sys.stderr, flush=True)

    def turns(self, what: str, works: Mapping[str, Callable[[], object]], times: int) -> dict[str, list[float]]:
        """Run each in turn, so many times, and return the seconds of each."""
        taken: dict[str, list[float]] = {name: [] for name in works}
        for number in range(times):
            for name, work in works.items():
                self.say(f"{what}: {name}, {number + 1} of {times}")
                taken[name].append(timed(work))
        return taken


def timed(work: Callable[[], object]) -> float:
    """Return the seconds that it takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
