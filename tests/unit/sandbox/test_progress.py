"""The progress of builds."""

import io

import pytest
from rich.console import Console

from sandbox import progress
from sandbox.gobuild import Build, Record, Report
from sandbox.progress import run_builds

FIRST = Build("first", (".",), usual=Record(100, 1000))
SECOND = Build("second", (".",), usual=Record(300, 2000))


@pytest.fixture
def console(monkeypatch: pytest.MonkeyPatch) -> Console:
    """No terminal, and a line for every report."""
    monkeypatch.setattr(progress, "_HEARTBEAT", 0.0)
    return Console(file=io.StringIO(), width=40)


def lines(console: Console) -> list[str]:
    assert isinstance(console.file, io.StringIO), "as the fixture made it"
    return console.file.getvalue().splitlines()


def test_a_build_prints_its_number_and_the_time_that_is_left(console: Console) -> None:
    def run(build: Build, report: Report) -> None:
        if build is FIRST:
            report("downloading example.com/a", 0)
        report("compiling", 500 if build is FIRST else 2500)

    run_builds(console, [FIRST, SECOND], run)
    said = lines(console)
    assert said[0] == "[1/2] build first  downloading example.com/a (0 s); about 7 min left in all", "the usual time"
    assert said[1].startswith("[1/2] build first  compiling, 500 of about 1000 packages (0 s); about "), "half is"
    assert said[2].startswith("[1/2] build first  500 packages  0."), "one is done, and took so long"
    assert said[3].startswith("[2/2] build second  compiling, 2500 of about 2500 packages"), "never more than all"
    assert said[4].startswith("[2/2] build second  2500 packages  0."), "all are done"
