"""What an operator is shown is what there is: no markup, no control sequences."""

import io

import pytest
from rich.console import Console

from components.problem import Problem
from tlsctl import printing
from tlsctl.stack import Stack
from tlsctl.verify import report
from tlsctl.verify.results import Report, Result

HOSTILE = "[red]x[/] [link=https://evil.test]y[/link] \x1b[2J \u202ez\n    pulumi destroy"
SHOWN = r"[red]x[/] [link=https://evil.test]y[/link] \x1b[2J \u202ez pulumi destroy"


@pytest.fixture
def console() -> Console:
    return Console(file=io.StringIO(), force_terminal=True, color_system=None, highlight=False, width=200)


def shown(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_what_is_said_is_shown_as_it_is(console: Console) -> None:
    printing.say(console, f"a file {HOSTILE}")
    assert shown(console) == f"a file {SHOWN}\n"


def test_a_problem_and_its_fix_are_shown_as_they_are(console: Console) -> None:
    printing.problems(console, [Problem(HOSTILE, f"is {HOSTILE}", (HOSTILE,))])
    assert shown(console) == f"{SHOWN} is {SHOWN}\n    {SHOWN}\n"


def test_a_command_is_shown_as_it_is(console: Console) -> None:
    printing.command(console, HOSTILE)
    assert shown(console) == f"$ {SHOWN}\n"


def test_what_a_check_has_seen_is_shown_as_it_is(console: Console) -> None:
    report.table(console, Stack("dev"), Report([Result("record", "ingress", "ok", HOSTILE)], {}))
    assert SHOWN in shown(console)
    assert "\x1b[2J" not in shown(console)
