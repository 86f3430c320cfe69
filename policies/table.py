"""Prints the table of docs/policies.md: `python -m policies.table`."""

from policies import RULES


def table() -> str:
    """Render the policies as Markdown."""
    rows = [
        ("Policy", "What must hold", "What it cannot see"),
        ("---", "---", "---"),
        *((f"`{rule.name}`", rule.description, rule.cannot_see) for rule in RULES),
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


if __name__ == "__main__":
    print(table())
