"""Renders the output of commands as Markdown for reviewers."""

import bisect
import re
from collections.abc import Sequence

from deploy.ci.commands import Ran

LIMIT = 60_000
"""Bytes of a comment or an issue. GitHub takes 65,536 characters, and a character has at least one byte."""

_HIDDEN = re.compile(r"[^\t\n -~\u00a0-\ud7ff\ue000-\U0010ffff]|[\u202a-\u202e\u2066-\u2069]")
"""Control characters, which JSON writes with six bytes; surrogates, which UTF-8 cannot write; and marks that change the
direction of text, so that reviewers would read something else."""


def section(title: str, ran: Ran, limit: int = LIMIT) -> str:
    """Return a heading, the command and the end of its output, where results and violations are.

    The limit is in bytes; heading and command always fit.
    """
    output = _HIDDEN.sub("\ufffd", ran.output).strip()

    def fits(cut: int) -> bool:
        return len(_section(title, ran.command, output, cut).encode()) <= limit

    # Beyond the first cut, cutting more never makes the section longer.
    cut = 0 if fits(0) else bisect.bisect_left(range(len(output)), True, lo=1, key=fits)
    return _section(title, ran.command, output, cut)


def sections(titled: Sequence[tuple[str, Ran]]) -> str:
    """Return a section for each title and command, which share the space equally."""
    return "\n".join(section(title, ran, LIMIT // len(titled)) for title, ran in titled)


def _section(title: str, command: str, output: str, cut: int) -> str:
    if cut:
        output = f"[{cut} characters before this are in the job's log]\n{output[cut:]}"
    fence = _backticks(output, 3)
    return f"### {title}\n\n{code(command)}\n\n{fence}\n{output}\n{fence}\n"


def code(text: str) -> str:
    """Return any text as inline code."""
    line = _HIDDEN.sub("\ufffd", " ".join(text.split()))
    quotes = _backticks(line, 1)
    space = " " if line[:1] == "`" or line[-1:] == "`" else ""
    return f"{quotes}{space}{line}{space}{quotes}"


def _backticks(text: str, minimum: int) -> str:
    """Return more backticks than the text has in a row, so that the text cannot close them."""
    return "`" * max(minimum, 1 + max(map(len, re.findall("`+", text)), default=0))
