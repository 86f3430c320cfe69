"""A container's root directory: the machine's files, except where the Pod mounts something.

There is no image, and an unprivileged user cannot write an overlay over `/`. So the root is a new directory on the
sandbox's tmpfs, whose entries link into `/.host`, where the whole machine is bound read-only. A directory above a mount
path is new as well, with links to the machine's other entries: `/etc/istio` or `/usr/local/bin/envoy` can exist without
a write to the machine.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

HOST = PurePosixPath("/.host")

_FRESH = ("/tmp", "/run", "/var")  # noqa: S108 - directories of the container
_OWN = ("/etc", "/var/run", *_FRESH)
_BOUND = ("/proc", "/dev", "/sys")


@dataclass(frozen=True)
class Mount:
    """A file or directory of the machine that appears in the container."""

    source: Path
    target: PurePosixPath
    read_only: bool = False


def on_host(path: Path) -> str:
    """Return the path of a file of the machine inside any container."""
    return f"{HOST}{path.resolve()}"


def build(
    root: Path,
    mounts: Iterable[Mount],
    *,
    links: Mapping[str, Path],
    files: Mapping[str, str],
    host: Path = Path("/"),
) -> None:
    """Create the root directory, except for the mounts themselves, which `start_script` makes.

    `links` and `files` have paths in the container, with the machine's file that appears there or the file's text.
    """
    targets = {mount.target for mount in mounts}
    created = {PurePosixPath(path) for path in (*links, *files)}
    own = {PurePosixPath(path) for path in _OWN}
    for path in (*targets, *created, *own.copy()):
        own |= set(path.parents)
    bound = {HOST, *map(PurePosixPath, _BOUND)}
    reserved = own | targets | created | bound
    for directory in sorted(own, key=lambda path: len(path.parts)):
        _within(root, directory).mkdir(parents=True, exist_ok=True)
        if not any(directory.is_relative_to(fresh) for fresh in _FRESH):
            _link_entries(root, directory, reserved, host)
    for path in bound:
        _within(root, path).mkdir()
    _within(root, PurePosixPath("/tmp")).chmod(0o1777)  # noqa: S108
    for name, target in links.items():
        _within(root, PurePosixPath(name)).symlink_to(on_host(target))
    for name, text in files.items():
        _within(root, PurePosixPath(name)).write_text(text)


def _within(root: Path, path: PurePosixPath) -> Path:
    return root / path.relative_to("/")


def _link_entries(root: Path, directory: PurePosixPath, reserved: set[PurePosixPath], host: Path) -> None:
    try:
        names = [entry.name for entry in _within(host, directory).iterdir()]
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return  # Pods do not need what the sandbox's user cannot list.
    for name in names:
        if directory / name not in reserved:
            _within(root, directory / name).symlink_to(f"{HOST}{directory / name}")


def start_script(
    root: Path,
    mounts: Sequence[Mount],
    argv: Sequence[str],
    env: Mapping[str, str],
    *,
    hostname: str,
) -> str:
    """Return the shell script that mounts everything and becomes the container's program.

    Run it in new mount and UTS namespaces. When everything is mounted, it replaces its standard input by /dev/null. No
    process remains beside the program, which dies with its parent.
    """
    quoted_root = shlex.quote(str(root))
    lines = [
        "set -eu",
        f"hostname {shlex.quote(hostname)}",
        f"cd {quoted_root}",
        "mount --rbind / .host",
        # Best effort: it fails where the machine's mount flags are locked.
        "mount -o remount,bind,ro .host 2>/dev/null || :",
        *(f"mount --rbind {path} .{path}" for path in _BOUND),
    ]
    # An inner mount follows the outer one, in which its target may have to be created.
    for mount in sorted(mounts, key=lambda mount: len(mount.target.parts)):
        source, target = shlex.quote(str(mount.source)), shlex.quote(f".{mount.target}")
        if mount.source.is_dir():
            lines.append(f"mkdir -p {target}")
        else:
            lines.append(f"mkdir -p {shlex.quote(f'.{mount.target.parent}')}; [ -e {target} ] || : > {target}")
        lines.append(f"mount --rbind {source} {target}")
        if mount.read_only:
            lines.append(f"mount -o remount,bind,ro {target}")
    lines.append("exec < /dev/null")
    lines.append(f"exec setpriv --pdeathsig KILL {shlex.join(run_in(root, argv, env))}")
    return "\n".join(lines) + "\n"


def run_in(root: Path, argv: Sequence[str], env: Mapping[str, str]) -> list[str]:
    """Return the argv that runs a program in a root directory with exactly these variables."""
    variables = (f"{name}={value}" for name, value in env.items())
    return ["chroot", str(root), "env", "-i", "--chdir=/", *variables, *argv]
