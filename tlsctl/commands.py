"""Other programs that a verb runs."""

import subprocess


def run(*argv: str) -> int:
    """Run a command whose output the operator sees, and return its exit code.

    There is no time limit: an update that is cut off leaves operations pending.
    """
    return subprocess.run(argv, stdin=subprocess.DEVNULL, check=False).returncode


def output_of(*argv: str) -> str:
    """Return what a command prints for machines.

    Raises:
        subprocess.CalledProcessError: it failed; what it said is on the standard error.
    """
    return subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, check=True).stdout
