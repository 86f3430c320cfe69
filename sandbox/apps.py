"""Two demo applications, to be put behind the gateway."""

import subprocess
from pathlib import Path

from sandbox import paths
from sandbox.errors import SandboxError

_MANIFEST = Path(__file__).with_suffix(".yaml")
_TIMEOUT = 60


def install() -> None:
    """Apply them and return when both answer.

    Raises:
        SandboxError: the API server refused them, or they were not ready in time.
    """
    _kubectl("apply", "--filename", str(_MANIFEST))
    for name in ("shop", "api"):
        _kubectl("rollout", "status", f"deployment/{name}", "--namespace", name, f"--timeout={_TIMEOUT}s")


def _kubectl(*arguments: str) -> None:
    argv = [str(paths.BIN / "kubectl"), "--kubeconfig", str(paths.KUBECONFIG), *arguments]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=2 * _TIMEOUT, check=False)
    if done.returncode:
        raise SandboxError(f"the demo applications: `kubectl {' '.join(arguments)}` failed: {done.stderr.strip()}")
