"""What `make faults` plays inside one sandbox: scenarios, rounds of kills, hostile configs, and what came of them."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from tests.faults import report
from tests.faults.draw import draw
from tests.faults.hostile.__main__ import told
from tests.faults.hostile.play import Result
from tests.faults.operations import Project
from tests.faults.rounds import Played, Rounds
from tests.faults.scenarios import SCENARIOS
from tests.faults.scenes import PlayedScenario, theatre

out = Console(highlight=False, width=150)


def stage(seed: int, names: Sequence[str], progress: report.Progress) -> list[PlayedScenario]:
    """Play scenarios, a line for each."""
    if not names:
        return []
    played = []
    with theatre() as scenes:
        for name in names:
            played.append(scenes.play(SCENARIOS[name], seed))
            report.scenario(out, played[-1], seed, progress)
        played[-1].broken += report.last(out, scenes)
    return played


def play(seed: int, numbers: range, progress: report.Progress) -> list[Played]:
    """Play rounds, a line for each."""
    if not numbers:
        return []
    played = []
    with tempfile.TemporaryDirectory() as folder:
        rounds = Rounds(Project(Path(folder)))
        rounds.stand()
        for number in numbers:
            played.append(rounds.play(draw(seed, number)))
            report.round_(out, played[-1], progress)
        played[-1].broken += report.last(out, rounds)
    return played


def main() -> int:
    """Run the command line; the exit code is 1 when an invariant did not hold."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.inside", description=__doc__)
    parser.add_argument("--seed", type=int, required=True, help="what decides every moment")
    parser.add_argument("--scenarios", nargs="*", choices=SCENARIOS, default=[], metavar="NAME", help="which to play")
    parser.add_argument("--first", type=int, default=1, metavar="N", help="the first round (default: 1)")
    parser.add_argument("--rounds", type=int, default=0, metavar="N", help="how many rounds")
    parser.add_argument("--configs", type=int, default=0, metavar="N", help="how many hostile configs")
    parser.add_argument("--json", type=Path, required=True, metavar="FILE", help="write the results there")
    arguments = parser.parse_args()
    seed, numbers = arguments.seed, range(arguments.first, arguments.first + arguments.rounds)
    progress = report.Progress(len(arguments.scenarios) + len(numbers), time.monotonic())
    scenarios, rounds = stage(seed, arguments.scenarios, progress), play(seed, numbers, progress)
    hostile = told(arguments.configs, seed) if arguments.configs else Result(seed)
    report.write(arguments.json, seed, rounds, scenarios, hostile)
    broken = [*hostile.broken, *(what for each in rounds for what in each.broken)]
    return 1 if broken or any(each.broken for each in scenarios) else 0


if __name__ == "__main__":
    sys.exit(main())
