"""`python -m tests.faults.hostile --configs 10000 --seed 1`: play hostile configs, and say what came of them."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

from tests.faults.hostile.play import Result, run

_PAUSE = 10.0
"""Seconds between two lines of progress."""


def main() -> int:
    """Run the command line; the exit code is 1 when something did not hold."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.hostile", description=__doc__)
    parser.add_argument("--configs", type=int, default=10_000, metavar="N", help="how many (default: 10000)")
    parser.add_argument("--seed", type=int, default=1, help="what decides them (default: 1)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the result there as well")
    arguments = parser.parse_args()
    result = told(arguments.configs, arguments.seed)
    if arguments.json:
        arguments.json.write_text(json.dumps(result.as_json(), indent=1) + "\n")
    return 1 if result.broken else 0


def told(configs: int, seed: int) -> Result:
    """Play so many configs; say how far it has come, and what came of them."""
    said = time.monotonic()

    def progress(result: Result) -> None:
        nonlocal said
        if time.monotonic() > said + _PAUSE:
            said = time.monotonic()
            print(f"{result.configs} of {configs} hostile configs, {result.seconds:.0f} s", flush=True)

    result = run(configs, seed, progress)
    print(
        f"{result.configs} hostile configs of seed {result.seed} in {result.seconds:.0f} s"
        f" ({result.configs / max(result.seconds, 0.1):.0f} a second):"
        f" {result.valid} accepted, {result.refused} refused,"
        f" {len(result.kinds)} kinds of problems; {result.failures} broke something."
    )
    for each in result.broken:
        print(f"    {each}")
    return result


if __name__ == "__main__":
    sys.exit(main())
