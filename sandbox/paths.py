"""Paths: inside a sandbox everything is below ``/run/sandbox``, outside it there is only a cache of tools.

``/run`` is a tmpfs of the sandbox's mount namespace, so its files disappear with the sandbox.
"""

import os
import shutil
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent

RUN = Path("/run/sandbox")
BIN = RUN / "bin"
LOGS = RUN / "logs"
POD_LOGS = LOGS / "pods"
PKI = RUN / "pki"
CHARTS = RUN / "charts"
ENVOY_BOOTSTRAP = RUN / "envoy_bootstrap.json"
KUBECONFIG = RUN / "kubeconfig"
PULUMI_HOME = RUN / "pulumi" / "home"
PULUMI_STATE = RUN / "pulumi" / "state"

VENV_BIN = Path(sys.prefix) / "bin"

COMMAND = "istio-sandbox" if Path(sys.argv[0]).name == "istio-sandbox" else "python -m sandbox"
"""How the user calls the sandbox: from its own package, or from the clone."""


def cache() -> Path:
    """Return the user's cache folder (XDG base directory specification)."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "istio-sandbox"


def program(name: str) -> Path | None:
    """Return a program on PATH, or None if there is none.

    Links below /run are followed, since a sandbox inside this one covers that folder.
    """
    location = shutil.which(name)
    if location is None:
        return None
    path = Path(location).absolute()
    return path.resolve() if path.is_relative_to(RUN) else path
