"""The Pulumi engine's command line: one driver for every stack that a test uses."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

TIMEOUT = 300.0
"""Seconds for one command."""

Step = dict[str, Any]
"""A step of a plan, as `pulumi preview --json` prints it."""


class CommandError(AssertionError):
    """A command ended with another exit code than the test expected; the message is all it printed."""


class Command:
    """A command that runs in a process group of its own, to be watched, interrupted or awaited."""

    def __init__(self, argv: list[str], folder: Path, environment: Mapping[str, str]) -> None:
        self._argv = argv
        # Files, since a pipe that nobody reads fills up and holds the command.
        self._out = tempfile.TemporaryFile()  # noqa: SIM115 - closed at the end of the command's own block
        self._err = tempfile.TemporaryFile()  # noqa: SIM115
        self._process = subprocess.Popen(
            argv, cwd=folder, env=environment,
            stdin=subprocess.DEVNULL, stdout=self._out, stderr=self._err, start_new_session=True,
        )  # fmt: skip

    def __enter__(self) -> Command:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it, if the test has not."""
        if self._process.poll() is None:
            self.signal(signal.SIGKILL)
            self._process.wait()
        self._out.close()
        self._err.close()

    @property
    def runs(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    @property
    def pid(self) -> int:
        """Its process id, and that of its process group, in which its plugins are not."""
        return self._process.pid

    @property
    def printed(self) -> str:
        """What it has printed so far."""
        return self._read(self._out) + self._read(self._err)

    @property
    def answer(self) -> str:
        """What it has printed to standard output, without warnings."""
        return self._read(self._out)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the command and all that it has started, but the engine's plugins: they end with it."""
        os.killpg(self._process.pid, number)

    def wait(self, timeout: float = TIMEOUT) -> int:
        """Return the exit code.

        Raises:
            CommandError: It took too long, and was killed.
        """
        try:
            return self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.signal(signal.SIGKILL)
            self._process.wait()
            raise CommandError(f"{' '.join(self._argv)} took more than {timeout:.0f} s:\n{self.printed}") from None

    def finish(self, *, fails: bool = False, timeout: float = TIMEOUT) -> str:
        """Wait for its end and return what it printed.

        Raises:
            CommandError: Its exit code was not zero, or zero where `fails` was asked for; or it took too long.
        """
        code = self.wait(timeout)
        if bool(code) != fails:
            raise CommandError(f"{' '.join(self._argv)} ended with {code}:\n{self.printed}")
        return self.printed

    @staticmethod
    def _read(file: Any) -> str:
        # Without the file's position, which the running command shares.
        return os.pread(file.fileno(), os.fstat(file.fileno()).st_size, 0).decode(errors="replace")


class StackDriver:
    """A stack of the project in a folder.

    Attributes:
        name: The stack's name.
        folder: The project's folder.
        config: The stack's config file, if not the one beside the project's.
        environment: What its commands run in.
    """

    def __init__(
        self, name: str, folder: Path, *, config: Path | None = None, environment: Mapping[str, str] | None = None
    ) -> None:
        self.name, self.folder, self.config = name, folder, config
        self.environment = {**os.environ, **(environment or {})}
        self._applied: object = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Destroy it, whatever happened: what one test leaves in the cluster fails all those that follow."""
        self.destroy()

    def start(self, *arguments: str, config: bool = True) -> Command:
        """Start a command of pulumi; `config` is False for those that take no config file."""
        file = ["--config-file", str(self.config)] if config and self.config else []
        name = [] if "--stack" in arguments else ["--stack", self.name]
        options = [*name, *file, "--non-interactive", "--color=never"]
        end = arguments.index("--") if "--" in arguments else len(arguments)
        argv = ["pulumi", *arguments[:end], *options, *arguments[end:]]
        return Command(argv, self.folder, self.environment)

    def run(self, *arguments: str, fails: bool = False, config: bool = True, timeout: float = TIMEOUT) -> str:
        """Run a command of pulumi and return what it printed; without warnings where that is JSON.

        Raises:
            CommandError: Its exit code was not zero, or zero where `fails` was asked for; or it took too long.
        """
        with self.start(*arguments, config=config) as command:
            printed = command.finish(fails=fails, timeout=timeout)
            return command.answer if "--json" in arguments or arguments[:2] == ("stack", "export") else printed

    def wanted(self) -> object:
        """Return what an `up` brings the stack to; a program that changes has other values for other programs."""
        return True

    def stand(self) -> None:
        """Bring the stack to what is wanted, unless the last `up` has: a test then depends on no other."""
        if self._applied != self.wanted():
            self.up()

    def start_up(self) -> Command:
        """Start an `up`, which the caller finishes."""
        self._applied = None
        return self.start("up", "--yes", "--skip-preview")

    @contextmanager
    def coming_up(self) -> Iterator[Command]:
        """An `up` that runs while the block does, and is awaited at its end."""
        wanted = self.wanted()
        with self.start_up() as up:
            yield up
            up.finish()
        self._applied = wanted

    def up(self, *, fails: bool = False, timeout: float = TIMEOUT) -> str:
        """Return what an `up` prints."""
        wanted = None if fails else self.wanted()
        with self.start_up() as up:
            printed = up.finish(fails=fails, timeout=timeout)
        self._applied = wanted
        return printed

    def preview(self, *options: str, fails: bool = False) -> str:
        """Return what a preview prints."""
        return self.run("preview", "--diff", *options, fails=fails)

    def refresh(self) -> str:
        """Return what a `refresh` prints."""
        return self.run("refresh", "--yes", "--skip-preview")

    def destroy(self, *, fails: bool = False) -> str:
        """Return what a `destroy` prints."""
        self._applied = None
        return self.run("destroy", "--yes", "--skip-preview", fails=fails)

    def steps(self, *options: str) -> dict[str, list[Step]]:
        """Return the steps of a preview by resource name, without what stays the same."""
        found: dict[str, list[Step]] = {}
        for step in json.loads(self.run("preview", "--json", *options))["steps"]:
            if step["op"] not in ("same", "read", "refresh"):
                found.setdefault(step["urn"].rpartition("::")[2], []).append(step)
        return found

    def outputs(self) -> dict[str, Any]:
        """Return the stack's outputs."""
        found: dict[str, Any] = json.loads(self.run("stack", "output", "--json", config=False))
        return found

    def resources(self, *, secrets: bool = False) -> list[dict[str, Any]]:
        """Return the resources in the stack's state, with secrets in the clear if asked for."""
        options = ["--show-secrets"] if secrets else []
        exported = self.run("stack", "export", *options, config=False)
        found: list[dict[str, Any]] = json.loads(exported)["deployment"].get("resources", [])
        return found

    def resource(self, name: str, *, secrets: bool = False) -> dict[str, Any]:
        """Return a resource as the stack's state has it."""
        found = [each for each in self.resources(secrets=secrets) if each["urn"].rpartition("::")[2] == name]
        assert found, f"the state of {self.name} has a resource {name}"
        return found[0]
