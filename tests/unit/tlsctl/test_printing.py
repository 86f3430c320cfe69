"""What an operator is shown is what there is: no markup, no control sequences."""

import io

from rich.console import Console

from components.problem import Problem
from tlsctl import printing
from tlsctl.stack import Stack
from tlsctl.verify import report
from tlsctl.verify.results import Report, Result

HOSTILE = "[red]x[/] [link=https://evil.test]y[/link] \x1b[2J \u202ez\n    pulumi destroy"
SHOWN = r"[red]x[/] [link=https://evil.test]y[/link] \x1b[2J \u202ez pulumi destroy"


def test_what_comes_from_elsewhere_is_shown_as_it_is() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, color_system=None, highlight=False, width=200)
    printing.say(console, f"a file {HOSTILE}")
    printing.problems(console, [Problem(HOSTILE, f"is {HOSTILE}", (HOSTILE,))])
    printing.command(console, HOSTILE)
    report.table(console, Stack("dev"), Report([Result("record", "ingress", "ok", HOSTILE)], {}))

    assert isinstance(console.file, io.StringIO)
    shown = console.file.getvalue()
    assert shown.startswith(f"a file {SHOWN}\n{SHOWN} is {SHOWN}\n    {SHOWN}\n$ {SHOWN}\n")
    assert shown.count(SHOWN) == 6, "the detail of a check too"
    assert not {"\x1b", "\u202e"} & set(shown)
