"""``python -m tlsctl``: one verb per thing that an operator does with a stack."""

import argparse
import subprocess
import sys
from collections.abc import Sequence

from tlsctl.recover import recover


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the exit code is the verb's, or 2 when it could not start."""
    args = _parser().parse_args(arguments)
    try:
        return int(args.work(args))
    except (OSError, subprocess.SubprocessError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tlsctl", description="Works on one stack.")
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    verb = verbs.add_parser("recover", help="free a stack whose `up` was killed, and bring its state up to date")
    verb.add_argument("--stack", required=True, metavar="NAME", help="the stack")
    verb.add_argument("--config-file", metavar="FILE", help="its config (default: Pulumi.NAME.yaml)")
    verb.set_defaults(work=lambda args: recover(args.stack, args.config_file))
    return parser


if __name__ == "__main__":
    sys.exit(main())
