"""Hostile configs: each is refused by a report that holds, or the program that it makes does; needs no sandbox."""

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field

import hypothesis
import pytest
from hypothesis import HealthCheck, Phase, given

from components.problem import ProblemsError
from config.reading import read_settings
from tests.faults.hostile import checks, rendered
from tests.faults.hostile.strategies import BASE, Hostile, configs, keyed

BOUND = 2.0
"""Seconds of a processor for one config."""
_DESCRIBED = 20
"""The largest number of broken invariants that are described."""


@dataclass
class Result:
    """What was played, as it is recorded.

    Attributes:
        seed: Decides the configs.
        configs: How many were played.
        valid: How many were accepted.
        refused: How many were not.
        seconds: How long it took.
        kinds: How many different problems were reported, by key and reason.
        broken: The invariants that did not hold, with the hostile keys; the first of each sort.
    """

    seed: int
    configs: int = 0
    valid: int = 0
    refused: int = 0
    seconds: float = 0.0
    kinds: int = 0
    broken: list[str] = field(default_factory=list)


def play(count: int, seed: int) -> Result:
    """Play so many configs; the same seed makes the same configs."""
    result, began = Result(seed), time.monotonic()
    broken: dict[str, str] = {}
    kinds: set[str] = set()

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=count, database=None, deadline=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(configs())
    def examine(config: Hostile) -> None:
        result.configs += 1
        for problem in _examined(config, result, kinds):
            broken.setdefault(problem.partition(":")[0], f"{problem} in {config}")

    # The first one loads what it needs, and so may take longer.
    result.broken += rendered.holds(Hostile(keyed(BASE, encoded=False)))
    examine()
    result.seconds, result.kinds = round(time.monotonic() - began, 1), len(kinds)
    result.broken += [*broken.values()][:_DESCRIBED]
    return result


def _examined(config: Hostile, result: Result, kinds: set[str]) -> Iterator[str]:
    """Play a config, and yield what did not hold."""
    began = time.process_time()
    try:
        read_settings(config.config, "dev", secret=config.secret)
    except ProblemsError as error:
        result.refused += 1
        kinds.update({_kind(problem.where, problem.what) for problem in error.problems})
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
    key = "".join(letter for letter in where if not letter.isdigit())
    reason = what.partition("; accepted: ")[0].rpartition('" ')[2]
    return f"{key}: {reason}"[:120]


@pytest.fixture(scope="module")
def nothing_left() -> None:
    """Configs leave nothing."""


@pytest.mark.faults
@pytest.mark.xdist_group("scenarios")
def test_hostile_configs_break_nothing(
    request: pytest.FixtureRequest, record_property: Callable[[str, object], None]
) -> None:
    result = play(request.config.getoption("configs"), request.config.getoption("seed"))
    record_property("hostile", asdict(result))
    assert result.broken == [], "every invariant holds"
