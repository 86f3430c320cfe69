"""Which provider plugins the engine uses: the real ones, or the sandbox's stand-ins.

The engine downloads a missing plugin, but cannot do so inside a sandbox. So the real ones are installed beforehand,
with Pulumi's own command. A plugin on PATH is linked into the sandbox, where the engine finds it whatever PATH a later
command has. A stand-in is used only while a download fails: each start tries again.
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
_POLL = 0.1
_FAILURE = b"Error downloading plugin"
"""What the engine prints after each failed attempt."""


def folder() -> Path:
    """Return the folder in which Pulumi keeps installed plugins."""
    return Path(os.environ.get("PULUMI_HOME") or Path.home() / ".pulumi") / "plugins"


def provide(pulumi: Path) -> dict[str, Path]:
    """Install the missing plugins, and return the programs to link into a sandbox, by name.

    These are plugins on PATH, and stand-ins for plugins that cannot be installed. The engine finds the plugins in
    Pulumi's home by itself.
    """
    absent = [provider for provider in PROVIDERS if not present(provider)]
    with ThreadPoolExecutor(len(PROVIDERS)) as pool:
        installed = dict(zip(absent, pool.map(lambda provider: _install(pulumi, provider), absent), strict=True))
    programs = {}
    for provider in PROVIDERS:
        name = f"pulumi-resource-{provider}"
        if program := _on_path(provider):
            programs[name] = program
        elif installed.get(provider) is False:
            programs[name] = STANDINS / name
    return programs


def is_standin(program: Path) -> bool:
    """Say whether a program is one of the sandbox's stand-ins."""
    return program.resolve().is_relative_to(STANDINS.resolve())


def version(provider: str) -> str:
    """Return the version that goes with the SDK in uv.lock."""
    return metadata.version(f"pulumi-{provider}")


def present(provider: str) -> bool:
    """Say whether the real plugin is on PATH or installed."""
    return _on_path(provider) is not None or (folder() / f"resource-{provider}-v{version(provider)}").is_dir()


def _on_path(provider: str) -> Path | None:
    program = paths.program(f"pulumi-resource-{provider}")
    return program if program and not is_standin(program) else None


def _install(pulumi: Path, provider: str) -> bool:
    refused = paths.cache() / "plugins" / f"{provider}-{version(provider)}.refused"
    # The engine leaves a partial download among the temporary files when it is stopped.
    with (
        tempfile.TemporaryDirectory(prefix="pulumi-plugin-") as scratch,
        subprocess.Popen(
            [str(pulumi), "plugin", "install", "resource", provider, version(provider)],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            env=os.environ | {"PULUMI_SKIP_UPDATE_CHECK": "true", "TMPDIR": scratch},
        ) as process,
    ):  # fmt: skip
        # It makes five attempts; a machine on which the last download failed does not wait for all of them.
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
    output, read, moved = b"", 0, time.monotonic()
    while process.poll() is None:
        time.sleep(_POLL)
        output += process.stderr.read() or b""
        now, so_far = time.monotonic(), _bytes_read(process.pid)
        if so_far != read:
            read, moved = so_far, now
        if now > min(deadline, moved + STALL_TIMEOUT) or (not retries and _FAILURE in output):
            return


def _bytes_read(pid: int) -> int:
    """Return the number of bytes that a process has read, from files and connections (proc_pid_io(5))."""
    try:
        first, *_ = Path(f"/proc/{pid}/io").read_text().splitlines()
    except OSError:
        return 0  # it has just ended
    return int(first.removeprefix("rchar: "))
