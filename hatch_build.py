"""Builds the wheel's one package, `istio_gateway_tls`: the components, and below them the folders of a stack.

Here the folders import each other by their own names, such as `config`. Where the wheel is installed, these names may
be anybody's, so its modules import each other by the name of the package.
"""

import ast
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PACKAGE = "istio_gateway_tls"
NAMES = {"components": PACKAGE, **{folder: f"{PACKAGE}.{folder}" for folder in ("config", "policies", "tlsctl")}}
"""The name in the wheel of each folder."""

_PACK = "share/istio-gateway-tls/policies"
"""The policy pack that the engine runs, in the environment; `tlsctl policy-pack` prints it."""

_IMPORT = re.compile(rf"\b(?P<verb>from|import) (?P<folder>{'|'.join(NAMES)})\b")
_PAGES = {"reference.py", "table.py"}
"""Modules that write the pages of docs/."""


def rename_imports(source: str) -> str:
    """Return a module with its imports of the folders by their names in the wheel."""
    lines = source.splitlines(keepends=True)
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            lines[node.lineno - 1] = _IMPORT.sub(_renamed, lines[node.lineno - 1], count=1)
    return "".join(lines)


def _renamed(match: re.Match[str]) -> str:
    name = NAMES[match["folder"]]
    return f"import {name} as {match['folder']}" if match["verb"] == "import" else f"from {name}"


class WheelHook(BuildHookInterface[Any]):
    """Lays the wheel's files out in a folder of its own."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 - hatchling passes it
        """Name the files of the wheel, and where they are."""
        self._folder = tempfile.TemporaryDirectory()
        for name, content in self._files():
            file = Path(self._folder.name) / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
            # Data is installed beside the packages: in share/ of the environment.
            build_data["shared_data" if name.startswith(_PACK) else "force_include"][str(file)] = name

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:  # noqa: ARG002
        """Remove the folder."""
        self._folder.cleanup()

    def _files(self) -> Iterator[tuple[str, bytes]]:
        root = Path(self.root)
        for folder, package in NAMES.items():
            for file in (root / folder).rglob("*"):
                if file.suffix == ".py" and file.name not in _PAGES:
                    yield _inside(package, file.relative_to(root / folder)), _wheel_source(file)
                elif file.suffix in (".pem", ".typed"):
                    yield _inside(package, file.relative_to(root / folder)), file.read_bytes()
        yield f"{_PACK}/__main__.py", _wheel_source(root / "policies" / "__main__.py")
        # The environment of the pack is the one around it.
        pack = (root / "policies" / "PulumiPolicy.yaml").read_text()
        yield f"{_PACK}/PulumiPolicy.yaml", pack.replace("../.venv", "../../..").encode()


def _inside(package: str, file: Path) -> str:
    return (Path(*package.split(".")) / file).as_posix()


def _wheel_source(file: Path) -> bytes:
    return rename_imports(file.read_text()).encode()
