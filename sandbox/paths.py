"""Where things are: inside a sandbox everything is below ``/run/sandbox``, outside it only a cache of tools.

``/run`` is a tmpfs of the sandbox's own mount namespace, so whatever is written there ends with the sandbox.
"""

import os
import shutil
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent

RUN = Path("/run/sandbox")
BIN = RUN / "bin"
LOGS = RUN / "logs"
PKI = RUN / "pki"
CHARTS = RUN / "charts"
KUBECONFIG = RUN / "kubeconfig"
PULUMI_HOME = RUN / "pulumi" / "home"
PULUMI_STATE = RUN / "pulumi" / "state"

VENV_BIN = Path(sys.prefix) / "bin"


def cache() -> Path:
    """The user's cache folder for this project, outside the work tree (XDG base directory specification)."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "istio-gateway-tls"


def program(name: str) -> Path | None:
    """A program on PATH, as another sandbox finds it too; None if there is none.

    Links in the folder of a sandbox's programs are followed, since a sandbox within it covers that folder.
    """
    found = shutil.which(name)
    if found is None:
        return None
    path = Path(found).absolute()
    return path.resolve() if path.is_relative_to(RUN) else path
