"""The commands of the README and docs/sandbox.md: every line of their `sh` blocks is run, in order."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from sandbox import paths

pytestmark = pytest.mark.readme

PROJECT = Path(__file__).parents[1]
TIMEOUT = 3600
"""Seconds for one command; the first `make up` on a machine builds the tools."""

NEEDS_A_CLOUD = re.compile(r"gcloud |pulumi (login|new|preview|up)\b|cd gateway$|uv run tlsctl ")
"""Commands for a GKE cluster, a state bucket and a release, which no test has; test_template.py has the sandbox's."""

UV_OF_MAKE = paths.cache() / "uv" / "bin"
"""Where `make` puts uv on a machine that has none. The documents tell a user to install it."""
MADE_HERE = ("*.pyc", "__pycache__", ".git", ".hypothesis", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".venv")


def lines(document: str) -> list[str]:
    """The commands of a document that can be typed here."""
    blocks = re.findall(r"```sh\n(.*?)```", (PROJECT / document).read_text(), flags=re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line.strip() and not NEEDS_A_CLOUD.match(line)]


def typed(command: str, folder: Path = PROJECT, more: Mapping[str, str] | None = None, code: int | None = None) -> str:
    """Type a command, and return what it printed.

    A comment says which exit code it has: `# exit code 1`.
    """
    environment = os.environ | {"PATH": f"{os.environ['PATH']}{os.pathsep}{UV_OF_MAKE}"} | dict(more or {})
    done = subprocess.run(
        ["bash", "-c", command], cwd=folder, env=environment, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=TIMEOUT, check=False,
    )  # fmt: skip
    print(f"$ {command}\n{done.stdout}")
    comment = re.search(r"# exit code (\d+)$", command)
    expected = code or (int(comment[1]) if comment else 0)
    assert done.returncode == expected, f"`{command}` ended with {done.returncode}:\n{done.stdout}"
    return done.stdout


@pytest.mark.parametrize("document", ["README.md", "docs/sandbox.md"])
def test_every_command_does_what_is_said(document: str) -> None:
    # A sandbox of its own name, so that one that the developer has up is left alone.
    environment = {"SANDBOX": f"readme-{os.getpid()}"}
    printed: dict[str, list[str]] = {}
    try:
        for command in lines(document):
            printed.setdefault(command, []).append(typed(command, more=environment))
    finally:
        typed("make down", more=environment)

    def of(piece: str) -> list[str]:
        return next(texts for command, texts in printed.items() if piece in command)

    [first] = printed["make up"]
    assert "https://shop.sandbox.test  200" in first, "make up ends with a host that answered over verified HTTPS"
    assert "301 https://shop.sandbox.test/" in first, "and with its redirect from plain HTTP"
    if document == "README.md":
        assert "istio-ingressgateway-certs" in of("kubectl get certificate")[0], "the Certificate is in the API server"
        assert '"app"' in of("curl")[0], "the demo application answered through the gateway, verified by curl"
    else:
        assert "istio-ingressgateway" in of("kubectl get pods")[0]
        assert "tls-sandbox" in of("# exit code 1")[0], "verify says what is missing"
    assert Path(sys.executable).with_name("mypy").exists(), "uv run takes nothing out of what make has installed"


def test_a_new_clone_checks_a_stack_after_uv_sync(tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    shutil.copytree(PROJECT, clone, ignore=shutil.ignore_patterns(*MADE_HERE))
    typed("uv sync --quiet", clone)

    printed = typed("uv run python -m tlsctl verify --stack nowhere", clone, code=2)

    assert "pulumi" in printed, "it came as far as reading the stack"
    assert "Traceback" not in printed, "nothing was missing"
    assert not (clone / ".venv" / "bin" / "mypy").exists(), "what is for development is not beside a deployment"
