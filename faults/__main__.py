"""`python -m faults --seed 1 --rounds 50`, inside a sandbox: rounds of kills, and what came of them."""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console

from faults import report
from faults.draw import draw
from faults.operations import Project
from faults.rounds import Played, Rounds

out = Console(highlight=False, width=150)


def play(seed: int, numbers: range, project: Project) -> list[Played]:
    """Play rounds, a line for each."""
    rounds, began = Rounds(project), time.monotonic()
    out.print(f"Bringing the stack up; then {len(numbers)} rounds of seed {seed}.")
    rounds.stand()
    played = []
    for count, number in enumerate(numbers, 1):
        played.append(rounds.play(draw(seed, number)))
        report.line(out, played[-1], f"{count} of {len(numbers)}", time.monotonic() - began)
    destroyed = project.run("destroy", "--yes", "--skip-preview")
    last = rounds.emptied(destroyed)
    for broken in last:
        out.print(f"[red]after the last destroy: {broken}[/]")
    played[-1].broken += last
    return played


def main() -> int:
    """Run the command line; the exit code is 1 when an invariant did not hold."""
    parser = argparse.ArgumentParser(prog="python -m faults", description=__doc__)
    parser.add_argument("--seed", type=int, help="what decides every round (default: another one each time)")
    parser.add_argument("--from", dest="first", type=int, default=1, metavar="N", help="the first round (default: 1)")
    parser.add_argument("--rounds", type=int, default=50, help="how many (default: 50)")
    parser.add_argument("--only", type=int, metavar="N", help="play round N of the seed alone")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results there as well")
    arguments = parser.parse_args()
    seed = random.randrange(1, 1_000_000) if arguments.seed is None else arguments.seed  # noqa: S311
    first, count = (arguments.only, 1) if arguments.only else (arguments.first, arguments.rounds)
    numbers = range(first, first + count)
    with tempfile.TemporaryDirectory() as folder:
        played = play(seed, numbers, Project(Path(folder)))
    report.summary(out, played)
    if arguments.json:
        report.write(arguments.json, seed, played)
    return 1 if any(each.broken for each in played) else 0


if __name__ == "__main__":
    sys.exit(main())
