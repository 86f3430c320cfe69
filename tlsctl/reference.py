"""`python -m tlsctl.reference`: writes the tables of checks into docs/checks.md."""

import re
from pathlib import Path

from components import preflight
from config.reference import with_table
from tlsctl.stack import Stack
from tlsctl.verify.checks import CHECKS

PAGE = Path(__file__).parents[1] / "docs" / "checks.md"


def page(text: str) -> str:
    """Return the text of the page with its tables made from the checks.

    Raises:
        ValueError: the text has no table of checks.
    """
    before = ["| finding | what is there | what leads out | check of `verify` |", "| --- | --- | --- | --- |"]
    for name, finding in preflight.CHECKS.items():
        there = f"{finding.finding} (a warning)" if finding.warns else finding.finding
        verify = f"`{finding.verify}`" if finding.verify else ""
        before.append(f"| `{name}` | {there} | {finding.fix} | {verify} |")
    rows = [
        "| check | it is ok when | it fails, most likely, because | the fix, most likely | explained by |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, check in CHECKS.items():
        fix = ", ".join(f"`{_command(command)}`" for command in check.fix)
        because = ", ".join(f"`{cause}`" for cause in check.because)
        rows.append(f"| `{name}` | {check.ok} | {check.otherwise} | {fix} | {because} |")
    return with_table(with_table(text, before), rows)


def _command(template: str) -> str:
    """Return a command with its fields in capitals, as a cell of a table."""
    capitals = re.sub(r"\{(\w+)\}", lambda field: field[1].upper(), template)
    return Stack("NAME").address(capitals).replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text()))
