"""Which provider plugins the engine will use: the real ones, or our stand-ins where those cannot be had.

The engine downloads a plugin that it lacks, but not from inside a sandbox; so the real ones are installed
beforehand, once, with Pulumi's own command. What that command answered is remembered beside the tools.
"""

import os
import shutil
import subprocess
from importlib import metadata
from pathlib import Path

from sandbox import paths

STANDINS = Path(__file__).parent / "providers" / "bin"
_INSTALL_TIMEOUT = 180


def folder() -> Path:
    """Where Pulumi keeps installed plugins."""
    return Path(os.environ.get("PULUMI_HOME") or Path.home() / ".pulumi") / "plugins"


def standins(pulumi: Path) -> dict[str, Path]:
    """The stand-ins that are needed on this machine, by program name."""
    needed = {}
    for provider in ("kubernetes", "gcp"):
        if not present(provider) and not _install(pulumi, provider):
            program = f"pulumi-resource-{provider}"
            needed[program] = STANDINS / program
    return needed


def version(provider: str) -> str:
    """The version that goes with the SDK in uv.lock."""
    return metadata.version(f"pulumi-{provider}")


def present(provider: str) -> bool:
    """Whether the real plugin is on PATH or installed."""
    on_path = shutil.which(f"pulumi-resource-{provider}") is not None
    return on_path or (folder() / f"resource-{provider}-v{version(provider)}").is_dir()


def _install(pulumi: Path, provider: str) -> bool:
    refused = paths.cache() / "plugins" / f"{provider}-{version(provider)}.refused"
    if refused.exists():
        return False
    try:
        result = subprocess.run(
            [str(pulumi), "plugin", "install", "resource", provider, version(provider)],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_INSTALL_TIMEOUT, check=False,
            env=os.environ | {"PULUMI_SKIP_UPDATE_CHECK": "true"},
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return False  # Perhaps a slow network: worth another try next time.
    if result.returncode == 0:
        return True
    refused.parent.mkdir(parents=True, exist_ok=True)
    refused.write_text(result.stdout + result.stderr)
    return False
