"""`tlsctl`: an operator's work on a stack, with a verb for each task."""

import argparse
import importlib
import logging
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from components.problem import Problem, ProblemsError
from config.command import EXTRA, TLSCTL
from tlsctl.stack import Stack

_MODULES = {
    "verify": ".verify.command",
    "adopt": ".adopt.command",
    "recover": ".recover",
    "prove": ".prove",
    "plan-rollout": ".plan_rollout",
    "policy-pack": ".policy_pack",
}
"""The module of each verb. It is imported only when the verb runs, since some take a second to load."""

_EXTRAS = {"verify": "verify", "prove": "verify", "policy-pack": "policies"}
"""The extra with the packages that a verb needs beside those of a program."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    args = _parser().parse_args(arguments)
    stack = Stack(args.stack, args.config_file)
    try:
        try:
            return int(importlib.import_module(_MODULES[args.verb], __package__).run(stack, args))
        except ModuleNotFoundError as error:
            if args.verb not in _EXTRAS:
                raise
            fix = (EXTRA.format(_EXTRAS[args.verb]),)
            raise ProblemsError(Problem(args.verb, f"needs {error.name}, which is not installed", fix)) from None
    except ProblemsError as error:
        from tlsctl import printing

        printing.problems(printing.errors(), stack.addressed(error.problems), error.heading)
        return 2
    except KeyboardInterrupt:
        return 130


def start() -> NoReturn:
    """Run the command line as a program."""
    # The Kubernetes client logs what a credential plugin prints, which the report contains.
    logging.disable(logging.ERROR)
    sys.exit(main())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=TLSCTL.removeprefix("uv run "),
        description="Works on one stack.",
        epilog="Exit codes: 0 all is well, 1 something failed, 2 it could not start, 130 it was interrupted.",
    )
    verbs = parser.add_subparsers(required=True, dest="verb", metavar="VERB")
    add = _verb(verbs, "verify", "check the live environment as a client sees it, and print each problem with its fix")
    _client(add)
    add("--json", action="store_true", help="print JSON")
    add("--watch", action="store_true", help="check again until all is ok")
    add("--timeout", type=float, default=600, metavar="SECONDS", help="how long --watch goes on (default: 600)")
    add = _verb(verbs, "prove", "preview and apply the stack, verify it, and preview again without changes")
    _client(add)
    add("--timeout", type=float, default=600, metavar="SECONDS", help="how long it may take to serve (default: 600)")
    add("--destroy", action="store_true", help="destroy the stack at the end")
    verbs.choices["prove"].set_defaults(json=False, watch=True)
    add = _verb(verbs, "plan-rollout", "say in which batches the CA signs the certificates that the config adds")
    add(
        "--clusters",
        type=_count,
        default=1,
        metavar="N",
        help="stacks with certificates for the same names (default: 1)",
    )
    add("--json", action="store_true", help="print JSON")
    add = _verb(verbs, "adopt", "make a stack of what was set up by hand: its config, and a file for `pulumi import`")
    add(
        "--kubeconfig", metavar="FILE", help="a kubeconfig (default: the stack's, then KUBECONFIG, then ~/.kube/config)"
    )
    add("--context", metavar="NAME", help="a context of the kubeconfig (default: its current one)")
    add("--project", metavar="ID", help="the project of the managed zone (default: gcp:project)")
    add("--zone", metavar="NAME", help="the managed zone (default: the one that most of the hosts lie in)")
    add("--challenge", choices=("http01", "dns01"), help="how names are to be proven (default: as the issuer does)")
    _verb(verbs, "recover", "release a stack whose `pulumi up` was killed, and bring its state up to date")
    # It works on no stack.
    pack = verbs.add_parser("policy-pack", help="print the folder of the policy pack, for `pulumi --policy-pack`")
    pack.set_defaults(stack="", config_file=None)
    return parser


def _client(add: Callable[..., object]) -> None:
    """Add the options of the client whose view `verify` takes."""
    add("--ca", type=Path, metavar="FILE", help="roots to trust, PEM (default: what the stack's issuer chains to)")
    add("--client-cert", type=Path, metavar="FILE", help="a client certificate and its key, PEM, for `tls.clientCa`")
    add("--resolver", metavar="IP", help="the resolver to ask, say 8.8.8.8 (default: the system's)")


def _count(value: str) -> int:
    if not value.isdecimal() or not 1 <= int(value) <= 1000:
        raise argparse.ArgumentTypeError(f"{value!r} is not a number of clusters, 1 to 1000")
    return int(value)


def _verb(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, help_: str) -> Callable[..., object]:
    """Add a verb with the options that name the stack; return the function that adds further options."""
    parser = verbs.add_parser(name, help=help_, description=help_[0].upper() + help_[1:] + ".")
    parser.add_argument("--stack", required=True, metavar="NAME", help="the stack")
    parser.add_argument("--config-file", metavar="FILE", help="its config (default: Pulumi.NAME.yaml)")
    return parser.add_argument


if __name__ == "__main__":
    start()
