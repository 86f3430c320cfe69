"""``tlsctl verify``: checks the live environment of a stack, once or until all is ok."""

import argparse
import importlib
import json
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from rich.status import Status
from rich.text import Text

from components.problem import Problem, ProblemsError, visible
from tlsctl import printing
from tlsctl.stack import Stack
from tlsctl.verify import report

if TYPE_CHECKING:
    from tlsctl.verify.environment import Environment
    from tlsctl.verify.results import Report

PAUSE = 5.0
"""Seconds between two rounds of --watch."""


def run(stack: Stack, args: argparse.Namespace) -> int:
    """Check, print the results, and return 0 only if all is ok.

    Raises:
        ProblemsError: the checks cannot be made; with `--json`, the problems are printed instead.
    """
    try:
        with printing.errors().status("reading the stack") as status:
            environments = read(stack)
            results = _check(environments, args, status)
    except ProblemsError as error:
        if not args.json:
            raise
        print(json.dumps(report.document(stack, error.problems), indent=2))
        return 2
    if args.json:
        print(json.dumps(report.document(stack, results.problems, results), indent=2))
    else:
        report.table(printing.output(), stack, results)
    return 0 if results.ok else 1


def read(stack: Stack) -> "list[Environment]":
    """Read a stack's state and config.

    Raises:
        ProblemsError: they cannot be read, the stack is not deployed, or its config is not valid.
    """
    with ThreadPoolExecutor() as pool:
        # A kubeconfig may be a secret of the stack; it stays in memory.
        state = pool.submit(stack.read, "pulumi stack export --show-secrets")
        config = pool.submit(stack.read, "pulumi config --json --show-secrets")
        # The checks take a second to load, which passes while pulumi reads.
        importlib.import_module(".run", __package__)
        from tlsctl.verify.environment import environments

        return environments(state.result(), config.result(), stack.name)


def _check(environments: "Sequence[Environment]", args: argparse.Namespace, status: Status) -> "Report":
    """Check at least once, and until all is ok or the time is up."""
    import dns.exception

    from tlsctl.verify import records, run

    try:
        resolver = records.make_resolver(args.resolver)
    except (ValueError, dns.exception.DNSException) as error:
        raise ProblemsError(Problem("--resolver", f"{args.resolver or 'is needed'}: {error}")) from None
    deadline = time.monotonic() + (args.timeout if args.watch else 0)
    while True:
        results = run.look(environments, resolver, status.update, args.ca, args.client_cert)
        if results.ok or time.monotonic() + PAUSE > deadline:
            return results
        waiting = ", ".join(problem.where for problem in results.problems)
        status.update(Text(f"waiting for {visible(waiting)}, {deadline - time.monotonic():.0f} s left"))
        time.sleep(PAUSE)
