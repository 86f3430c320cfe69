"""Runs a command so that the job's log shows it live, and keeps what it printed."""

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
    """A command that has ended."""

    command: str
    """As a person would type it."""
    code: int
    """0 is success."""
    output: str
    """What it printed, errors in place."""


def run(*argv: str) -> Ran:
    """Run `argv`. There is no time limit but the job's: an update that is cut off leaves operations pending."""
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
        assert process.stdout is not None  # noqa: S101 - PIPE was asked for
        for line in process.stdout:
            sys.stdout.write(line)
            sys.stdout.flush()
            lines.append(line)
    return Ran(shlex.join(argv), process.returncode, "".join(lines))


@contextmanager
def inert() -> Iterator[None]:
    """Have the runner take nothing for a command that is printed in this block.

    A runner obeys `::add-mask::` or `##[add-path]` in any line of a step, whoever wrote it: a Kubernetes object, an
    ACME server, the code of a branch. It stops doing so until it sees a token, which is new each time.
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
        # The last line of a program may have no end.
        print(f"\n::{token}::", flush=True)
