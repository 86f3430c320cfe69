"""Problems, in one form everywhere: where, what, and the commands that fix it.

Settings, the gateway's Service, a failed certificate and the checks of verify all speak of problems. Only the edges
turn them into text: the error that the engine prints, verify's table, its JSON.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from .shell import escape, words

HIDDEN = "[secret]"
"""Shown for a value that is encrypted, or whose field is for a secret."""


@dataclass(frozen=True)
class Problem:
    """Something that is wrong."""

    where: str
    """A config key, an input, an object or a check: `hosts[0].port`, `Service istio-system/gateway`."""
    what: str
    """One sentence part that follows `where`, without a full stop: `has no port 443`."""
    fix: tuple[str, ...] = ()
    """Commands, in the order to run them."""


class ProblemsError(Exception):
    """Work that cannot go on. Carries every problem, so that they are reported together."""

    def __init__(self, *problems: Problem, heading: str = "") -> None:
        super().__init__(text(problems, heading))
        self.problems = problems
        self.heading = heading


def text(problems: Iterable[Problem], heading: str = "") -> str:
    """Render problems for a terminal: a line each, with its commands indented below."""
    indent = "  " if heading else ""
    lines = [f"{visible(heading)}:"] if heading else []
    for problem in problems:
        lines.append(f"{indent}{sentence(problem)}")
        lines += [f"{indent}    {visible(command)}" for command in problem.fix]
    return "\n".join(lines)


def visible(value: object) -> str:
    r"""Return a text as one line in which every character shows itself.

    What others have written is quoted in problems: values of a config, the words of a server, names of objects. None of
    it may move the cursor, colour or hide text, turn its direction, or add a line that reads like one of ours. The
    parts of lines that belong together are joined by a space; the rest is written as `\x1b` and `\u202e`.
    """
    line = str(value)
    if "\n" in line:
        line = " ".join(filter(None, map(str.strip, line.split("\n"))))
    return "".join(character if character.isprintable() else escape(character, 0x100) for character in line)


def sentence(problem: Problem) -> str:
    """Return where and what as one sentence of one line: with a colon between them, unless it reads on."""
    reads_on = problem.what.startswith(("is ", "has ", "does ", "got ", "cannot ", "lies "))
    return f"{visible(problem.where)}{' ' if reads_on else ': '}{visible(problem.what)}"


def count(problems: Sequence[Problem], noun: str = "problem") -> str:
    """Say how many there are: `a problem`, `3 problems`."""
    return f"a {noun}" if len(problems) == 1 else f"{len(problems)} {noun}s"


COMMANDS: dict[str, Mapping[str, str]] = {}
"""The commands that set inputs of the program's components, without the value: by component name and by input.

A program that sets its inputs in code has none, and its users read the names of the inputs.
"""


def set_input(commands: Mapping[str, str], key: str, value: object, comment: str = "") -> str:
    """Return how an input of a component is set: by one of its `COMMANDS` if there is one, else in words.

    A value that the user has to choose is in capitals.
    """
    line = f"{commands[key]} {words(value)}" if key in commands else f"set the input {key} to {value}"
    return f"{line}    # {comment}" if comment else line
