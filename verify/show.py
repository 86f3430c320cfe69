"""What was seen, for people and for machines."""

import json
from itertools import groupby

from rich.console import Console
from rich.table import Table
from rich.text import Text

from verify.checks import BECAUSE, Finding, Report, Result
from verify.environment import Environment

_MARKS = {"ok": ("✓", "green"), "failed": ("✗", "red"), "skipped": ("-", "dim")}
_WIDTH = max(map(len, BECAUSE))


def table(console: Console, environment: Environment, report: Report) -> None:
    """Print a line for each check, and then each cause once, with the commands that mend it."""
    for subject, results in groupby(report.results, key=lambda result: result.subject):
        console.print(Text(subject, style="bold"))
        grid = Table.grid(padding=(0, 1))
        grid.add_column(width=1)
        grid.add_column(width=_WIDTH)
        grid.add_column(overflow="fold")
        for result in results:
            mark, style = _MARKS[result.state]
            grid.add_row(Text(mark, style=style), result.check, _seen(report, result))
        console.print(grid)
    for finding in report.findings():
        _finding(console, finding)
    checked = sum(result.state != "skipped" for result in report.results)
    if report.ok:
        console.print(f"[green]All holds:[/] {checked} checks of the stack {environment.stack}.")
    else:
        failed = sum(result.state == "failed" for result in report.results)
        causes = len(report.findings())
        count = "one cause" if causes == 1 else f"{causes} causes"
        console.print(f"[red]{failed} of {checked} checks of the stack {environment.stack} fail, from {count}.[/]")


def _seen(report: Report, result: Result) -> Text:
    causes = report.causes(result)
    if not causes:
        return Text(result.detail, style="dim" if result.state == "skipped" else "")
    names = ", ".join(dict.fromkeys(f"{cause.check} ({cause.subject})" for cause in causes))
    return Text.assemble(result.detail, (f"  because of {names}", "yellow"))


def _finding(console: Console, finding: Finding) -> None:
    console.print(
        Text.assemble("\n", (finding.check, "bold red"), f" ({', '.join(finding.subjects)}): {finding.detail}"),
        soft_wrap=True,
    )
    for command in finding.mend:
        # Not wrapped, so that it can be copied.
        console.print(Text.assemble("    ", (command, "cyan")), soft_wrap=True)


def document(environment: Environment, report: Report) -> str:
    """Return the same as JSON."""
    return json.dumps(
        {
            "stack": environment.stack,
            "ok": report.ok,
            "findings": [
                {"check": each.check, "subjects": each.subjects, "detail": each.detail, "mend": each.mend}
                for each in report.findings()
            ],
            "results": [
                {
                    "check": each.check,
                    "subject": each.subject,
                    "state": each.state,
                    "detail": each.detail,
                    "because": [{"check": cause.check, "subject": cause.subject} for cause in report.causes(each)],
                }
                for each in report.results
            ],
        },
        indent=2,
    )
