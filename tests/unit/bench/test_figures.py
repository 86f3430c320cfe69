"""Figures: medians, ratios and goals, and the page that shows them."""

import statistics
from typing import Any

import pytest

from tests import recording
from tests.bench import page
from tests.bench.figures import FIRST_PREVIEW, GROUPS, Figure, amount, spread

SLOW = Figure(FIRST_PREVIEW, "2 hosts", [5.0, 7.0, 6.0], [4.0, 4.0, 5.0], most_ratio=1.15)


def report(test: str, cores: str = "2", **figure: Any) -> recording.Report:
    properties = [["machine", {"cores": cores}], ["figure", {"group": FIRST_PREVIEW, "ours": [1.0], **figure}]]
    return {"nodeid": test, "when": "call", "outcome": "passed", "user_properties": properties}


def test_the_ratio_is_that_of_the_medians() -> None:
    assert SLOW.ratio == pytest.approx(1.5)
    assert Figure("g", "n", [5.0], [0.0]).ratio is None, "zero is no floor"
    assert Figure("g", "n", [5.0]).ratio is None


@pytest.mark.parametrize(
    ("goal", "ours", "floor", "met"),
    [
        ({"most_ratio": 1.15}, [1.15], [1.0], True),
        ({"most_ratio": 1.15}, [1.16], [1.0], False),
        ({"most_ratio": 1.15}, [1.0], [], False),
        ({"most": 15}, [15.0], [], True),
        ({"most": 15}, [1.0, 16.0, 17.0], [1.0], False),
        ({"most_ratio": 2, "most": 15}, [16.0], [10.0], False),
        ({"most": 0}, [0.0], [], True),
        ({}, [16.0], [10.0], None),
    ],
)
def test_the_median_decides_whether_a_goal_is_met(
    goal: dict[str, float], ours: list[float], floor: list[float], met: bool | None
) -> None:
    assert Figure("g", "n", ours, floor, **goal).met is met  # type: ignore[arg-type]


def test_a_row_has_runs_floor_ratio_goal_and_verdict() -> None:
    assert SLOW.row() == [
        "2 hosts", "6.00 s (5.00 to 7.00, 3 runs)", "4.00 s (4.00 to 5.00, 3 runs)", "1.50",
        "1.15 x the floor", "not met",
    ]  # fmt: skip
    assert Figure("g", "n", [0.0], unit="requests", most=0).row()[-2:] == ["0 requests", "met"]
    assert spread([217.4], "s") == "217 s (1 run)"


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [(0.123, "s", "0.12 s"), (12.34, "s", "12.3 s"), (1234.5, "ms", "1,234 ms"), (3.0, "requests", "3 requests")],
)
def test_a_small_amount_has_three_digits(value: float, unit: str, text: str) -> None:
    assert amount(value, unit) == text


def test_a_new_result_replaces_the_one_of_the_same_test() -> None:
    older, newer = [report("a", name="1 host"), report("b", name="2 hosts")], [report("a", name="3 hosts")]
    figures = recording.recorded(recording.merged(older, newer), "figure")
    assert [figure["name"] for figure in figures] == ["3 hosts", "2 hosts"], "in the same order"
    with pytest.raises(ValueError, match="another machine"):
        recording.merged(older, [report("a", name="3 hosts", cores="4")])


def test_docs_show_every_recorded_figure() -> None:
    reports = recording.read(page.FILE)
    text = page.PAGE.read_text()
    assert text == page.page(reports), "python -m tests.bench.page"
    figures = [Figure(**figure) for figure in recording.recorded(reports, "figure")]
    assert {figure.group for figure in figures} == set(GROUPS), "each group has figures"
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    for figure in figures:
        (cells,) = [cells for cells in rows if cells[:2] == figure.row()[:2]]
        median = statistics.median(figure.ours)
        shown = float(cells[1].split()[0].replace(",", ""))
        assert shown == pytest.approx(median, abs=0.5 if median >= 100 else 0.05 if median >= 10 else 0.005)
    machine = recording.recorded(reports, "machine")[0]
    assert all([key, value] in rows for key, value in machine.items()), "and the machine"
