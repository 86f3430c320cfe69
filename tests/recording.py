"""What `make bench` and `make faults` share: results that tests record, kept in the logs of pytest-reportlog.

A test calls pytest's `record_property`; `--report-log=FILE` writes its report with these properties as a line of JSON.
"""

import json
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from sandbox.instance import Instance
from tests import machine

Report = Mapping[str, Any]
_KEPT = ("$report_type", "nodeid", "when", "outcome", "duration", "user_properties")
_began = time.monotonic()


@pytest.hookimpl(tryfirst=True)
def pytest_report_teststatus(report: pytest.CollectReport | pytest.TestReport) -> tuple[str, str, str] | None:
    """Print beside each result how long the run has taken so far."""
    if report.when != "call" or report.outcome == "skipped":
        return None
    minutes, seconds = divmod(int(time.monotonic() - _began), 60)
    return report.outcome, report.outcome[0], f"{report.outcome.upper()} {minutes}:{seconds:02}"


@pytest.fixture(scope="session")
def machine_facts() -> dict[str, str]:
    """The machine and the versions that results belong to."""
    return machine.facts(Instance.require(os.environ["SANDBOX"]).request("status").standins)


def read(file: Path) -> list[Report]:
    """Return the reports of the tests that recorded something."""
    reports = [json.loads(line) for line in file.read_text().splitlines()]
    return [report for report in reports if report.get("when") == "call" and report["user_properties"]]


def recorded(reports: Iterable[Report], name: str) -> list[Any]:
    """Return the values recorded under a name, in the order of the reports."""
    return [value for report in reports for key, value in report["user_properties"] if key == name]


def write(file: Path, reports: Iterable[Report]) -> None:
    """Write reports to a file, in the shape that pytest-reportlog gives them, without captured output."""
    lines = [json.dumps({key: report[key] for key in _KEPT if key in report}) for report in reports]
    file.write_text("\n".join(lines) + "\n")


def merged(older: Sequence[Report], newer: Sequence[Report]) -> list[Report]:
    """Return the older reports, each replaced by a newer one of the same test, and the reports of other tests.

    Raises:
        ValueError: They come from different machines or versions.
    """
    reports = {report["nodeid"]: report for report in (*older, *newer)}
    if len({json.dumps(facts, sort_keys=True) for facts in recorded(reports.values(), "machine")}) > 1:
        raise ValueError("the recorded results come from another machine or other versions: measure everything again")
    return list(reports.values())


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    cells = [[" ".join(str(cell).split()).replace("|", "\\|") for cell in line] for line in lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in cells) + "\n"
