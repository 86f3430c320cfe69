"""`python -m tests.bench.imports`: how long the leaves take to load, beside an interpreter that loads nothing.

The goal is 0.1 s for the rules over the bare interpreter: whoever checks a rule should not notice it.
"""

import statistics
import subprocess
import sys
from pathlib import Path

from tests.bench.results import Figure, Goal
from tests.bench.runs import timed

PROJECT = Path(__file__).parents[2]
RUNS = 9
"""Of each, interleaved, so that what else the machine does falls on all alike."""

RULES = sorted(file.stem for file in (PROJECT / "components" / "specs").glob("[a-z]*.py"))
NOTHING = ("-c", "pass")
PROGRAMS = {
    "the specs": ("-c", "import " + ", ".join(f"components.specs.{name}" for name in RULES)),
    "the settings": ("-c", "import config.models, config.crosschecks"),
    "tlsctl --help": ("-m", "tlsctl", "--help"),
}
_OVER = 0.1
_TIMEOUT = 60


def run(program: tuple[str, ...]) -> None:
    """Run a program in a fresh interpreter."""
    subprocess.run(
        [sys.executable, *program], cwd=PROJECT, stdout=subprocess.DEVNULL, timeout=_TIMEOUT, check=True
    )  # fmt: skip


def figures(runs: int = RUNS) -> list[Figure]:
    """Measure them."""
    programs = {"nothing": NOTHING, **PROGRAMS}
    taken: dict[str, list[float]] = {name: [] for name in programs}
    for _ in range(runs):
        for name, program in programs.items():
            taken[name].append(timed(lambda program=program: run(program)))  # type: ignore[misc]
    floor = taken.pop("nothing")
    goal = Goal(most=round(statistics.median(floor) + _OVER, 3))
    return [
        Figure(
            "Imports",
            name,
            times,
            floor,
            "an interpreter that loads nothing",
            goal=goal if name == "the specs" else None,
        )
        for name, times in taken.items()
    ]


def main() -> None:
    """Print them."""
    from rich.console import Console

    from tests.bench.results import Results
    from tests.bench.table import show

    show(Console(), Results(figures=figures()))


if __name__ == "__main__":
    main()
