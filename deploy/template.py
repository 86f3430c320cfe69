"""`python -m deploy.template`: writes what examples/template has in common with this repository."""

import re
from collections.abc import Iterator
from pathlib import Path

from hatch_build import rename_imports

ROOT = Path(__file__).resolve().parents[1]
TEMPLATE = ROOT / "examples" / "template"
REPOSITORY = "OWNER/istio-gateway-tls"

_COPIES = ("Pulumi.dev.yaml", "Pulumi.prod.yaml", ".github/programs.sha256")
_WORKFLOWS = ("comment", "drift", "preview-dev", "preview-prod", "up")
_TESTS = re.compile(r"  test:\n.*?\n\n(?=  dev:)|    needs: test\n", re.DOTALL)
"""What only this repository has: an update of it needs its tests."""


def version() -> str:
    """Return the release that the template begins with, from its `pyproject.toml`."""
    [pinned] = re.findall(r"istio-gateway-tls\[.*\]~=(\d+\.\d+\.\d+)", (TEMPLATE / "pyproject.toml").read_text())
    return str(pinned)


def files() -> Iterator[tuple[Path, str]]:
    """Yield the files that are written, with their content."""
    yield TEMPLATE / "__main__.py", rename_imports((ROOT / "__main__.py").read_text())
    for name in _COPIES:
        yield TEMPLATE / name, (ROOT / name).read_text()
    for name in (f".github/workflows/{workflow}.yml" for workflow in _WORKFLOWS):
        text = _TESTS.sub("", (ROOT / name).read_text())
        yield TEMPLATE / name, re.sub(r"uses: \./(\S+)", rf"uses: {REPOSITORY}/\1@v{version()}", text)


if __name__ == "__main__":
    for file, content in files():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
