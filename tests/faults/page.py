"""`python -m tests.faults.page [LOG]`: take over the results of a run, and write docs/faults.md from them."""

import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from tests import recording
from tests.faults.draw import VICTIMS
from tests.faults.scenarios import SCENARIOS
from tests.recording import Report, table

FILE = Path(__file__).parent / "results.jsonl"
"""The results that docs/faults.md shows."""
PAGE = Path(__file__).parents[2] / "docs" / "faults.md"
_TEMPLATE = Path(__file__).parent / "about.txt"
NOT_MEASURED = "Not measured.\n"
_ROUNDS = ("part", "rounds", "went through", "failed, cause named", "median recovery", "longest", "broken")
_SCENARIOS = ("scenario", "what is done", "how it ends", "what puts it right")
_PLAYED = ("scenario", "outcome", "took", "recovered after", "broken")


def page(reports: Sequence[Report]) -> str:
    """Return the page, Markdown."""
    scenarios = [(f"`{scenario.name}`", scenario.what, scenario.ends, scenario.fixed_by) for scenario in SCENARIOS]
    text = _TEMPLATE.read_text().replace("{scenarios}\n", table(_SCENARIOS, scenarios))
    for name, section in {"machine": _machine, "round": _rounds, "scenario": _scenarios, "hostile": _hostile}.items():
        recorded = recording.recorded(reports, name)
        text = text.replace(f"{{{name}}}\n", section(recorded) if recorded else NOT_MEASURED)
    return text


def _machine(recorded: Sequence[dict[str, str]]) -> str:
    return f"Measured on {', '.join(f'{key} {value}' for key, value in recorded[0].items())}.\n"


def _rounds(played: Sequence[dict[str, Any]]) -> str:
    by_part = {part: [one for one in played if one["victim"] == part] for part in VICTIMS}
    rows = [_row(part, rounds) for part, rounds in by_part.items() if rounds]
    return f"{len(played)} rounds of seed {played[0]['seed']}.\n\n{table(_ROUNDS, [*rows, _row('all', played)])}"


def _row(part: str, rounds: Sequence[dict[str, Any]]) -> list[object]:
    """Return the row of a part; a round that was over before the kill has no recovery."""
    recoveries = [one["recovered"] for one in rounds if one["recovered"] is not None]
    outcomes = [one["outcome"] for one in rounds]
    named = sum(one["outcome"] == "failed" and not _is_nameless(one) for one in rounds)
    return [
        part, len(rounds), outcomes.count("went through"), named,
        _seconds(median(recoveries) if recoveries else None), _seconds(max(recoveries, default=None)),
        sum(len(one["broken"]) for one in rounds),
    ]  # fmt: skip


def _is_nameless(played: dict[str, Any]) -> bool:
    return any("without naming the cause" in broken or "traceback" in broken for broken in played["broken"])


def _scenarios(played: Sequence[dict[str, Any]]) -> str:
    rows = [
        (f"`{one['name']}`", one["outcome"], _seconds(one["seconds"]), _seconds(one["recovered"]), len(one["broken"]))
        for one in played
    ]
    return table(_PLAYED, rows)


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.1f} s"


def _hostile(recorded: Sequence[dict[str, Any]]) -> str:
    played = recorded[0]
    rate = played["configs"] / played["seconds"] if played["seconds"] else 0
    return (
        f"{played['configs']:,} configs of seed {played['seed']} in {played['seconds']:.0f} s ({rate:.0f} a second):"
        f" {played['valid']:,} were accepted, {played['refused']:,} refused, {len(played['broken'])} broke something.\n"
    )


if __name__ == "__main__":
    if sys.argv[1:]:
        recording.write(FILE, recording.read(Path(sys.argv[1])))
    PAGE.write_text(page(recording.read(FILE) if FILE.exists() else []))
