"""The results on a terminal."""

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tests.bench.results import COLUMNS, Results, row


def show(console: Console, results: Results) -> None:
    """Print the machine, a table of each group, and what is missing."""
    for what, value in results.machine.items():
        console.print(f"[dim]{escape(what)}:[/] {escape(value)}", soft_wrap=True)
    for group, figures in results.groups().items():
        table = Table(*COLUMNS, title=escape(group), title_justify="left", box=None, pad_edge=False)
        for figure in figures:
            *cells, verdict = row(figure)
            colour = {"met": "green", "not met": "red"}.get(verdict, "")
            table.add_row(*map(escape, cells), f"[{colour}]{verdict}[/]" if colour else verdict)
        console.print(table)
        for text in dict.fromkeys(f"floor: {each.against}" for each in figures if each.against):
            console.print(f"[dim]{escape(text)}[/]", soft_wrap=True)
        for text in dict.fromkeys(each.note for each in figures if each.note):
            console.print(f"[dim]{escape(text)}[/]", soft_wrap=True)
        console.print()
    for what, why in results.missing.items():
        console.print(f"[yellow]not measured:[/] {escape(what)}: {escape(why)}", soft_wrap=True)
