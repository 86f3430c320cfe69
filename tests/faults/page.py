"""`python -m tests.faults.page > docs/faults.md`: the page of faults, from faults/about.txt and faults/results.json."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.faults.draw import VICTIMS

FILE = Path(__file__).parent / "results.json"
"""What the last `make faults JSON=faults/results.json` wrote."""
ABOUT = Path(__file__).parent / "about.txt"
"""What is done and what must hold, which is the same whatever came of it."""

NOT_MEASURED = "Not measured.\n"
KILLED = ("part", "rounds", "went through", "failed, cause named", "median recovery", "longest", "broken")
_THROUGH, _FAILED = "went through", "failed"

Row = Sequence[object]


def page(results: Mapping[str, Any] | None) -> str:
    """Return the page, Markdown.

    Args:
        results: as `tests.faults.report` writes them; None where nothing was measured.
    """
    about = ABOUT.read_text()
    if results is None:
        return about
    parts = [about, "## Results\n", _machine(results.get("machine") or {})]
    parts += ["### Parts killed at random\n", _rounds(results.get("rounds") or (), results.get("seed"))]
    parts += ["### Scenarios\n", _scenarios(results.get("scenarios") or ())]
    parts += ["### Hostile configs\n", _hostile(results.get("hostile") or {})]
    return "\n".join([*parts, "<!-- Made by `python -m tests.faults.page`. -->\n"])


def _machine(facts: Mapping[str, Any]) -> str:
    return f"Measured on {', '.join(f'{key} {value}' for key, value in facts.items())}.\n" if facts else NOT_MEASURED


def _rounds(played: Sequence[Mapping[str, Any]], seed: object) -> str:
    if not played:
        return NOT_MEASURED
    return f"{len(played)} rounds of seed {seed}.\n\n{table(KILLED, killed(played))}"


def killed(played: Sequence[Mapping[str, Any]]) -> list[Row]:
    """Return what came of the rounds of each part, and of all: cells by the names in `KILLED`."""
    rows = [_killed(victim, [each for each in played if each["round"]["victim"] == victim]) for victim in VICTIMS]
    return [each for each in (*rows, _killed("all", played)) if each[1]]


def _killed(name: str, rounds: Sequence[Mapping[str, Any]]) -> list[object]:
    """Return the row of one part; a round that was over before the kill is counted, and says nothing of recovery."""
    outcomes = [each["outcome"] for each in rounds]
    recoveries = [each["recovered"] for each in rounds if each["recovered"] is not None]
    named = sum(each["outcome"] == _FAILED and not _nameless(each) for each in rounds)
    return [
        name, len(rounds), outcomes.count(_THROUGH), named,
        seconds(statistics.median(recoveries) if recoveries else None), seconds(max(recoveries, default=None)),
        sum(len(each["broken"]) for each in rounds),
    ]  # fmt: skip


def _nameless(played: Mapping[str, Any]) -> bool:
    """Tell whether a failure named no cause, or had a traceback."""
    return any("without naming the cause" in each or "traceback" in each for each in played["broken"])


def _scenarios(played: Sequence[Mapping[str, Any]]) -> str:
    if not played:
        return NOT_MEASURED
    rows = [
        [f"`{each['name']}`", each["what"], each["outcome"], seconds(each.get("seconds")),
         seconds(each.get("recovered")), len(each["broken"])]
        for each in played
    ]  # fmt: skip
    return table(["scenario", "what is done", "outcome", "took", "recovered after", "broken"], rows)


def seconds(value: float | None) -> str:
    """Return how long something took, in words; empty where that is not known."""
    return "" if value is None else f"{value:.1f} s"


def _hostile(found: Mapping[str, Any]) -> str:
    if not found:
        return NOT_MEASURED
    rate = found["configs"] / found["seconds"] if found["seconds"] else 0
    return (
        f"{found['configs']:,} configs of seed {found['seed']} in {found['seconds']:.0f} s ({rate:.0f} a second):"
        f" {found['valid']:,} were accepted, {found['refused']:,} refused, {len(found['broken'])} broke something.\n"
    )


def table(head: Sequence[str], rows: Sequence[Row]) -> str:
    """Return a Markdown table."""
    lines = [list(head), ["---"] * len(head), *rows]
    cells = [[" ".join(str(cell).split()).replace("|", "\\|") for cell in each] for each in lines]
    return "\n".join(f"| {' | '.join(each)} |" for each in cells) + "\n"


if __name__ == "__main__":
    print(page(json.loads(FILE.read_text()) if FILE.exists() else None), end="")
