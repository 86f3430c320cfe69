"""The mounts of a sandbox: a tmpfs over ``/run`` for all its files, and its resolver configuration."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from sandbox import paths
from sandbox.errors import SandboxError

RESOLVER = Path("/etc/resolv.conf")
_RUN = Path("/run")
_TIMEOUT = 10


def cover_run(programs: Mapping[str, Path], plugins: Path) -> None:
    """Cover ``/run`` with a tmpfs that has the sandbox's folders and links to its programs and to Pulumi's plugins.

    Raises:
        SandboxError: the kernel refused the mount.
    """
    _mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", str(_RUN))
    for folder in (paths.BIN, paths.LOGS, paths.CHARTS, paths.PULUMI_HOME, paths.PULUMI_STATE):
        folder.mkdir(parents=True)
    for name, target in programs.items():
        (paths.BIN / name).symlink_to(target)
    if plugins.is_dir():
        (paths.PULUMI_HOME / "plugins").symlink_to(plugins)


def cover_resolver(text: str) -> None:
    """Bind a file with this text over the machine's resolver configuration, once ``/run`` is covered.

    Raises:
        SandboxError: there is no file to cover, or the kernel refused the mount.
    """
    target = resolver_file()
    file = paths.RUN / "resolv.conf"
    file.write_text(text)
    _mount("--bind", str(file), str(target))


def resolver_file(link: Path = RESOLVER, run: Path = _RUN) -> Path:
    """Return the file behind ``/etc/resolv.conf``, which a bind mount has to cover.

    Many systems keep it below ``/run``, where it is created on the new tmpfs. Elsewhere nothing is created, since it
    would stay on the machine.

    Raises:
        SandboxError: the file does not exist and is not below `run`.
    """
    target = link.resolve()
    if target.is_file():
        return target
    if not target.is_relative_to(run.resolve()):
        raise SandboxError(f"{target} does not exist, so the sandbox cannot cover it. Create it: {fix(target)}")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.touch()
    return target


def resolver_can_be_covered() -> bool:
    """Return whether `cover_resolver` will succeed on this machine."""
    target = RESOLVER.resolve()
    return target.is_file() or target.is_relative_to(_RUN.resolve())


def fix(target: Path) -> str:
    """Return the command that creates an empty resolver configuration."""
    sudo = "" if os.geteuid() == 0 else "sudo "
    return f"{sudo}touch {target}"


def _mount(*arguments: str) -> None:
    done = subprocess.run(["mount", *arguments], capture_output=True, text=True, timeout=_TIMEOUT, check=False)
    if done.returncode:
        raise SandboxError(f"`mount {' '.join(arguments)}` failed: {done.stderr.strip()}")
