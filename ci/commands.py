"""Runs a command so that the job's log shows it live, and keeps what it printed."""

import shlex
import subprocess
import sys
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
    with subprocess.Popen(
        argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    ) as process:
        assert process.stdout is not None  # noqa: S101 - PIPE was asked for
        lines = []
        for line in process.stdout:
            sys.stdout.write(line)
            sys.stdout.flush()
            lines.append(line)
    return Ran(shlex.join(argv), process.returncode, "".join(lines))
