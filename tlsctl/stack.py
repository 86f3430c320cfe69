"""The stack that a verb works on, through the pulumi command line as the operator has it set up."""

import dataclasses
import json
import re
import shlex
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from components.problem import Problem, ProblemsError
from components.shell import QUOTED, unquoted, word

P = TypeVar("P", bound=Problem)

_TIMEOUT = 60
"""Seconds for a command that only reads."""

_PER_STACK = re.compile(
    rf"(?P<quoted>{QUOTED})"
    r"|\b(?P<command>pulumi (?:up|preview|refresh|destroy|import|config(?: set| rm| get)?)|python -m tlsctl [\w-]+"
    r"|(?P<without_file>pulumi (?:cancel|state \w+|stack (?:export|import|output))))(?= |$)"
)
"""The commands that work on one stack. Those that never read its config do not take the file of it."""

_FIXES = (
    ("no stack named", "pulumi stack ls"),
    ("passphrase", "export PULUMI_CONFIG_PASSPHRASE_FILE=FILE"),
    ("pulumi login", "pulumi login gs://BUCKET"),
    ("no Pulumi.yaml", "cd THE-PROJECT"),
)
"""What pulumi says, and the fix."""


@dataclass(frozen=True)
class Stack:
    """A stack, as the operator named it."""

    name: str
    config_file: str | None = None
    """Its config, if not `Pulumi.<name>.yaml`."""

    def address(self, command: str) -> str:
        """Return a command with the stack that it is for: every `pulumi` and `tlsctl` in it gets the options."""
        if "--stack" in unquoted(command):
            return command
        stack = f" --stack {word(self.name)}"
        file = f" --config-file {word(self.config_file)}" if self.config_file else ""

        def addressed(found: re.Match[str]) -> str:
            return found[0] if found["quoted"] else found[0] + stack + ("" if found["without_file"] else file)

        return _PER_STACK.sub(addressed, command)

    def addressed(self, problems: Iterable[P]) -> list[P]:
        """Return problems whose fixes name the stack."""
        return [dataclasses.replace(each, fix=tuple(map(self.address, each.fix))) for each in problems]

    def run(self, command: str) -> int:
        """Run a command whose output the operator sees, and return its exit code.

        There is no time limit: an update that is cut off leaves operations pending.

        Args:
            command: without the stack.

        Raises:
            ProblemsError: there is no pulumi.
        """
        try:
            return subprocess.run(self._argv(command), stdin=subprocess.DEVNULL, check=False).returncode
        except FileNotFoundError:
            raise ProblemsError(_MISSING) from None

    def read(self, command: str, timeout: float = _TIMEOUT) -> Any:
        """Return what a command prints for machines.

        Args:
            command: without the stack; it prints JSON.
            timeout: seconds.

        Raises:
            ProblemsError: there is no pulumi, it failed, or it took too long.
        """
        try:
            done = subprocess.run(self._argv(command), capture_output=True, text=True, check=False, timeout=timeout)
        except FileNotFoundError:
            raise ProblemsError(_MISSING) from None
        except subprocess.TimeoutExpired:
            raise ProblemsError(Problem(self.address(command), f"took more than {timeout:.0f} s")) from None
        if done.returncode:
            words = _said(done.stdout) or done.stderr.strip().removeprefix("error: ")
            fix = tuple(self.address(command) for said, command in _FIXES if said in words)
            raise ProblemsError(Problem(f"stack {self.name}", f"cannot be read: {words}", fix[:1]))
        return json.loads(done.stdout)

    def _argv(self, command: str) -> list[str]:
        return [*shlex.split(self.address(command)), "--non-interactive"]


_MISSING = Problem("pulumi", "is not on PATH", ("curl -fsSL https://get.pulumi.com | sh",))


def _said(printed: str) -> str:
    """Return the errors of a preview that was asked for JSON: they are in it, and nowhere else."""
    try:
        diagnostics = json.loads(printed)["diagnostics"]
        return "\n".join(each["message"].strip() for each in diagnostics if each["severity"] == "error")
    except (ValueError, KeyError, TypeError):
        return ""
