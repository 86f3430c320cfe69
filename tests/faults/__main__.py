"""`make faults`: plays scenarios and rounds side by side, each in a sandbox of its own, and says what came of them."""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from sandbox import paths
from sandbox.errors import SandboxError
from sandbox.instance import Instance
from tests.faults import page
from tests.faults.scenarios import SCENARIOS

BOUND = 3600.0
"""Seconds for all of it: twice what it takes."""

out = Console(highlight=False, soft_wrap=True)


def shares(arguments: argparse.Namespace) -> list[list[str]]:
    """Return what each sandbox plays: the options of `tests.faults.inside`."""
    if arguments.only:
        return [[f"--first={arguments.only}", "--rounds=1"]]
    if arguments.scenarios is not None:
        return [["--scenarios", *(arguments.scenarios or SCENARIOS)]]
    # The scenarios and the configs take about as long as half of the rounds.
    beside = arguments.rounds // 4
    first, rest = arguments.first, arguments.rounds - beside
    return [
        ["--scenarios", *SCENARIOS, f"--first={first + rest}", f"--rounds={beside}", f"--configs={arguments.configs}"],
        [f"--first={first}", f"--rounds={rest}"],
    ]


def merged(shares: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what several sandboxes have written as one would have: rounds by their numbers."""
    found: dict[str, Any] = {}
    for each in shares:
        found |= {key: value for key, value in each.items() if value or key not in found}
    rounds = [played for each in shares for played in each.get("rounds", [])]
    return found | {"rounds": sorted(rounds, key=lambda played: int(played["round"]["number"]))}


def show(rounds: Sequence[Mapping[str, Any]]) -> None:
    """Print what came of the rounds of each part."""
    shown = Table(*page.KILLED, box=None)
    for row in page.killed(rounds):
        shown.add_row(*map(str, row))
    out.print(shown)


def play(sandboxes: Sequence[str], seed: int, played: Sequence[Sequence[str]]) -> tuple[int, dict[str, Any]]:
    """Play each share in its sandbox; return the exit code and what was written down.

    Raises:
        SandboxError: a sandbox does not run.
        subprocess.TimeoutExpired: it takes longer than `BOUND`.
    """
    with tempfile.TemporaryDirectory(prefix="faults-") as folder, ExitStack() as running:
        started = []
        for number, (name, options) in enumerate(zip(sandboxes, played, strict=False)):
            instance, file = Instance.require(name), Path(folder) / f"{number}.json"
            argv = [sys.executable, "-m", "tests.faults.inside", f"--seed={seed}", f"--json={file}", *options]
            process = subprocess.Popen(
                instance.command(argv, paths.PROJECT), env=instance.environment(), stdin=subprocess.DEVNULL
            )
            running.enter_context(process)
            # With the sandbox goes what it has started.
            running.callback(process.kill)
            started.append((process, file))
        codes = [process.wait(BOUND) for process, _ in started]
        found = merged([json.loads(file.read_text()) for _, file in started if file.exists()])
    return max(codes), found


def main() -> int:
    """Run the command line; the exit code is 1 when an invariant did not hold."""
    parser = argparse.ArgumentParser(prog="python -m faults", description=__doc__)
    parser.add_argument("sandboxes", nargs="+", metavar="SANDBOX", help="two that run; one for a part alone")
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
    played = shares(arguments)
    if len(arguments.sandboxes) < len(played):
        parser.error(f"{len(played)} sandboxes are needed, for scenarios and for rounds")
    signal.signal(signal.SIGINT, signal.default_int_handler)  # in the background of a script it is ignored
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    out.print(f"Seed {seed}. Each of these is repeated with it: make faults SEED={seed}")
    try:
        code, found = play(arguments.sandboxes, seed, played)
    except SandboxError as error:
        out.print(f"[red]error:[/] {error}")
        return 1
    except subprocess.TimeoutExpired:
        out.print(f"[red]error:[/] it took more than {BOUND:.0f} s, and was ended")
        return 1
    except KeyboardInterrupt:
        out.print("Interrupted; no results are written.")
        return os.EX_TEMPFAIL
    if found["rounds"]:
        show(found["rounds"])
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=1) + "\n")
        out.print(f"Written: {arguments.json}")
    return code


if __name__ == "__main__":
    sys.exit(main())
