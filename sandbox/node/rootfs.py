"""A container's root directory: the machine's files, with places of the Pod's own wherever it mounts something.

An image's file system is not at hand and an overlay over `/` cannot be written by an unprivileged user, so the root is
a new directory (on the sandbox's tmpfs) whose entries are links into `/.host`, the whole machine bound there read-only.
A directory above a mount path is a new one too, with links to the machine's other entries of it: so
`/etc/istio` or `/usr/local/bin/envoy` can be there without anything being written to the machine.
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
    """Return where a file of the machine is seen from within a container, whatever else is mounted there."""
    return f"{HOST}{path.resolve()}"


def build(
    root: Path,
    mounts: Iterable[Mount],
    *,
    links: Mapping[str, Path],
    files: Mapping[str, str],
    working_dir: str = "/",
    host: Path = Path("/"),
) -> None:
    """Make the root directory, up to the mounts themselves.

    Args:
        root: a directory that does not exist yet.
        mounts: what will be mounted by `start_script`.
        links: path in the container -> the machine's file that appears there.
        files: path in the container -> its text.
        working_dir: made if it does not exist.
        host: the machine's root.
    """
    targets = {mount.target for mount in mounts}
    made = {PurePosixPath(path) for path in (*links, *files)}
    own = {PurePosixPath(path) for path in (*_OWN, working_dir)}
    for path in (*targets, *made, *own.copy()):
        own |= set(path.parents)
    taken = own | targets | made | {HOST, *map(PurePosixPath, _BOUND)}
    for directory in sorted(own, key=lambda path: len(path.parts)):
        _within(root, directory).mkdir(parents=True, exist_ok=True)
        if not any(directory.is_relative_to(fresh) for fresh in _FRESH):
            _link_entries(root, directory, taken, host)
    for path in (HOST, *(PurePosixPath(each) for each in _BOUND)):
        _within(root, path).mkdir()
    _within(root, PurePosixPath("/tmp")).chmod(0o1777)  # noqa: S108
    for name, target in links.items():
        _within(root, PurePosixPath(name)).symlink_to(on_host(target))
    for name, text in files.items():
        _within(root, PurePosixPath(name)).write_text(text)


def _within(root: Path, path: PurePosixPath) -> Path:
    return root / path.relative_to("/")


def _link_entries(root: Path, directory: PurePosixPath, taken: set[PurePosixPath], host: Path) -> None:
    try:
        names = [entry.name for entry in _within(host, directory).iterdir()]
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return  # What the sandbox's user cannot list has nothing for its Pods.
    for name in names:
        if directory / name not in taken:
            _within(root, directory / name).symlink_to(f"{HOST}{directory / name}")


def start_script(
    root: Path,
    mounts: Sequence[Mount],
    argv: Sequence[str],
    env: Mapping[str, str],
    *,
    hostname: str,
    working_dir: str = "/",
) -> str:
    """Return the shell script that mounts everything and becomes the container's program.

    It is to be run in mount and UTS namespaces of its own. When all is mounted, it puts /dev/null in the place of its
    standard input. No process is left beside the program, which dies with its parent.
    """
    quoted_root = shlex.quote(str(root))
    lines = [
        "set -eu",
        f"hostname {shlex.quote(hostname)}",
        f"cd {quoted_root}",
        "mount --rbind / .host",
        # A guard only: where the machine's mount flags are locked, the container could write where its user can.
        "mount -o remount,bind,ro .host 2>/dev/null || :",
        *(f"mount --rbind {path} .{path}" for path in _BOUND),
    ]
    # A mount within another one's target comes after it, and its own place may have to be made in there.
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
    lines.append(f"exec setpriv --pdeathsig KILL {shlex.join(run_in(root, argv, env, working_dir))}")
    return "\n".join(lines) + "\n"


def run_in(root: Path, argv: Sequence[str], env: Mapping[str, str], working_dir: str) -> list[str]:
    """Return the argv that runs a program in a root directory, with exactly these variables, in a directory there."""
    variables = (f"{name}={value}" for name, value in env.items())
    return ["chroot", str(root), "env", "-i", f"--chdir={working_dir}", *variables, *argv]
