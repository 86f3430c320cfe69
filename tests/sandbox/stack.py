"""A Pulumi stack of the project, driven by the real engine's command line inside the sandbox."""

import copy
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

PROJECT = Path(__file__).parents[2]
PREFIX = "istio-gateway-tls:"
TIMEOUT = 300


class CommandError(AssertionError):
    """A command ended with another exit code than the test expected; the message is all it printed."""


class Stack:
    """One stack with a config of its own, which begins as a copy of ``Pulumi.sandbox.yaml``."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.file = folder / f"Pulumi.{name}.yaml"
        self._document: dict[str, Any] = yaml.safe_load((PROJECT / "Pulumi.sandbox.yaml").read_text())
        self._write()
        # `stack select` has no --config-file and writes to the stack's own, which may be one of the project's:
        # it is run in another folder of the same project.
        shutil.copy(PROJECT / "Pulumi.yaml", folder)
        self.run("stack", "select", "--create", "--cwd", str(folder), config=False)

    def configure(self, **settings: Any) -> None:
        """Merge values into the config: objects key by key, anything else as a whole; None removes a key."""
        for key, value in settings.items():
            _merge(self._document["config"], {PREFIX + key: value})
        self._write()

    @contextmanager
    def changed(self, **settings: Any) -> Iterator[None]:
        """`configure` for as long as the block runs; what pulumi itself wrote into the config is undone as well."""
        before = copy.deepcopy(self._document)
        self.configure(**settings)
        try:
            yield
        finally:
            self._document = before
            self._write()

    def get(self, key: str) -> Any:
        """A value of the config, as it would be given to `configure`."""
        return self._document["config"].get(PREFIX + key)

    def preview(self, *options: str, fails: bool = False) -> str:
        """What a preview prints."""
        return self.run("preview", "--diff", *options, fails=fails)

    def plan(self) -> dict[str, str]:
        """What an `up` would do: the operation by resource name, without those that stay the same."""
        steps = json.loads(self.run("preview", "--json"))["steps"]
        return {step["urn"].split("::")[-1]: step["op"] for step in steps if step["op"] not in ("same", "read")}

    def up(self, *, fails: bool = False, timeout: float = TIMEOUT) -> str:
        """What an `up` prints."""
        return self.run("up", "--yes", "--skip-preview", fails=fails, timeout=timeout)

    def refresh(self) -> str:
        """What a `refresh` prints."""
        return self.run("refresh", "--yes", "--skip-preview")

    def destroy(self) -> str:
        """What a `destroy` prints."""
        return self.run("destroy", "--yes", "--skip-preview")

    def outputs(self) -> Mapping[str, Any]:
        """The stack's outputs."""
        outputs: dict[str, Any] = json.loads(self.run("stack", "output", "--json", config=False))
        return outputs

    def resources(self) -> list[dict[str, Any]]:
        """The resources in the stack's state."""
        deployment = json.loads(self.run("stack", "export", config=False))["deployment"]
        resources: list[dict[str, Any]] = deployment.get("resources", [])
        return resources

    def start_up(self) -> "subprocess.Popen[str]":
        """An `up` that runs in a process group of its own, to be interrupted."""
        return subprocess.Popen(
            self._argv("up", "--yes", "--skip-preview", config=True), cwd=PROJECT, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip

    def run(self, *arguments: str, fails: bool = False, config: bool = True, timeout: float = TIMEOUT) -> str:
        """Run pulumi and return what it printed.

        Raises:
            CommandError: its exit code was not zero, or zero where `fails` was asked for; or it took too long.
        """
        argv = self._argv(*arguments, config=config)
        with subprocess.Popen(
            argv, cwd=PROJECT, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            start_new_session=True,
        ) as process:  # fmt: skip
            try:
                out, err = process.communicate(timeout=timeout)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                out, err = process.communicate()
                raise CommandError(f"{' '.join(argv)} took more than {timeout} s:\n{out}{err}") from None
        if bool(process.returncode) != fails:
            raise CommandError(f"{' '.join(argv)} ended with {process.returncode}:\n{out}{err}")
        return out if "--json" in arguments or arguments[:2] == ("stack", "export") else out + err

    def _argv(self, *arguments: str, config: bool) -> list[str]:
        file = ["--config-file", str(self.file)] if config else []
        name = [] if "--stack" in arguments else ["--stack", self.name]
        return ["pulumi", *arguments, *name, *file, "--non-interactive", "--color=never"]

    def _write(self) -> None:
        self.file.write_text(yaml.safe_dump(self._document))


def _merge(base: dict[str, Any], over: Mapping[str, Any]) -> None:
    for key, value in over.items():
        if value is None:
            base.pop(key, None)
        elif isinstance(value, Mapping) and isinstance(base.get(key), dict):
            _merge(base[key], value)
        else:
            base[key] = value
