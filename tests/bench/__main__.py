"""`make bench`: measures everything in a sandbox of its own, prints a table, and writes the JSON and the page."""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console

from sandbox import machine, paths
from sandbox.errors import SandboxError
from sandbox.instance import Instance
from tests.bench import imports, inside, load, page, sandboxes
from tests.bench.results import FILE, Results
from tests.bench.table import show

BUDGET = 30 * 60
"""Seconds for everything but builds."""
_GRACE = 60
"""Seconds of it in which the last figure may end."""
_STARTS = 5
_BUILD = 600
_QUICK = {"runs": "quick: each once, with the smallest sizes, to see that it works"}

err = Console(stderr=True, highlight=False)
out = Console(highlight=False)
if not out.is_terminal:
    out.width = 160


def main() -> int:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="each once, with the smallest sizes, to see that it works")
    parser.add_argument("--output", type=Path, default=FILE, help="the JSON to write (default: bench/results.json)")
    parser.add_argument(
        "figures",
        nargs="*",
        metavar="FIGURE",
        help=f"of {', '.join(inside.FIGURES)}; without any, all are measured, else the other results are kept",
    )
    args = parser.parse_args()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # in the background of a script it is ignored
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        results = measure(quick=args.quick, figures=args.figures)
    except SandboxError as error:
        err.print(f"[red]error:[/] {error}", soft_wrap=True)
        return 1
    except KeyboardInterrupt:
        err.print("Interrupted. The sandbox has ended, and no results are written.")
        return 1
    finally:
        sandboxes.end()
    show(out, results)
    if args.figures and args.output.exists():
        held = Results.load(args.output.read_text())
        for name in args.figures:
            held.missing.pop(name, None)
        try:
            results = held.merged(results)
        except ValueError as error:
            err.print(f"[red]error:[/] {args.output}: {error}", soft_wrap=True)
            return 1
    args.output.write_text(results.dump())
    if args.output == FILE:
        page.main()
    out.print(f"Written: {args.output}" + (", docs/numbers.md and its pictures" if args.output == FILE else ""))
    return 0


def measure(*, quick: bool, figures: list[str]) -> Results:
    """Return the results; the sandbox is left to the caller to end.

    Raises:
        SandboxError: it does not start.
    """
    made_of, generator = sandboxes.plan(err), _load_generator()
    until = time.monotonic() + BUDGET
    results = Results(machine.facts(made_of.standins) | (_QUICK if quick else {}))
    starts = []
    for number in range(1 if quick else _STARTS):
        sandboxes.end()
        err.print(f"sandbox: start {number + 1} of {1 if quick else _STARTS}")
        starts.append(sandboxes.started(made_of))
    ours = [*sandboxes.figures(starts)]
    err.print("imports")
    ours += imports.figures(1 if quick else imports.RUNS)
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        file = Path(folder) / "results.json"
        ended = _run_inside(file, until - time.monotonic(), ["--quick"] * quick + figures, generator)
        if file.exists():
            within = Results.load(file.read_text())
            results.add(*within.figures)
            results.missing |= within.missing
    if not ended:
        results.missing["what follows"] = "the time was over"
    results.add(*ours)
    return results


def _run_inside(file: Path, seconds: float, options: list[str], generator: str) -> bool:
    """Measure inside the sandbox; return whether that ended in time."""
    instance = Instance.require(sandboxes.NAME)
    argv = [
        sys.executable,
        "-m",
        "tests.bench.inside",
        f"--seconds={seconds - _GRACE:.0f}",
        f"--output={file}",
        *options,
    ]
    with subprocess.Popen(
        instance.command(argv, paths.PROJECT), env=instance.environment() | {load.PROGRAM: generator},
        stdin=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        try:
            return process.wait(seconds) == 0
        except subprocess.TimeoutExpired:
            return False
        finally:
            # With the sandbox goes what it has started.
            process.kill()


def _load_generator() -> str:
    """Return the path of the load generator, which Go builds where it has not."""
    done = subprocess.run(
        ["go", "-C", "tests/tools", "tool", "-n", "vegeta"],
        cwd=paths.PROJECT, env=os.environ, capture_output=True, text=True, timeout=_BUILD, check=False,
    )  # fmt: skip
    if done.returncode:
        raise SandboxError(f"The load generator could not be built:\n{done.stderr}")
    return done.stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
