"""A stack of this project, with a config of its own."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from sandbox.testing.engine import TIMEOUT, CommandError, StackDriver

__all__ = ["PREFIX", "PROJECT", "TIMEOUT", "CommandError", "Stack"]

PROJECT = Path(__file__).parents[2]
PREFIX = "istio-gateway-tls:"


class Stack(StackDriver):
    """A stack whose config begins as a copy of ``Pulumi.sandbox.yaml``.

    Attributes:
        file: The config file.
    """

    def __init__(self, name: str, folder: Path, *, environment: Mapping[str, str] | None = None) -> None:
        self.file = folder / f"Pulumi.{name}.yaml"
        super().__init__(name, PROJECT, config=self.file, environment=environment)
        self._document: dict[str, Any] = yaml.safe_load((PROJECT / "Pulumi.sandbox.yaml").read_text())
        if "PULUMI_CONFIG_PASSPHRASE" in (environment or {}):
            del self._document["encryptionsalt"]  # it is of the sandbox's own passphrase
        self._write()
        # `stack select` has no --config-file and writes to the stack's own, which may be one of the project's:
        # it is run in another folder of the same project.
        shutil.copy(PROJECT / "Pulumi.yaml", folder)
        self.run("stack", "select", "--create", "--cwd", str(folder), config=False)
        self._document["encryptionsalt"] = yaml.safe_load(self.file.read_text())["encryptionsalt"]

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

    def wanted(self) -> object:
        """Return the config."""
        return copy.deepcopy(self._document)

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
