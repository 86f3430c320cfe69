"""A stack of this project, with a config of its own."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from tests.sandbox.engine import TIMEOUT, Command, CommandError, StackDriver

__all__ = ["PREFIX", "PROJECT", "TIMEOUT", "CommandError", "Stack"]

PROJECT = Path(__file__).parents[2]
PREFIX = "istio-gateway-tls:"


class Stack(StackDriver):
    """A stack whose config begins as a copy of ``Pulumi.sandbox.yaml``.

    Attributes:
        file: The config file.
    """

    def __init__(self, name: str, folder: Path) -> None:
        self.file = folder / f"Pulumi.{name}.yaml"
        super().__init__(name, PROJECT, config=self.file)
        self._applied: dict[str, Any] | None = None
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
        """Return a value of the config, as it would be given to `configure`."""
        return self._document["config"].get(PREFIX + key)

    def plan(self) -> dict[str, str]:
        """Return what an `up` would do: the operation by resource name, without those that stay the same."""
        return {name: steps[-1]["op"] for name, steps in self.steps().items()}

    def stand(self) -> None:
        """Bring the stack to its config, unless the last `up` has: a test then depends on no other."""
        if self._applied != self._document:
            self.up()

    def up(self, *, fails: bool = False, timeout: float = TIMEOUT) -> str:
        """Return what an `up` prints."""
        self._applied = None
        printed = super().up(fails=fails, timeout=timeout)
        self._applied = None if fails else copy.deepcopy(self._document)
        return printed

    def start_up(self) -> Command:
        """Start an `up`."""
        self._applied = None
        return super().start_up()

    @contextmanager
    def coming_up(self) -> Iterator[Command]:
        """An `up` that runs while the block does, and is awaited at its end."""
        with self.start_up() as up:
            yield up
            up.finish()
        self._applied = copy.deepcopy(self._document)

    def destroy(self, *, fails: bool = False) -> str:
        """Return what a `destroy` prints."""
        self._applied = None
        return super().destroy(fails=fails)

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
