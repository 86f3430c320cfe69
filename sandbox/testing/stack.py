"""A stack of a Pulumi program with a config that a test changes."""

import copy
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from sandbox.testing.engine import Engine


class Stack(Engine):
    """A stack of a program, with a config file outside the program's folder.

    Attributes:
        file: The config file.
    """

    def __init__(
        self, name: str, program: Path, folder: Path, *, config: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        """Make the stack in the sandbox's backend, or select it.

        Args:
            name: Of the stack.
            program: The folder with the program's ``Pulumi.yaml``.
            folder: Where the config file is written.
            config: The stack file that the config begins as a copy of.
            environment: Variables of Pulumi's commands, beside those of the tests.
        """
        self.file = folder / f"Pulumi.{name}.yaml"
        super().__init__(name, program, config=self.file, environment=environment)
        self._prefix = f"{yaml.safe_load((program / 'Pulumi.yaml').read_text())['name']}:"
        self._document: dict[str, Any] = yaml.safe_load(config.read_text())
        if "PULUMI_CONFIG_PASSPHRASE" in (environment or {}):
            self._document.pop("encryptionsalt", None)  # it belongs to the sandbox's own passphrase
        self._write()
        # `stack select` has no --config-file and writes to the stack file beside the program, which may be one of the
        # repository's: so it runs in a folder with a copy of Pulumi.yaml.
        shutil.copy(program / "Pulumi.yaml", folder)
        self.run("stack", "select", "--create", "--cwd", str(folder), config=False)
        self._document["encryptionsalt"] = yaml.safe_load(self.file.read_text())["encryptionsalt"]

    def configure(self, **settings: Any) -> None:
        """Merge values into the program's config: objects key by key, other values as a whole; None removes a key."""
        _merge(self._document["config"], {self._prefix + key: value for key, value in settings.items()})
        self._write()

    @contextmanager
    def changed(self, **settings: Any) -> Iterator[None]:
        """Merge values while the block runs; what pulumi itself writes into the config meanwhile is undone as well."""
        before = copy.deepcopy(self._document)
        self.configure(**settings)
        try:
            yield
        finally:
            self._document = before
            self._write()

    def get(self, key: str) -> Any:
        """Return a value of the config as `configure` takes it."""
        return self._document["config"].get(self._prefix + key)

    def set_secret(self, key: str, value: str) -> None:
        """Encrypt a value at a path of the config as a user does; the next `configure` removes it."""
        self.run("config", "set", "--secret", "--path", self._prefix + key, value)

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
