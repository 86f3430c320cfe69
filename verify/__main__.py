"""`python -m verify`: the exit code is 0 when all holds, 1 when something does not, 2 when nothing can be read."""

import argparse
import logging
import sys
import time
from pathlib import Path

import dns.exception
from rich.console import Console
from rich.status import Status
from rich.text import Text

from verify import show
from verify.checks import Report
from verify.environment import Environment, UnreadableError, read
from verify.names import make_resolver
from verify.run import Options, look

_PAUSE = 5.0
"""Seconds between two looks of --watch."""


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; the exit code is the module's."""
    args = _parser().parse_args(arguments)
    # Errors and progress go beside what machines read.
    errors = Console(stderr=True, highlight=False)
    try:
        options = Options(_resolver(args.resolver), args.ca)
        with errors.status("reading the stack") as status:
            environment = read(args.stack, args.config_file)
            report = _look(environment, options, status, args.timeout if args.watch else 0)
    except UnreadableError as error:
        errors.print(Text.assemble(("error: ", "red"), str(error)), soft_wrap=True)
        return 2
    except KeyboardInterrupt:
        return 130
    if args.json:
        print(show.document(environment, report))
    else:
        show.table(Console(highlight=False), environment, report)
    return 0 if report.ok else 1


def _look(environment: Environment, options: Options, status: Status, seconds: float) -> Report:
    """Look until all holds, or the time is up; once at least."""
    deadline = time.monotonic() + seconds
    while True:
        report = look(environment, options, lambda done, of: status.update(f"{done} of {of} looked at"))
        if report.ok or time.monotonic() + _PAUSE > deadline:
            return report
        waiting = ", ".join(f"{each.check} ({', '.join(each.subjects)})" for each in report.findings())
        status.update(f"waiting for {waiting}, {deadline - time.monotonic():.0f} s left")
        time.sleep(_PAUSE)


def _resolver(address: str | None) -> dns.resolver.Resolver:
    try:
        return make_resolver(address)
    except (ValueError, dns.exception.DNSException) as error:
        raise UnreadableError(f"--resolver {address or 'is needed'}: {error}") from None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m verify",
        description="Checks a live environment the way a client sees it, and names the cause of what does not hold.",
    )
    add = parser.add_argument
    add("--stack", metavar="NAME", help="the stack (default: the selected one)")
    add("--config-file", metavar="FILE", help="its config (default: Pulumi.NAME.yaml)")
    add("--ca", type=Path, metavar="FILE", help="roots to trust, PEM (default: what the stack's issuer chains to)")
    add("--resolver", metavar="IP", help="the resolver to ask, say 8.8.8.8 (default: the system's)")
    add("--json", action="store_true", help="print JSON")
    add("--watch", action="store_true", help="look again until all holds")
    add("--timeout", type=float, default=600, metavar="SECONDS", help="the bound of --watch (default: 600)")
    return parser


if __name__ == "__main__":
    # The Kubernetes client logs what a credential plugin prints; the report says what came of it.
    logging.disable(logging.ERROR)
    sys.exit(main())
