"""Markdown for people who review: pure functions of what ran."""

from collections.abc import Sequence

from ci.commands import Ran

LIMIT = 60_000
"""Characters of all outputs together; GitHub takes 65,536 in a comment or an issue."""


def section(title: str, ran: Ran, limit: int = LIMIT) -> str:
    """Return a heading, the command and its output, of which the end counts most: results and violations."""
    output = ran.output.strip()
    cut = len(output) - limit
    if cut > 0:
        output = f"[{cut} characters before this are in the job's log]\n{output[cut:]}"
    return f"### {title}\n\n`{ran.command}`\n\n{_fence(output)}\n{output}\n{_fence(output)}\n"


def sections(titled: Sequence[tuple[str, Ran]]) -> str:
    """Return a section for each, the space shared among them."""
    return "\n".join(section(title, ran, LIMIT // len(titled)) for title, ran in titled)


def _fence(text: str) -> str:
    """Return a fence that the text cannot close."""
    fence = "```"
    while fence in text:
        fence += "`"
    return fence
