"""`python -m faults --seed 1`, inside a sandbox: scenarios, rounds of kills, hostile configs, and what came of them."""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from faults import report
from faults.draw import draw
from faults.hostile.__main__ import told
from faults.hostile.play import Result
from faults.operations import Project
from faults.rounds import Played, Rounds
from faults.scenarios import SCENARIOS
from faults.scenes import PlayedScenario, theatre

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
    parser = argparse.ArgumentParser(prog="python -m faults", description=__doc__)
    parser.add_argument("--seed", type=int, help="what decides every moment (default: another one each time)")
    parser.add_argument(
        "--scenarios",
        nargs="*",
        choices=SCENARIOS,
        metavar="NAME",
        help=f"play these alone, or all of them and no rounds: {', '.join(SCENARIOS)}",
    )
    parser.add_argument("--from", dest="first", type=int, default=1, metavar="N", help="the first round (default: 1)")
    parser.add_argument("--rounds", type=int, default=50, help="how many (default: 50)")
    parser.add_argument("--only", type=int, metavar="N", help="play round N of the seed alone")
    parser.add_argument("--configs", type=int, default=10_000, metavar="N", help="hostile configs (default: 10000)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results there as well")
    arguments = parser.parse_args()
    seed = random.randrange(1, 1_000_000) if arguments.seed is None else arguments.seed  # noqa: S311
    first, count = (arguments.only, 1) if arguments.only else (arguments.first, arguments.rounds)
    names, numbers, configs = list(SCENARIOS), range(first, first + count), arguments.configs
    if arguments.scenarios is not None:
        names, numbers, configs = arguments.scenarios or names, range(0), 0
    elif arguments.only:
        names, configs = [], 0
    out.print(f"Seed {seed}: {len(names)} scenarios, {len(numbers)} rounds, {configs} hostile configs.")
    progress = report.Progress(len(names) + len(numbers), time.monotonic())
    scenarios, rounds = stage(seed, names, progress), play(seed, numbers, progress)
    report.summary(out, rounds)
    hostile = told(configs, seed) if configs else Result(seed)
    if arguments.json:
        report.write(arguments.json, seed, rounds, scenarios, hostile)
    broken = [*hostile.broken, *(what for each in rounds for what in each.broken)]
    return 1 if broken or any(each.broken for each in scenarios) else 0


if __name__ == "__main__":
    sys.exit(main())
