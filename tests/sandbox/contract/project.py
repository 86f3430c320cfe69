"""A project of a contract test: its program registers what the test lists, so that no test needs one of its own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sandbox.testing import Engine


class ContractStack(Engine):
    """A stack with a backend in the test's own folder.

    Attributes:
        program: The program's text; it reads `spec.json`.
    """

    program: str

    def __init__(self, folder: Path, config: Mapping[str, str] | None = None) -> None:
        environment = {
            "PULUMI_BACKEND_URL": f"file://{folder}/state",
            "PULUMI_CONFIG_PASSPHRASE": "",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
        }
        super().__init__("test", folder, environment=environment)
        (folder / "state").mkdir()
        (folder / "Pulumi.yaml").write_text("name: contract\nruntime: python\n")
        (folder / "Pulumi.test.yaml").write_text(json.dumps({"config": dict(config or {})}))
        (folder / "__main__.py").write_text(self.program)
        self.run("stack", "select", "--create")

    def write_spec(self, spec: Any) -> None:
        """Say what the program registers."""
        (self.folder / "spec.json").write_text(json.dumps(spec))

    def ops(self, *options: str) -> dict[str, list[str]]:
        """Return what an `up` would do to each of the test's resources, by name; what stays the same is not in it."""
        steps = self.steps(*options)
        own = [name for name in steps if not name.startswith(("contract-", "default"))]
        return {name: [step["op"] for step in steps[name]] for name in own}
