"""The progress of builds and of a start."""

import io
from contextlib import suppress
from itertools import chain, repeat

import pytest
from rich.console import Console

from sandbox import progress
from sandbox.gobuild import Record
from sandbox.progress import Builds, left, spell

USUAL = [Record(100, 1000), Record(300, 2000)]


@pytest.fixture
def console(monkeypatch: pytest.MonkeyPatch) -> Console:
    """No terminal, and a line for every report."""
    monkeypatch.setattr(progress, "_HEARTBEAT", 0.0)
    return Console(file=io.StringIO(), width=40)


def lines(console: Console) -> list[str]:
    assert isinstance(console.file, io.StringIO), "as the fixture made it"
    return console.file.getvalue().splitlines()


@pytest.mark.parametrize("pace", [0.5, 2, 5])
def test_the_estimate_follows_the_pace_of_this_machine(pace: float) -> None:
    assert left(400, 0, 0) == 400, "at first the estimate is the usual time"
    early, late = left(1000, 10, 10 * pace), left(1000, 2000, 2000 * pace)
    assert abs(late - 1000 * pace) < abs(early - 1000 * pace), "the longer it runs, the nearer"
    assert late == pytest.approx(1000 * pace, rel=0.1), "after half an hour it is within a tenth"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "less than a minute"), (29, "less than a minute"), (31, "about 1 min"), (400, "about 7 min")],
)
def test_an_estimate_is_in_minutes(seconds: float, words: str) -> None:
    assert spell(seconds) == words, "seconds would pretend precision"


def test_a_build_prints_its_number_and_the_time_that_is_left(console: Console) -> None:
    builds = Builds(console, USUAL)
    with builds.next("first") as report:
        report("downloading example.com/a", 0)
        report("compiling", 500)
    with builds.next("second") as report:
        report("compiling", 2500)
    said = lines(console)
    assert said[0].startswith("[1/2] build first  downloading example.com/a (0 s); about 7 min left"), "nothing is done"
    assert said[1].startswith("[1/2] build first  compiling, 500 of about 1000 packages (0 s); about "), "half is"
    assert said[2].startswith("[1/2] build first  500 packages  0."), "one is done, and took so long"
    assert said[3].startswith("[2/2] build second  compiling, 2500 of about 2500 packages"), "never more than all"
    assert said[3].endswith("; less than a minute left in all"), "linking is still to come"
    assert said[4].startswith("[2/2] build second  2500 packages  0."), "all are done"


def test_a_slow_download_does_not_make_the_machine_a_slow_one(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = chain([0, 600, 601], repeat(651))
    monkeypatch.setattr("sandbox.progress.time.monotonic", lambda: next(clock))
    with Builds(console, USUAL).next("first") as report:
        report("downloading example.com/a", 0)
        report("compiling", 1)
        report("compiling", 500)
    waited, began, half = lines(console)[:3]
    assert waited.endswith("(600 s); about 7 min left in all"), "ten minutes of waiting are not work"
    assert began.endswith("(601 s); about 7 min left in all"), "nor are they when it begins to compile"
    assert half.endswith("(651 s); about 6 min left in all"), "half of 100 s in 50 s: the usual pace"


def test_a_failed_build_is_not_reported_as_done(console: Console) -> None:
    with suppress(RuntimeError), Builds(console, USUAL).next("first") as report:
        report("compiling", 1)
        raise RuntimeError
    assert len(lines(console)) == 1, "only what it did"
