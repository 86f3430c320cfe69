"""Which provider plugins the engine will use: the real ones, or our stand-ins where those cannot be had.

The engine downloads a plugin that it lacks, but not from inside a sandbox; so the real ones are installed beforehand,
with Pulumi's own command. One that is on PATH is linked into the sandbox, so that it is found there whatever PATH a
later command has. A stand-in takes its place only for as long as a download is refused: each start tries again.
"""

import os
import subprocess
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from pathlib import Path

from sandbox import paths

PROVIDERS = ("kubernetes", "gcp")
STANDINS = Path(__file__).parent / "providers" / "bin"

INSTALL_TIMEOUT = 180.0
"""Seconds for one download."""
STALL_TIMEOUT = 10.0
"""Seconds without a byte after which a download is given up."""
_LOOK = 0.1
_FAILURE = b"Error downloading plugin"
"""What the engine says of each attempt that failed."""


def folder() -> Path:
    """Where Pulumi keeps installed plugins."""
    return Path(os.environ.get("PULUMI_HOME") or Path.home() / ".pulumi") / "plugins"


def provide(pulumi: Path) -> dict[str, Path]:
    """The programs to link into a sandbox, by name: plugins on PATH, and stand-ins for what cannot be had.

    Plugins that are, or can be, installed in Pulumi's home are not among them: the engine finds those by itself.
    """
    absent = [provider for provider in PROVIDERS if not present(provider)]
    with ThreadPoolExecutor(len(PROVIDERS)) as pool:
        installed = dict(zip(absent, pool.map(lambda provider: _install(pulumi, provider), absent), strict=True))
    programs = {}
    for provider in PROVIDERS:
        name = f"pulumi-resource-{provider}"
        if found := _on_path(provider):
            programs[name] = found
        elif installed.get(provider) is False:
            programs[name] = STANDINS / name
    return programs


def is_standin(program: Path) -> bool:
    """Whether a program is one of ours."""
    return program.resolve().is_relative_to(STANDINS.resolve())


def version(provider: str) -> str:
    """The version that goes with the SDK in uv.lock."""
    return metadata.version(f"pulumi-{provider}")


def present(provider: str) -> bool:
    """Whether the real plugin is on PATH or installed."""
    return _on_path(provider) is not None or _installed(provider)


def _on_path(provider: str) -> Path | None:
    found = paths.program(f"pulumi-resource-{provider}")
    return found if found and not is_standin(found) else None


def _installed(provider: str) -> bool:
    return (folder() / f"resource-{provider}-v{version(provider)}").is_dir()


def _install(pulumi: Path, provider: str) -> bool:
    refused = paths.cache() / "plugins" / f"{provider}-{version(provider)}.refused"
    # The engine leaves what it has downloaded so far among the temporary files when it is stopped.
    with (
        tempfile.TemporaryDirectory(prefix="pulumi-plugin-") as scratch,
        subprocess.Popen(
            [str(pulumi), "plugin", "install", "resource", provider, version(provider)],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            env=os.environ | {"PULUMI_SKIP_UPDATE_CHECK": "true", "TMPDIR": scratch},
        ) as process,
    ):  # fmt: skip
        # It tries five times, for which a machine that was refused the last time need not wait.
        _follow(process, retries=not refused.exists())
        process.kill()
    if process.returncode == 0:
        refused.unlink(missing_ok=True)
        return True
    refused.parent.mkdir(parents=True, exist_ok=True)
    refused.touch()
    return False


def _follow(process: "subprocess.Popen[bytes]", *, retries: bool) -> None:
    """Return when a download has ended, stalls, takes too long, or has failed once where that is enough."""
    assert process.stderr is not None  # noqa: S101 - PIPE was asked for
    deadline = time.monotonic() + INSTALL_TIMEOUT
    os.set_blocking(process.stderr.fileno(), False)
    said, read, moved = b"", 0, time.monotonic()
    while process.poll() is None:
        time.sleep(_LOOK)
        said += process.stderr.read() or b""
        now, sofar = time.monotonic(), _bytes_read(process.pid)
        if sofar != read:
            read, moved = sofar, now
        if now > min(deadline, moved + STALL_TIMEOUT) or (not retries and _FAILURE in said):
            return


def _bytes_read(pid: int) -> int:
    """What a process has read so far, from files and connections (proc_pid_io(5))."""
    try:
        first, *_ = Path(f"/proc/{pid}/io").read_text().splitlines()
    except OSError:
        return 0  # It has ended meanwhile.
    return int(first.removeprefix("rchar: "))
