"""How a verb speaks to the operator: problems with their fixes, and the commands that it runs."""

from collections.abc import Iterable

from rich.console import Console
from rich.text import Text

from components.problem import Problem, sentence, visible


def output() -> Console:
    """Return where a verb's result goes."""
    return Console(highlight=False)


def errors() -> Console:
    """Return where errors and progress go, beside what machines read."""
    return Console(stderr=True, highlight=False)


def problems(console: Console, found: Iterable[Problem], heading: str = "") -> None:
    """Print a line for each problem, and below it the commands that fix it."""
    indent = "  " if heading else ""
    if heading:
        console.print(Text(f"{heading}:"), soft_wrap=True)
    for problem in found:
        line = Text(indent + sentence(problem))
        line.stylize("bold red", len(indent), len(indent) + len(visible(problem.where)))
        console.print(line, soft_wrap=True)
        for command in problem.fix:
            # Not wrapped, so that it can be copied.
            console.print(Text.assemble(f"{indent}    ", (visible(command), "cyan")), soft_wrap=True)


def say(console: Console, text: str) -> None:
    """Print a line as it is: what it quotes is neither Rich's markup nor a control sequence of the terminal's."""
    console.print(Text("\n" * text.startswith("\n") + visible(text)), soft_wrap=True)


def command(console: Console, text: str) -> None:
    """Print a command that is about to run."""
    console.print(Text.assemble(("$ ", "dim"), (visible(text), "cyan")), soft_wrap=True)
