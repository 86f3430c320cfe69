"""Plays hostile configs: each is refused by a report that holds, or what is made of it does."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import hypothesis
from hypothesis import HealthCheck, Phase, given

from components.problem import ProblemsError
from config.reading import read_settings
from tests.faults.hostile import checks, rendered
from tests.faults.hostile.strategies import BASE, Hostile, configs, keyed

BOUND = 2.0
"""Seconds of a processor for one config."""
_KEPT = 20
"""Broken invariants that are described; all are counted."""


@dataclass
class Result:
    """What came of the configs.

    Attributes:
        seed: What decided them.
        configs: How many were played.
        valid: How many of them were accepted.
        refused: How many were not.
        seconds: How long all of it took.
        kinds: How often each kind of problem was reported: the key without places in lists, and the reason.
        broken: The invariants that did not hold, each with the config in words; the first of each sort.
        failures: How many configs broke one.
    """

    seed: int
    configs: int = 0
    valid: int = 0
    refused: int = 0
    seconds: float = 0.0
    kinds: Counter[str] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)
    failures: int = 0

    def as_json(self) -> dict[str, Any]:
        """Return what is written down."""
        return {
            "configs": self.configs,
            "seed": self.seed,
            "valid": self.valid,
            "refused": self.refused,
            "kinds": len(self.kinds),
            "seconds": round(self.seconds, 1),
            "broken": self.broken,
        }


def run(count: int, seed: int, progress: Callable[[Result], None] = lambda _: None) -> Result:
    """Play configs that the seed decides.

    Args:
        count: How many.
        seed: The same one makes the same configs again.
        progress: Called after each.
    """
    result, began, sorts = Result(seed), time.monotonic(), set[str]()

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=count, database=None, deadline=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(configs())
    def play(config: Hostile) -> None:
        broken = list(_held(config, result))
        result.configs += 1
        result.failures += bool(broken)
        result.seconds = time.monotonic() - began
        for each in broken:
            if each.partition(":")[0] not in sorts and len(result.broken) < _KEPT:
                sorts.add(each.partition(":")[0])
                result.broken.append(f"{each} ({'; '.join(config.done)})")
        progress(result)

    with rendered.scratch():
        # What is loaded for the first one is not its fault.
        result.broken += rendered.holds(Hostile(keyed(BASE, encoded=False)))
        play()
    return result


def _held(config: Hostile, result: Result) -> Iterator[str]:
    """Play a config, and yield what did not hold."""
    began = time.process_time()
    try:
        read_settings(config.config, "dev", secret=config.secret)
    except ProblemsError as error:
        result.refused += 1
        result.kinds.update({_kind(each.where, each.what) for each in error.problems})
        yield from checks.report(config, error)
        yield from checks.words(error.problems)
        yield from checks.printed(error.problems)
        yield from checks.commented(str(error))
        if result.refused % rendered.OF_REFUSED == 0:
            yield from rendered.registers_nothing(config)
    except Exception as error:
        yield f"{type(error).__name__} in place of a report: {str(error)[:200]!r}"
    else:
        result.valid += 1
        if result.valid % rendered.OF_ACCEPTED == 0:
            yield from rendered.holds(config)
    if (took := time.process_time() - began) > BOUND:
        yield f"a config took {took:.1f} s"


def _kind(where: str, what: str) -> str:
    key = "".join(each for each in where if not each.isdigit())
    reason = what.partition("; accepted: ")[0].rpartition('" ')[2]
    return f"{key}: {reason}"[:120]
