"""How a verb prints problems with their fixes, and the commands that it runs."""

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from components.problem import Problem, sentence, visible


def output() -> Console:
    """Return the console for a verb's result."""
    return Console(highlight=False)


def errors() -> Console:
    """Return the console for errors and progress."""
    return Console(stderr=True, highlight=False)


def problems(console: Console, listed: Sequence[Problem], heading: str = "") -> None:
    """Print a line for each problem, and below it the commands that fix it; nothing if there are no problems."""
    indent = "  " if heading else ""
    if heading and listed:
        console.print(Text(f"{heading}:"), soft_wrap=True)
    for problem in listed:
        line = Text(indent + sentence(problem))
        line.stylize("bold red", len(indent), len(indent) + len(visible(problem.where)))
        console.print(line, soft_wrap=True)
        for command in problem.fix:
            # Not wrapped, so that it can be copied.
            console.print(Text.assemble(f"{indent}    ", (visible(command), "cyan")), soft_wrap=True)


def say(console: Console, text: str) -> None:
    """Print a line literally: quoted text is neither markup of Rich nor a control sequence of the terminal."""
    console.print(Text("\n" * text.startswith("\n") + visible(text)), soft_wrap=True)


def command(console: Console, text: str) -> None:
    """Print a command that is about to run."""
    console.print(Text.assemble(("$ ", "dim"), (visible(text), "cyan")), soft_wrap=True)
