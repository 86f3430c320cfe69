"""``tlsctl prove``: brings a stack up on its cluster, and proves that it serves and that nothing is left to change."""

import argparse
import importlib
import time

from rich.table import Table
from rich.text import Text

from components.problem import Problem
from tlsctl import printing
from tlsctl.stack import Stack
from tlsctl.verify import command as verify

VERIFY = "verify"
STEPS = {
    "preview": "pulumi preview",
    "up": "pulumi up --yes --skip-preview",
    VERIFY: "",
    "preview without changes": "pulumi preview --refresh --expect-no-changes",
}
"""The command of each step. `verify` runs in this process."""
DESTROY = {"destroy": "pulumi destroy --yes --skip-preview"}


def run(stack: Stack, args: argparse.Namespace) -> int:
    """Take the steps until one fails, and print how long each took; return 0 if none failed.

    Raises:
        ProblemsError: the stack cannot be read.
    """
    # A missing package is named before anything is changed.
    importlib.import_module(".run", verify.__package__)
    console = printing.output()
    times = Table.grid(padding=(0, 2))
    served: list[str] = []
    for step, command in {**STEPS, **(DESTROY if args.destroy else {})}.items():
        if command:
            printing.command(console, stack.address(command))
        began = time.monotonic()
        if code := stack.run(command) if command else verify.run(stack, args):
            problem = Problem(step, f"ended with the exit code {code}, after {time.monotonic() - began:.1f} s")
            printing.problems(printing.errors(), [problem])
            return 1
        times.add_row(Text("✓", "green"), step, Text(f"{time.monotonic() - began:.1f} s", justify="right"))
        if step == VERIFY:
            served = stack.read("pulumi stack output --json")["urls"]
    for url in served:
        printing.say(console, f"{url} is served over verified HTTPS")
    console.print(times)
    return 0
