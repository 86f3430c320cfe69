"""A running sandbox, seen from outside: found by name, asked, entered and ended.

A sandbox leaves no file by which it could be found. Its name is an abstract Unix socket, which the kernel
frees when the last process that holds it is gone; the first process of its PID namespace listens there, and
the socket's peer credentials are that process's id out here.
"""

import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sandbox import control, messages, paths
from sandbox.errors import SandboxError
from sandbox.messages import Event, Failed, Status, Up
from sandbox.plan import Plan

CONTROL = paths.RUN / "control.sock"
"""The same service as the abstract socket, for a process inside, which sees another set of abstract names."""

NAMESPACES = ("--user", "--map-root-user", "--net", "--mount", "--pid", "--fork", "--mount-proc")
"""What `unshare` makes for a sandbox. Its root is the user who starts it, so that no rights are needed."""

_DOWN_TIMEOUT = 30.0
_POLL = 0.01


def _address(name: str) -> str:
    return f"\0istio-gateway-tls/{os.geteuid()}/{name}"


@dataclass(frozen=True)
class Instance:
    """A sandbox that runs."""

    name: str
    pid: int
    """Its first process, in the caller's PID namespace; 0 when the caller is inside the sandbox itself."""

    @classmethod
    def find(cls, name: str) -> "Instance | None":
        """The sandbox of that name, or None when none runs.

        Raises:
            SandboxError: another user holds its name.
        """
        with suppress(ConnectionRefusedError), control.connect(_address(name)) as connection:
            pid, _ = control.peer(connection)
            return cls(name, pid)
        if os.environ.get("SANDBOX") == name and CONTROL.exists():
            return cls(name, 0)
        return None

    @classmethod
    def require(cls, name: str) -> "Instance":
        """The sandbox of that name.

        Raises:
            SandboxError: none runs, or another user holds its name.
        """
        found = cls.find(name)
        if found is None:
            raise SandboxError(f"No sandbox named {name!r} runs. Start one: python -m sandbox --name {name} up")
        return found

    def request(self, verb: str, part: str | None = None) -> Status:
        """Ask the sandbox's first process, which answers with its status when it has done what the verb says.

        Verbs are status, and stop, kill and start (of a part).

        Raises:
            SandboxError: it refused, with its own words, or did not answer in time.
        """
        address = str(CONTROL) if self.pid == 0 else _address(self.name)
        try:
            return Status.load(control.ask(address, {"verb": verb, "part": part}))
        except OSError:
            raise SandboxError(f"Sandbox {self.name!r} has ended.") from None

    def command(self, argv: Sequence[str], cwd: Path) -> list[str]:
        """The command line that runs `argv` inside, in the folder `cwd`."""
        if self.pid == 0:
            return list(argv)
        enter = ["nsenter", f"--target={self.pid}", "--preserve-credentials"]
        enter += ["--user", "--net", "--mount", "--pid", "--"]
        # nsenter's own --wd opens the folder outside, where /run is another one.
        return [*enter, "sh", "-c", 'cd "$0" && exec "$@"', str(cwd), *argv]

    def environment(self) -> dict[str, str]:
        """The environment of a command inside: the caller's, with the sandbox's tools, cluster and backend."""
        return inside_environment(os.environ, self.name)

    def end(self) -> None:
        """End every process of the sandbox and return when they are gone; mounts and files end with them.

        Raises:
            SandboxError: it is still there after SIGKILL, or this is a process of its own.
        """
        if self.pid == 0:
            raise SandboxError(f"Sandbox {self.name!r} is ended from outside, not by a command inside.")
        try:
            handle = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return  # Somebody else has ended it since it was found.
        try:
            # The kernel ends the rest with the first process, which has nothing to do before it. SIGTERM may pass it
            # by: Python runs a handler in the main thread, which waits on where the signal did not wake it.
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(handle, signal.SIGKILL)
            if select.select([handle], [], [], _DOWN_TIMEOUT)[0]:
                self._await_name()
                return
        finally:
            os.close(handle)
        raise SandboxError(f"Sandbox {self.name!r} (process {self.pid}) did not end within {_DOWN_TIMEOUT:.0f} s.")

    def _await_name(self) -> None:
        """Return when the name is free: what has started the first process holds it too, until it has seen it end."""
        deadline = time.monotonic() + _DOWN_TIMEOUT
        while self.name in _held() and time.monotonic() < deadline:
            time.sleep(_POLL)


def names() -> list[str]:
    """The names of this user's sandboxes, those that are still starting included."""
    return sorted(name for name in _held() if _is_ours(name))


def _held() -> set[str]:
    """The names that some process holds."""
    prefix = "@" + _address("")[1:]
    paths_in_use = (line.split()[-1] for line in Path("/proc/net/unix").read_text().splitlines()[1:])
    return {path.removeprefix(prefix) for path in paths_in_use if path.startswith(prefix)}


def _is_ours(name: str) -> bool:
    try:
        control.connect(_address(name)).close()
    except ConnectionRefusedError:
        return True  # Whoever holds it does not listen yet.
    except SandboxError:
        return False
    return True


def inside_environment(base: Mapping[str, str], name: str) -> dict[str, str]:
    """`base` with what a command inside the sandbox needs to find its tools, cluster and Pulumi backend."""
    system = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    dropped = {
        "PYTHONHOME", "http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY",
        # Without its bytecode Python compiles the kubernetes client at each command: a preview takes 7.5 s, not 3.2.
        "PYTHONDONTWRITEBYTECODE",
    }  # fmt: skip
    return {key: value for key, value in base.items() if key not in dropped} | {
        "SANDBOX": name,
        "PATH": os.pathsep.join([str(paths.BIN), str(paths.VENV_BIN), base.get("PATH", system), "/usr/sbin:/sbin"]),
        # Pulumi's Python language host runs the `python` on PATH and reads this.
        "VIRTUAL_ENV": str(paths.VENV_BIN.parent),
        "KUBECONFIG": str(paths.KUBECONFIG),
        # kubectl and helm would keep what they learn of this cluster in the user's home.
        "KUBECACHEDIR": str(paths.RUN / "cache" / "kube"),
        "HELM_CACHE_HOME": str(paths.RUN / "cache" / "helm"),
        "HELM_CONFIG_HOME": str(paths.RUN / "helm"),
        "HELM_DATA_HOME": str(paths.RUN / "helm"),
        "PULUMI_HOME": str(paths.PULUMI_HOME),
        "PULUMI_BACKEND_URL": f"file://{paths.PULUMI_STATE}",
        # Protects nothing: the stack's state ends with the sandbox, and its configuration holds no secret.
        "PULUMI_CONFIG_PASSPHRASE": "sandbox",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
    }


def start(name: str, plan: Plan, timeout: float) -> Iterator[Event]:
    """Start a sandbox and yield what it says; it is up when the iteration ends.

    Args:
        name: what to find it by.
        plan: what it is made of.
        timeout: seconds in which there has to be some progress.

    Raises:
        SandboxError: the name is taken, or a part did not come up; nothing is left running then, unless the
            plan says to keep what failed.
    """
    listener = socket.socket(socket.AF_UNIX)
    try:
        listener.bind(_address(name))
    except OSError:
        listener.close()
        raise SandboxError(f"A sandbox named {name!r} is starting or running already.") from None
    read_end, write_end = os.pipe()
    init = [sys.executable, "-m", "sandbox.init", name, str(listener.fileno()), str(write_end)]
    process = subprocess.Popen(
        ["unshare", *NAMESPACES, "--kill-child", *init],
        cwd=paths.PROJECT,
        env=inside_environment(os.environ, name),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        pass_fds=(listener.fileno(), write_end),
        start_new_session=True,
    )
    listener.close()
    os.close(write_end)
    stays = False
    assert process.stdin is not None and process.stderr is not None  # noqa: S101, PT018 - PIPE was asked for
    try:
        with suppress(BrokenPipeError), process.stdin:
            process.stdin.write(plan.dump())
        for event in messages.read(read_end, timeout):
            if isinstance(event, Failed):
                stays = plan.keep
                raise SandboxError(event.reason)
            stays = isinstance(event, Up)
            yield event
            if stays:
                return
        process.wait(_DOWN_TIMEOUT)
        words = process.stderr.read().decode(errors="replace").strip()
        raise SandboxError(f"The sandbox ended before it was up.\n{words}".rstrip())
    finally:
        os.close(read_end)
        process.stderr.close()
        if not stays:
            process.kill()
            process.wait()
