"""Prints the table of docs/policies.md: `python -m policies.table`."""

from policies import RULES
from policies.findings import JUDGED

_HEAD = ("Policy", "What it stops", "What it cannot see")
_UNJUDGED = (
    JUDGED,
    "nothing: it reports, as an advisory, what the other policies could not judge",
    "what the other policies cannot see",
)


def table() -> str:
    """Render the policies as Markdown."""
    rows = [(rule.name, rule.stops, rule.cannot_see) for rule in RULES]
    lines = [_HEAD, ("---",) * len(_HEAD), *((f"`{name}`", *rest) for name, *rest in [*rows, _UNJUDGED])]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    print(table())
