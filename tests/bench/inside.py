"""What `make bench` runs inside a sandbox: the figures, one after the other, as long as there is time."""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.bench import previews, scale, ups, verify_hosts
from tests.bench.runs import Bench

FIGURES: dict[str, tuple[Callable[[Bench], None], int]] = {
    "first-preview": (previews.first, 330),
    "up-2": (ups.small, 430),
    "up-30": (ups.thirty, 70),
    "up-100": (ups.hundred, 190),
    "verify": (verify_hosts.figures, 130),
    "scale-perhost": (scale.per_host, 150),
    "scale-shared": (scale.shared, 220),
}
"""What measures each, and the seconds that it takes on two cores: none is begun that there is no time for."""


def main() -> None:
    """Measure, and write the results after each."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.inside", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="each once, with the smallest size")
    parser.add_argument("--seconds", type=float, default=30 * 60, help="the time for all of them")
    parser.add_argument("--output", type=Path, required=True, help="the file to write")
    parser.add_argument("figures", nargs="*", metavar="FIGURE", help="which (default: all)")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        bench = Bench(Path(folder), args.quick, time.monotonic() + args.seconds)
        for name in args.figures or FIGURES:
            work, seconds = FIGURES[name]
            needed = 0 if args.quick else seconds
            if bench.left() < needed:
                bench.results.missing[name] = f"no time was left: it takes {needed} s"
            else:
                try:
                    work(bench)
                except Exception as error:
                    first, *_ = str(error).splitlines() or [""]
                    bench.say(f"{name} failed: {error}")
                    bench.results.missing[name] = f"it failed: {type(error).__name__}: {first}"
            args.output.write_text(bench.results.dump())


if __name__ == "__main__":
    main()
