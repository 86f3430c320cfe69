"""The Pulumi engine's command line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from sandbox.testing.leftovers import remove_orphaned_secrets

TIMEOUT = 600.0
"""Seconds for one command."""

Step = dict[str, Any]
"""A step of a plan, as `pulumi preview --json` prints it."""


class CommandError(AssertionError):
    """A command ended with an exit code that the test did not expect; the message has its output."""


class Command:
    """A command in a process group of its own, which a test can watch, interrupt or await."""

    def __init__(self, argv: list[str], folder: Path, environment: Mapping[str, str]) -> None:
        self._argv = argv
        # Files, because a pipe that nobody reads fills up and blocks the command.
        self._out = tempfile.TemporaryFile()  # noqa: SIM115 - closed at the end of the command's own block
        self._err = tempfile.TemporaryFile()  # noqa: SIM115
        self._process = subprocess.Popen(
            argv, cwd=folder, env=environment,
            stdin=subprocess.DEVNULL, stdout=self._out, stderr=self._err, start_new_session=True,
        )  # fmt: skip

    def __enter__(self) -> Command:
        return self

    def __exit__(self, *_: object) -> None:
        """Kill it if it still runs."""
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
        """The id of the process and of its process group, which the engine's plugins are not in."""
        return self._process.pid

    @property
    def printed(self) -> str:
        """The output so far."""
        return self._read(self._out) + self._read(self._err)

    @property
    def answer(self) -> str:
        """The standard output so far, which has no warnings."""
        return self._read(self._out)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process group; the engine's plugins end with the command."""
        os.killpg(self._process.pid, number)

    def wait(self, timeout: float = TIMEOUT) -> int:
        """Return the exit code.

        Raises:
            CommandError: The command took too long and was killed.
        """
        try:
            return self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.signal(signal.SIGKILL)
            self._process.wait()
            raise CommandError(f"{' '.join(self._argv)} took more than {timeout:.0f} s:\n{self.printed}") from None

    def finish(self, *, fails: bool = False, timeout: float = TIMEOUT) -> str:
        """Wait for the end and return the output.

        Raises:
            CommandError: The exit code was not zero, or zero where `fails` is set; or the command took too long.
        """
        code = self.wait(timeout)
        if bool(code) != fails:
            raise CommandError(f"{' '.join(self._argv)} ended with {code}:\n{self.printed}")
        return self.printed

    @staticmethod
    def _read(file: Any) -> str:
        # By pread, because the running command shares the file's position.
        return os.pread(file.fileno(), os.fstat(file.fileno()).st_size, 0).decode(errors="replace")


class Engine:
    """Pulumi's commands for one stack of the program in a folder; as a block, the stack is destroyed at its end.

    Attributes:
        name: The stack's name.
        folder: The program's folder.
        config: The stack's config file, if it is not the one beside the program.
        environment: The variables of its commands.
    """

    def __init__(
        self, name: str, folder: Path, *, config: Path | None = None, environment: Mapping[str, str] | None = None
    ) -> None:
        self.name, self.folder, self.config = name, folder, config
        self.environment = {**os.environ, **(environment or {})}
        self._applied: object = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: object, error: BaseException | None, *__: object) -> None:
        """Destroy the stack, and remove the Secrets that cert-manager leaves on purpose.

        A later Certificate that names such a Secret would be Ready at once.
        """
        try:
            if error:  # a command of the block that was killed has left its lock
                self.run("cancel", "--yes", config=False)
            self.destroy()
        finally:
            remove_orphaned_secrets()

    def start(self, *arguments: str, config: bool = True) -> Command:
        """Start a command of pulumi; `config` is False for commands that take no config file."""
        file = ["--config-file", str(self.config)] if config and self.config else []
        name = [] if "--stack" in arguments else ["--stack", self.name]
        options = [*name, *file, "--non-interactive", "--color=never"]
        end = arguments.index("--") if "--" in arguments else len(arguments)
        argv = ["pulumi", *arguments[:end], *options, *arguments[end:]]
        return Command(argv, self.folder, self.environment)

    def run(self, *arguments: str, fails: bool = False, config: bool = True, timeout: float = TIMEOUT) -> str:
        """Run a command of pulumi and return what it printed; of JSON, standard output alone.

        Raises:
            CommandError: The exit code was not zero, or zero where `fails` is set; or the command took too long.
        """
        with self.start(*arguments, config=config) as command:
            printed = command.finish(fails=fails, timeout=timeout)
            return command.answer if "--json" in arguments or arguments[:2] == ("stack", "export") else printed

    def wanted(self) -> object:
        """Return what an `up` would bring the stack to; a subclass with changing inputs returns those."""
        return True

    def stand(self) -> None:
        """Bring the stack to what is wanted unless the last `up` did, so that no test depends on another."""
        if self._applied != self.wanted():
            self.up()

    def start_up(self) -> Command:
        """Start an `up`, which the caller finishes."""
        self._applied = None
        return self.start("up", "--yes", "--skip-preview")

    @contextmanager
    def coming_up(self) -> Iterator[Command]:
        """Run an `up` beside the block, and wait for it at the block's end."""
        wanted = self.wanted()
        with self.start_up() as up:
            yield up
            up.finish()
        self._applied = wanted

    def up(self, *options: str, fails: bool = False, timeout: float = TIMEOUT) -> str:
        """Return what an `up` prints."""
        wanted, self._applied = None if fails else self.wanted(), None
        printed = self.run("up", "--yes", "--skip-preview", *options, fails=fails, timeout=timeout)
        self._applied = wanted
        return printed

    def preview(self, *options: str, fails: bool = False) -> str:
        """Return what a preview prints."""
        return self.run("preview", "--diff", *options, fails=fails)

    def assert_at_rest(self) -> None:
        """Assert that the cluster and the zone are as the program has them."""
        self.preview("--refresh", "--expect-no-changes")

    def refresh(self) -> str:
        """Return what a `refresh` prints."""
        return self.run("refresh", "--yes", "--skip-preview")

    def destroy(self, *, fails: bool = False) -> str:
        """Return what a `destroy` prints."""
        self._applied = None
        return self.run("destroy", "--yes", "--skip-preview", fails=fails)

    def steps(self, *options: str) -> dict[str, list[Step]]:
        """Return the steps of a preview by resource name, without resources that stay the same."""
        steps: dict[str, list[Step]] = {}
        for step in json.loads(self.run("preview", "--json", *options))["steps"]:
            if step["op"] not in ("same", "read", "refresh"):
                steps.setdefault(step["urn"].rpartition("::")[2], []).append(step)
        return steps

    def plan(self) -> dict[str, str]:
        """Return the last operation of a preview by resource name, without resources that stay the same."""
        return {name: steps[-1]["op"] for name, steps in self.steps().items()}

    def outputs(self) -> dict[str, Any]:
        """Return the stack's outputs."""
        outputs: dict[str, Any] = json.loads(self.run("stack", "output", "--json", config=False))
        return outputs

    def resources(self, *, secrets: bool = False) -> list[dict[str, Any]]:
        """Return the resources in the stack's state, with secrets in the clear if asked for."""
        options = ["--show-secrets"] if secrets else []
        exported = self.run("stack", "export", *options, config=False)
        resources: list[dict[str, Any]] = json.loads(exported)["deployment"].get("resources", [])
        return resources

    def registered(self) -> list[str]:
        """Return the URNs in the stack's state, without the stack and its providers."""
        return [resource["urn"] for resource in self.resources() if not resource["type"].startswith("pulumi:")]

    def resource(self, name: str, *, secrets: bool = False) -> dict[str, Any]:
        """Return a resource of the stack's state.

        Raises:
            AssertionError: The state has none of that name.
        """
        resources = self.resources(secrets=secrets)
        resource = next((one for one in resources if one["urn"].rpartition("::")[2] == name), None)
        assert resource, f"the state of {self.name} has a resource {name}"
        return resource
