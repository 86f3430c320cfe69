"""cert-manager's chart, through Helm."""

import json
import subprocess
from collections.abc import Mapping
from typing import Any

import yaml

from sandbox import paths

NAME = "cert-manager"
FOLDER = paths.CHARTS / NAME
TIMEOUT = 120


def helm(*arguments: str, values: Mapping[str, Any] | None = None) -> str:
    """Run helm and return what it printed.

    Args:
        arguments: Of helm.
        values: Values that it reads from standard input (``--values -``).

    Raises:
        AssertionError: The command failed; the message is helm's error.
    """
    options = [] if values is None else ["--values=-"]
    done = subprocess.run(
        ["helm", *arguments, *options], input=json.dumps(values), capture_output=True, text=True, timeout=TIMEOUT,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"helm {' '.join(arguments)} failed: {done.stderr}"
    return done.stdout


def rendered(values: Mapping[str, Any], *options: str) -> list[dict[str, Any]]:
    """Return the chart's objects."""
    return objects(helm("template", NAME, str(FOLDER), f"--namespace={NAME}", *options, values=values))


def objects(text: str) -> list[dict[str, Any]]:
    """Return the objects of a manifest."""
    return [obj for obj in yaml.load_all(text, yaml.CSafeLoader) if obj]
