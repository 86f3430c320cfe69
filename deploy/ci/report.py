"""Markdown for people who review: pure functions of what ran."""

import re
from collections.abc import Sequence

from deploy.ci.commands import Ran

LIMIT = 60_000
"""Bytes of a comment or an issue: GitHub takes 65,536 characters, and no character is less than a byte."""

_HIDDEN = re.compile(r"[^\t\n -~\u00a0-\ud7ff\ue000-\U0010ffff]|[\u202a-\u202e\u2066-\u2069]")
"""Control characters, which JSON writes with six bytes; halves of surrogate pairs, which UTF-8 cannot write; and what
turns the direction of text, so that a reviewer reads something else than is there."""


def section(title: str, ran: Ran, limit: int = LIMIT) -> str:
    """Return a heading, the command and as much of the end of its output as fits: results and violations stand there.

    Args:
        title: Markdown, of one line.
        ran: what to show.
        limit: bytes of the result, which hold the heading and the command at least.
    """
    output = _HIDDEN.sub("\ufffd", ran.output).strip()
    cut, whole = 0, len(output)
    # A shorter rest never takes more, fences included, so the longest one that fits is found by halving.
    while cut < whole and _size(_section(title, ran.command, output, cut)) > limit:
        low, high = cut, whole
        while low < high:
            middle = (low + high) // 2
            if _size(_section(title, ran.command, output, middle)) > limit:
                low = middle + 1
            else:
                high = middle
        cut = low
    return _section(title, ran.command, output, cut)


def sections(titled: Sequence[tuple[str, Ran]]) -> str:
    """Return a section for each, the space shared among them."""
    return "\n".join(section(title, ran, LIMIT // len(titled)) for title, ran in titled)


def _section(title: str, command: str, output: str, cut: int) -> str:
    if cut:
        output = f"[{cut} characters before this are in the job's log]\n{output[cut:]}"
    fence = _longer(output, 3)
    return f"### {title}\n\n{code(command)}\n\n{fence}\n{output}\n{fence}\n"


def code(text: str) -> str:
    """Return a text as code within a line of Markdown, whatever is in it."""
    line = _HIDDEN.sub("\ufffd", " ".join(text.split()))
    quotes = _longer(line, 1)
    space = " " if line[:1] == "`" or line[-1:] == "`" else ""
    return f"{quotes}{space}{line}{space}{quotes}"


def _longer(text: str, least: int) -> str:
    """Return backticks that the text cannot close."""
    return "`" * max(least, 1 + max(map(len, re.findall("`+", text)), default=0))


def _size(text: str) -> int:
    return len(text.encode())
