"""`python -m bench.imports`: how long the leaves take to load, beside an interpreter that loads nothing.

The goal is 0.1 s for the rules over the bare interpreter: whoever checks a rule should not notice it.
"""

import statistics
import subprocess
import sys
import time
from pathlib import Path

PROJECT = Path(__file__).parents[1]
RUNS = 9
"""Of each, interleaved, so that what else the machine does falls on all alike."""

RULES = sorted(file.stem for file in (PROJECT / "components" / "rules").glob("[a-z]*.py"))
PROGRAMS = {
    "nothing": ("-c", "pass"),
    "the rules": ("-c", "import " + ", ".join(f"components.rules.{name}" for name in RULES)),
    "the settings": ("-c", "import settings, settings.crosschecks"),
    "tlsctl --help": ("-m", "tlsctl", "--help"),
}


def seconds(program: tuple[str, ...]) -> float:
    """Return how long a fresh interpreter takes for a program."""
    began = time.perf_counter()
    subprocess.run([sys.executable, *program], cwd=PROJECT, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - began


def main() -> None:
    """Print the median of each, its spread, and what it is over the floor."""
    taken: dict[str, list[float]] = {name: [] for name in PROGRAMS}
    for _ in range(RUNS):
        for name, program in PROGRAMS.items():
            taken[name].append(seconds(program))
    floor = statistics.median(taken["nothing"])
    print(f"{'':14} median     spread          over the floor   (of {RUNS} runs)")
    for name, times in taken.items():
        median = statistics.median(times)
        print(f"{name:14} {median:.3f} s    {min(times):.3f}-{max(times):.3f} s   {median - floor:+.3f} s")


if __name__ == "__main__":
    main()
