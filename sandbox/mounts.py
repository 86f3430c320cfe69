"""What a sandbox's mount namespace has of its own: a tmpfs over ``/run`` with everything in it, and a resolver."""

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
    """Cover ``/run`` with a tmpfs and fill it: folders, links to the programs, Pulumi's home.

    Args:
        programs: the programs by name, as commands inside find them.
        plugins: where Pulumi's installed plugins are; may be missing.

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
    """Bind a file with this text over the machine's resolver configuration; call it when ``/run`` is covered.

    Raises:
        SandboxError: there is no file to cover, or the kernel refused the mount.
    """
    target = resolver_file()
    ours = paths.RUN / "resolv.conf"
    ours.write_text(text)
    _mount("--bind", str(ours), str(target))


def resolver_file(link: Path = RESOLVER, run: Path = _RUN) -> Path:
    """The file that programs read as ``/etc/resolv.conf``, which is what a bind mount has to cover.

    Many systems keep it below ``/run``, where a new tmpfs does not have it: there it is made. Anywhere else nothing
    is made, since that would stay on the machine, and only its root could.

    Args:
        link: the file or link that programs open.
        run: the folder whose content ends with the sandbox.

    Raises:
        SandboxError: the file does not exist, and is not below `run`.
    """
    target = link.resolve()
    if target.is_file():
        return target
    if not target.is_relative_to(run.resolve()):
        raise SandboxError(f"{target} does not exist, so that the sandbox cannot cover it. Make it: {fix(target)}")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.touch()
    return target


def resolver_can_be_covered() -> bool:
    """Whether `cover_resolver` will find a file, asked outside a sandbox."""
    target = RESOLVER.resolve()
    return target.is_file() or target.is_relative_to(_RUN.resolve())


def fix(target: Path) -> str:
    """The command that makes a missing resolver configuration, empty as it was."""
    sudo = "" if os.geteuid() == 0 else "sudo "
    return f"{sudo}touch {target}"


def _mount(*arguments: str) -> None:
    done = subprocess.run(["mount", *arguments], capture_output=True, text=True, timeout=_TIMEOUT, check=False)
    if done.returncode:
        raise SandboxError(f"`mount {' '.join(arguments)}` failed: {done.stderr.strip()}")
