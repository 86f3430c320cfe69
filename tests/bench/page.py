"""`python -m tests.bench.page [--keep] LOG`: take over the results of a run, and write docs/numbers.md from them."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from tests import machine, recording
from tests.bench.figures import COLUMNS, GROUPS, Figure
from tests.recording import Report, table

FILE = Path(__file__).parent / "results.jsonl"
"""The results that docs/numbers.md shows."""
REAL = FILE.with_stem("results-real")
"""Those of runs with the real kubernetes provider, which it shows in a table of their own."""
PAGE = Path(__file__).parents[2] / "docs" / "numbers.md"
PROVIDER = machine.PROVIDER.format("kubernetes")
_TEMPLATE = Path(__file__).parent / "numbers.txt"


def page(reports: Sequence[Report], real: Sequence[Report]) -> str:
    """Return the page, Markdown; `real` are the results with the real kubernetes provider."""
    figures = _figures(reports)
    facts = recording.recorded(reports, "machine")[0]
    text = _TEMPLATE.read_text().replace("{machine}\n", table(["", ""], list(facts.items())))
    for group in GROUPS:
        rows = [figure.row() for figure in figures if figure.group == group]
        text = text.replace(f"{{{group}}}\n", _table(rows) if rows else "Not measured.\n")
    rows = [[f"{figure.group}: {row[0]}", *row[1:]] for figure in _figures(real) if (row := figure.row())]
    provider = recording.recorded(real, "machine")[0][PROVIDER]
    return text.replace("{real}\n", _table(rows)).replace("{real provider}", provider)


def _figures(reports: Sequence[Report]) -> list[Figure]:
    return [Figure(**value) for value in recording.recorded(reports, "figure")]


def _table(rows: Sequence[Sequence[str]]) -> str:
    used = [column for column in range(len(COLUMNS)) if column == 0 or any(row[column] for row in rows)]
    return table([COLUMNS[column] for column in used], [[row[column] for column in used] for row in rows])


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.page", description=__doc__)
    parser.add_argument("log", type=Path, nargs="?", help="a log of pytest-reportlog (default: the kept results)")
    parser.add_argument("--keep", action="store_true", help="keep the results of tests that the log does not have")
    arguments = parser.parse_args()
    if arguments.log:
        newer = [report for report in recording.read(arguments.log) if report["outcome"] == "passed"]
        machines = recording.recorded(newer, "machine")
        file = REAL if machines and machines[0][PROVIDER].startswith(machine.REAL) else FILE
        try:
            reports = recording.merged(recording.read(file) if arguments.keep else [], newer)
        except ValueError as error:
            parser.exit(1, f"{arguments.log}: {error}\n")
        recording.write(file, reports)
    PAGE.write_text(page(recording.read(FILE), recording.read(REAL)))


if __name__ == "__main__":
    main()
