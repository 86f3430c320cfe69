"""The results of verify, for people and for machines; docs/checks.md describes the JSON."""

import dataclasses
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from components.problem import Problem, count, visible
from tlsctl import printing
from tlsctl.stack import Stack
from tlsctl.verify.checks import CHECKS
from tlsctl.verify.results import Report, Result, some

_MARKS = {"ok": ("✓", "green"), "failed": ("✗", "red"), "skipped": ("-", "dim")}
_WIDTH = max(map(len, CHECKS))
_LISTED = 12
"""With more subjects than these, those without a failure share one line."""


def table(console: Console, stack: Stack, report: Report) -> None:
    """Print a line for each check, then each problem once with its fix, and the verdict last."""
    by_subject = {subject: list(results) for subject, results in groupby(report.results, lambda one: one.subject)}
    quiet = []
    for subject, results in by_subject.items():
        if len(by_subject) > _LISTED and not any(result.state == "failed" for result in results):
            quiet.append(subject)
        else:
            console.print(Text(visible(subject), style="bold"))
            console.print(_lines(report, results))
    if quiet:
        console.print(Text.assemble(("✓", "green"), f" {visible(some(quiet))}: every check is ok"))
    checked = sum(result.state != "skipped" for result in report.results)
    if report.ok:
        console.print(Text.assemble(("All is ok:", "green"), f" {checked} checks of the stack {stack.name}."))
        return
    console.print()
    problems = stack.addressed(report.problems)
    printing.problems(console, problems)
    failed = sum(result.state == "failed" for result in report.results)
    because = "one problem" if len(problems) == 1 else count(problems)
    verdict = f"{failed} of {checked} checks of the stack {stack.name} failed because of {because}."
    console.print(Text(verdict, style="red"))


def _lines(report: Report, results: Iterable[Result]) -> Table:
    grid = Table.grid(padding=(0, 1))
    grid.add_column(width=1)
    grid.add_column(width=_WIDTH)
    grid.add_column(overflow="fold")
    for result in results:
        mark, style = _MARKS[result.state]
        detail = Text(visible(result.detail), style="dim" if result.state == "skipped" else "")
        if because := [problem.where for problem in report.because(result)]:
            detail.append(f"  because of {visible(some(because))}", "yellow")
        grid.add_row(Text(mark, style=style), result.check, detail)
    return grid


def document(stack: Stack, problems: Sequence[Problem], report: Report | None = None) -> dict[str, Any]:
    """Return the results as JSON; without a report, the problems say why nothing could be checked."""
    no_check = {"check": None, "subjects": ()}
    return {
        "stack": stack.name,
        "ok": report is not None and report.ok,
        "problems": [no_check | dataclasses.asdict(problem) for problem in stack.addressed(problems)],
        "checks": [_check(report, result) for result in report.results] if report else [],
    }


def _check(report: Report, result: Result) -> dict[str, Any]:
    fields = {name: getattr(result, name) for name in ("check", "subject", "state", "detail")}
    return {**fields, "because": [problem.where for problem in report.because(result)]}
