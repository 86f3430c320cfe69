"""The table of docs/policies.md: `python -m policies.table` prints it, and a test compares."""

from policies import RULES
from policies.findings import JUDGED

_HEAD = ("Policy", "What it stops", "What it cannot see")
_UNJUDGED = (
    JUDGED,
    "nothing: it is an advice, and names what the others could not judge",
    "what the others do not know of",
)


def table() -> str:
    """Render the policies as Markdown."""
    rows = [(rule.name, rule.stops, rule.cannot_see) for rule in RULES]
    lines = [_HEAD, ("---",) * len(_HEAD), *((f"`{name}`", *rest) for name, *rest in [*rows, _UNJUDGED])]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    print(table())
