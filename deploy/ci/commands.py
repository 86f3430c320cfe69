"""Runs a command, shows its output live in the job's log, and keeps it."""

import os
import secrets
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True)
class Ran:
    """A finished command."""

    command: str
    """The command line."""
    code: int
    """The exit code."""
    output: str
    """Standard output and standard error, interleaved."""


def run(*argv: str) -> Ran:
    """Run a command without a time limit, because an interrupted update leaves pending operations."""
    lines = []
    with (
        inert(),
        subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        ) as process,
    ):
        assert process.stdout is not None  # noqa: S101 - it is a pipe
        for line in process.stdout:
            sys.stdout.write(line)
            sys.stdout.flush()
            lines.append(line)
    return Ran(shlex.join(argv), process.returncode, "".join(lines))


@contextmanager
def inert() -> Iterator[None]:
    """Keep the runner from obeying commands that are printed in this block.

    A runner obeys `::add-mask::` or `##[add-path]` in any line of a step, also when a Kubernetes object, an ACME server
    or the code of a branch wrote it. The random token stops that until it is printed again.
    https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands#stopping-and-starting-workflow-commands
    """
    if os.environ.get("GITHUB_ACTIONS") != "true":
        yield
        return
    token = secrets.token_hex(16)
    print(f"::stop-commands::{token}", flush=True)
    try:
        yield
    finally:
        # The output may end within a line.
        print(f"\n::{token}::", flush=True)
