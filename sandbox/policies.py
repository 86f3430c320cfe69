"""Which form of the policy pack the sandbox's engine can run.

Pulumi as it is installed runs `policies` as it is. The language host that can be built from a Go module is older than
the engine's request to run a Python pack, so beside a built one the pack is started by a program of our own.
"""

import shutil
from pathlib import Path

from sandbox import paths

PACK = paths.PROJECT / "policies"
STANDIN = Path(__file__).parent / "policypack"
ANALYZER = "pulumi-analyzer-policy-pysandbox"


def folder() -> Path:
    """The folder to give to `pulumi preview --policy-pack`."""
    host = shutil.which("pulumi-language-python")
    # Inside a sandbox the program on PATH is a link to what was found or built outside.
    built = host is None or Path(host).resolve().is_relative_to(paths.cache())
    return STANDIN if built else PACK


def programs() -> dict[str, Path]:
    """What has to be on PATH for it, by name."""
    return {ANALYZER: STANDIN / ANALYZER}
