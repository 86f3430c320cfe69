"""`python -m tests.bench.page [--keep] LOG`: take over the results of a run, and write docs/numbers.md from them."""

import argparse
import textwrap
from collections.abc import Sequence
from pathlib import Path

from tests import recording
from tests.bench.figures import COLUMNS, GROUPS, Figure, Group
from tests.recording import Report, table

FILE = Path(__file__).parent / "results.jsonl"
"""The results that docs/numbers.md shows."""
PAGE = Path(__file__).parents[2] / "docs" / "numbers.md"
_TEMPLATE = Path(__file__).parent / "numbers.txt"
_COLUMNS = 120


def page(reports: Sequence[Report]) -> str:
    """Return the page, Markdown."""
    figures = [Figure(**value) for value in recording.recorded(reports, "figure")]
    machine = recording.recorded(reports, "machine")[0]
    parts = ["## The machine\n", table(["", ""], list(machine.items()))]
    for group in GROUPS:
        if of_group := [figure for figure in figures if figure.group == group.title]:
            parts += _section(group, of_group)
    return _TEMPLATE.read_text().replace("{results}\n", "\n".join(parts))


def _section(group: Group, figures: Sequence[Figure]) -> list[str]:
    rows = [figure.row() for figure in figures]
    used = [column for column in range(len(COLUMNS)) if column == 0 or any(row[column] for row in rows)]
    texts = [f"The floor: {group.floor}."] if group.floor else []
    texts += [group.note] if group.note else []
    return [
        f"\n## {group.title}\n",
        table([COLUMNS[column] for column in used], [[row[column] for column in used] for row in rows]),
        *(f"{textwrap.fill(text, _COLUMNS)}\n" for text in texts),
    ]


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.page", description=__doc__)
    parser.add_argument("log", type=Path, nargs="?", help="a log of pytest-reportlog (default: the kept results)")
    parser.add_argument("--keep", action="store_true", help="keep the results of tests that the log does not have")
    arguments = parser.parse_args()
    reports = recording.read(FILE)
    if arguments.log:
        newer = [report for report in recording.read(arguments.log) if report["outcome"] == "passed"]
        try:
            reports = recording.merged(reports if arguments.keep else [], newer)
        except ValueError as error:
            parser.exit(1, f"{arguments.log}: {error}\n")
        recording.write(FILE, reports)
    PAGE.write_text(page(reports))


if __name__ == "__main__":
    main()
