"""The form of a policy pack that the sandbox's engine can run.

Pulumi as it is installed runs a Python pack unchanged. The language host that can be built from a Go module is older
than the engine's request to run one. But a pack whose runtime has no language host is run by the program
``pulumi-analyzer-policy-RUNTIME`` on PATH: so with a built host, the pack gets a runtime of that kind.
"""

import hashlib
import os
from contextlib import suppress
from pathlib import Path

import yaml

from sandbox import paths
from sandbox.errors import SandboxError

_RUNTIME = "pysandbox"
_ANALYZER = f"pulumi-analyzer-policy-{_RUNTIME}"
_DESCRIPTION = "PulumiPolicy.yaml"


def folder(pack: Path) -> Path:
    """Return the folder to pass to `pulumi preview --policy-pack` for a Python pack.

    Raises:
        SandboxError: `pack` is not a policy pack.
    """
    pack = pack.resolve()
    if not (pack / _DESCRIPTION).is_file():
        raise SandboxError(f"{pack} is not a policy pack: it has no {_DESCRIPTION}.")
    host = paths.program("pulumi-language-python")
    # Inside a sandbox the program on PATH is a link to an installed, a downloaded or a built one.
    built = host is None or host.resolve().is_relative_to(paths.cache() / "tools")
    return _with_runtime(pack) if built else pack


def programs() -> dict[str, Path]:
    """Return the programs that must be on PATH for such a pack, by name."""
    return {_ANALYZER: Path(__file__).parent / "policypack" / _ANALYZER}


def _with_runtime(pack: Path) -> Path:
    made = paths.cache() / "policypacks" / hashlib.sha256(bytes(pack)).hexdigest()[:12]
    made.mkdir(parents=True, exist_ok=True)
    description = yaml.safe_load((pack / _DESCRIPTION).read_text()) | {"runtime": _RUNTIME}
    # Another sandbox may read it at the same moment.
    new = made / f"{_DESCRIPTION}.{os.getpid()}"
    new.write_text(yaml.safe_dump(description))
    new.replace(made / _DESCRIPTION)
    with suppress(FileExistsError):
        (made / "pack").symlink_to(pack)
    return made
