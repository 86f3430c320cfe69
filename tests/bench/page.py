"""`python -m tests.bench.page`: write docs/numbers.md and its pictures from bench/results.json."""

import textwrap
from collections.abc import Mapping
from pathlib import Path

from tests.bench import phases, plots
from tests.bench.results import COLUMNS, FILE, Results, row

_COLUMNS = 120
DOCS = Path(__file__).parents[2] / "docs"
PAGE = "numbers.md"
PLOTTED = {
    "First preview": "numbers-first-preview",
    phases.GROUP: "numbers-phases",
    "Preview without changes": "numbers-no-change",
    "`up` from an empty cluster": "numbers-up",
    "`tlsctl verify`": "numbers-verify",
}
"""Groups that have a picture, and its name."""

_HEAD = """# Numbers

`make bench` measures these, in at most half an hour on two cores, and this page is made from what it wrote
(`python -m tests.bench.page`). A figure is the median, with the least and the most of its runs. Beside it is its floor,
measured in the same minutes, in turns: the least that anything can take which does the same work. Time that others take
of the machine falls on both.
"""
_ADVICE = Path(__file__).parent / "advice.txt"
"""What follows from the figures, and what is worked out on paper."""


def pages(results: Results) -> Mapping[str, str]:
    """Return the page and its pictures, by their names below docs/."""
    groups = results.groups()
    pictures = {
        f"{name}.svg": plots.bars(group.replace("`", ""), groups[group], name)
        for group, name in PLOTTED.items()
        if group in groups
    }
    return {PAGE: _page(results), **pictures}


def _page(results: Results) -> str:
    parts = [_HEAD, "## The machine\n", _table(["", ""], [list(each) for each in results.machine.items()])]
    for group, figures in results.groups().items():
        parts.append(f"\n## {group}\n")
        if group in PLOTTED:
            parts.append(f"![Bars of each figure: ours and the floor]({PLOTTED[group]}.svg)\n")
        rows = [row(each) for each in figures]
        used = [at for at in range(len(COLUMNS)) if at == 0 or any(each[at] for each in rows)]
        parts.append(_table([COLUMNS[at] for at in used], [[each[at] for at in used] for each in rows]))
        floors = dict.fromkeys(each.against for each in figures if each.against)
        notes = dict.fromkeys(each.note for each in figures if each.note)
        parts += [
            f"\n{textwrap.fill(text, _COLUMNS)}\n" for text in (*(f"The floor: {each}." for each in floors), *notes)
        ]
    if results.missing:
        parts.append("\n## Not measured\n")
        parts.append(_table(["", "why"], [list(each) for each in results.missing.items()]))
    return "\n".join([*parts, _ADVICE.read_text()])


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in each)} |" for each in lines)


def main() -> None:
    """Write all of them, and remove pictures of what there are no figures of."""
    for old in DOCS.glob("numbers-*.svg"):
        old.unlink()
    for name, text in pages(Results.load(FILE.read_text())).items():
        (DOCS / name).write_text(text)


if __name__ == "__main__":
    main()
