"""Figures: medians, ratios and goals, and how they are written."""

import io
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from tests.bench import page
from tests.bench.results import FILE, Figure, Goal, Results, amount, row, spread
from tests.bench.table import show

SLOW = Figure("First preview", "2 hosts", [5.0, 7.0, 6.0], [4.0, 4.0, 5.0], "flat", goal=Goal(ratio=1.15))
RUNS = st.lists(st.floats(0.001, 1e6), min_size=1, max_size=9)


def test_the_ratio_is_that_of_the_medians() -> None:
    assert SLOW.ratio == pytest.approx(1.5)
    assert Figure("g", "n", [5.0], [0.0]).ratio is None, "nothing is no floor"
    assert Figure("g", "n", [5.0]).ratio is None


@pytest.mark.parametrize(
    ("goal", "ours", "floor", "met"),
    [
        (Goal(ratio=1.15), [1.15], [1.0], True),
        (Goal(ratio=1.15), [1.16], [1.0], False),
        (Goal(ratio=1.15), [1.0], [], False),
        (Goal(most=15), [15.0], [], True),
        (Goal(most=15), [1.0, 16.0, 17.0], [1.0], False),
        (Goal(ratio=2, most=15), [16.0], [10.0], False),
        (None, [16.0], [10.0], None),
    ],
)
def test_a_goal_is_met_by_the_median_or_not(
    goal: Goal | None, ours: list[float], floor: list[float], met: bool | None
) -> None:
    assert Figure("g", "n", ours, floor, goal=goal).met is met


def test_a_row_says_all_of_it() -> None:
    assert row(SLOW) == [
        "2 hosts", "6.00 s (5.00 to 7.00, 3 runs)", "4.00 s (4.00 to 5.00, 3 runs)", "1.50",
        "1.15 x the floor", "not met",
    ]  # fmt: skip
    assert row(Figure("g", "n", [0.0], unit="requests", goal=Goal(most=0)))[-2:] == ["0 requests", "met"]


@pytest.mark.parametrize(
    ("value", "unit", "said"),
    [(0.123, "s", "0.12 s"), (12.34, "s", "12.3 s"), (1234.5, "ms", "1,234 ms"), (3.0, "requests", "3 requests")],
)
def test_an_amount_has_as_many_digits_as_mean_something(value: float, unit: str, said: str) -> None:
    assert amount(value, unit) == said


def test_one_run_is_said_to_be_one() -> None:
    assert spread([217.4], "s") == "217 s (1 run)"
    assert spread([], "s") == "", "of a floor that there is not"


@given(RUNS, RUNS)
def test_results_are_read_as_they_were_written(ours: list[float], floor: list[float]) -> None:
    results = Results({"cores": "2"}, [Figure("g", "n", ours, floor, goal=Goal(ratio=1.1))], {"scale": "no time"})
    assert Results.load(results.dump()).dump() == results.dump()
    read = Results.load(results.dump()).figures[0]
    assert read.ratio == pytest.approx(statistics.median(ours) / statistics.median(floor))


def test_what_is_measured_again_takes_the_place_of_what_was() -> None:
    other = Figure("Imports", "the rules", [1.0])
    beside = Figure("First preview", "100 hosts", [9.0])
    held = Results({"cores": "2"}, [SLOW, beside, other], {"scale": "no time"})
    again, new = Figure("First preview", "2 hosts", [1.0]), Figure("First preview", "30 hosts", [2.0])
    merged = held.merged(Results({"cores": "2"}, [again, new]))
    assert merged.figures == [again, beside, new, other], "in the same order, and what was not measured again stays"
    assert merged.missing == {"scale": "no time"}
    with pytest.raises(ValueError, match="another machine"):
        held.merged(Results({"cores": "4"}, [again]))


def test_the_page_has_the_machine_every_figure_and_what_is_missing() -> None:
    results = Results({"cores": "2 (some | kind)"}, [SLOW], {"scale": "no time was left"})
    made = page.pages(results)
    written = made["numbers.md"]
    assert "| cores | 2 (some \\| kind) |" in written
    assert "| 2 hosts | 6.00 s (5.00 to 7.00, 3 runs) |" in written
    assert "The floor: flat." in written
    assert "| scale | no time was left |" in written
    assert "numbers-first-preview.svg" in made, "it has a picture"
    assert made == page.pages(results), "the same figures make the same files"
    assert "<script" not in made["numbers-first-preview.svg"]


def test_the_terminal_shows_whether_a_goal_is_met() -> None:
    console = Console(file=io.StringIO(), width=160)
    show(console, Results({"cores": "2"}, [SLOW], {"scale": "no time"}))
    printed = console.file.getvalue()  # type: ignore[attr-defined]
    assert "not met" in printed
    assert "1.50" in printed
    assert "not measured: scale: no time" in printed


def test_docs_quote_the_results() -> None:
    for name, text in page.pages(Results.load(FILE.read_text())).items():
        assert (page.DOCS / name).read_text() == text, "python -m tests.bench.page"
    pictures = {path.name for path in page.DOCS.glob("numbers-*.svg")}
    assert pictures <= page.pages(Results.load(FILE.read_text())).keys(), "no picture is left of an older run"
