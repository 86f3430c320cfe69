"""The stack that a verb works on, through the operator's pulumi command line."""

import dataclasses
import json
import os
import re
import shlex
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from components.problem import Problem, ProblemsError
from components.shell import QUOTED, unquoted, word

P = TypeVar("P", bound=Problem)

_TIMEOUT = 60
"""Seconds for a command that only reads."""

_PER_STACK = re.compile(
    rf"(?P<quoted>{QUOTED})"
    r"|\b(?P<command>pulumi (?:up|preview|refresh|destroy|import|config(?: set| rm| get)?)|(?:python -m )?tlsctl [\w-]+"
    r"|(?P<without_file>pulumi (?:cancel|state \w+|stack (?:export|import|output))))(?= |$)"
)
"""The commands that work on one stack. Those that never read its config do not have the option `--config-file`."""

_FIXES = (
    ("no stack named", "pulumi stack ls"),
    ("passphrase", "export PULUMI_CONFIG_PASSPHRASE_FILE=FILE"),
    ("pulumi login", "pulumi login gs://BUCKET"),
    ("no Pulumi.yaml", "cd THE-PROJECT"),
)
"""A part of pulumi's error message, and the fix."""


@dataclass(frozen=True)
class Stack:
    """A stack, as the operator named it."""

    name: str
    config_file: str | None = None
    """The config file, if not `Pulumi.<short name>.yaml`."""

    @property
    def short_name(self) -> str:
        """The name without organization and project: files and objects have it."""
        return self.name.rpartition("/")[2]

    def address(self, command: str) -> str:
        """Return a command in which every `pulumi` and `tlsctl` has the options that name the stack."""
        if "--stack" in unquoted(command):
            return command
        stack = f" --stack {word(self.name)}"
        file = f" --config-file {word(self.config_file)}" if self.config_file else ""

        def addressed(match: re.Match[str]) -> str:
            return match[0] if match["quoted"] else match[0] + stack + ("" if match["without_file"] else file)

        return _PER_STACK.sub(addressed, command)

    def addressed(self, problems: Iterable[P]) -> list[P]:
        """Return problems whose fixes name the stack."""
        return [dataclasses.replace(problem, fix=tuple(map(self.address, problem.fix))) for problem in problems]

    def run(self, command: str) -> int:
        """Run a command whose output the operator sees, and return its exit code.

        Raises:
            ProblemsError: pulumi is not installed.
        """
        # There is no time limit: an update that is cut off leaves operations pending.
        return self._run(command, stdin=subprocess.DEVNULL).returncode

    def read(self, command: str, timeout: float = _TIMEOUT, environment: Mapping[str, str] | None = None) -> Any:
        """Return the JSON that a command prints within `timeout` seconds, with more variables in its environment.

        Raises:
            ProblemsError: pulumi is not installed, it failed, or it took too long.
        """
        try:
            variables = {**os.environ, **(environment or {})}
            done = self._run(command, capture_output=True, text=True, timeout=timeout, env=variables)
        except subprocess.TimeoutExpired:
            raise ProblemsError(Problem(self.address(command), f"took more than {timeout:.0f} s")) from None
        if done.returncode:
            message = _diagnostics(done.stdout) or done.stderr.strip().removeprefix("error: ")
            fix = tuple(self.address(command) for part, command in _FIXES if part in message)
            raise ProblemsError(Problem(f"stack {self.name}", f"cannot be read: {message}", fix[:1]))
        return json.loads(done.stdout)

    def _run(self, command: str, **options: Any) -> "subprocess.CompletedProcess[str]":
        try:
            return subprocess.run([*shlex.split(self.address(command)), "--non-interactive"], check=False, **options)
        except FileNotFoundError:
            fix = ("curl -fsSL https://get.pulumi.com | sh",)
            raise ProblemsError(Problem("pulumi", "is not on PATH", fix)) from None


def _diagnostics(printed: str) -> str:
    """Return the errors of a preview with `--json`, which does not print them elsewhere."""
    try:
        diagnostics = json.loads(printed)["diagnostics"]
        return "\n".join(entry["message"].strip() for entry in diagnostics if entry["severity"] == "error")
    except (ValueError, KeyError, TypeError):
        return ""
