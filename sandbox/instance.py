"""A running sandbox, seen from outside: find it by name, send requests, run commands inside, end it.

The name of a sandbox is an abstract Unix socket, which the kernel frees when the last process that holds it has ended.
The first process of the sandbox's PID namespace listens there, and the socket's peer credentials are its process id.
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

from sandbox import control, paths
from sandbox.errors import SandboxError
from sandbox.messages import Plan, Status

CONTROL = paths.RUN / "control.sock"
"""The same service for processes inside, which do not see abstract names of outside."""

NAMESPACES = ("--user", "--map-root-user", "--net", "--mount", "--pid", "--fork", "--mount-proc")
"""The namespaces of a sandbox, as options of `unshare`. Their root is the user who starts it: no rights are needed."""

_DOWN_TIMEOUT = 30.0
_POLL = 0.01
_STATUS_POLL = 0.1


def _address(name: str) -> str:
    return f"\0istio-sandbox/{os.geteuid()}/{name}"


@dataclass(frozen=True)
class Instance:
    """A running sandbox."""

    name: str
    pid: int
    """The first process, in the caller's PID namespace; 0 if the caller is inside the sandbox itself."""

    @classmethod
    def find(cls, name: str) -> "Instance | None":
        """Return the sandbox with a name, or None if it does not run.

        Raises:
            SandboxError: another user holds the name.
        """
        with suppress(ConnectionRefusedError), control.connect(_address(name)) as connection:
            pid, _ = control.peer(connection)
            return cls(name, pid)
        if os.environ.get("SANDBOX") == name and CONTROL.exists():
            return cls(name, 0)
        return None

    @classmethod
    def require(cls, name: str) -> "Instance":
        """Return the sandbox with a name.

        Raises:
            SandboxError: it does not run, or another user holds the name.
        """
        instance = cls.find(name)
        if instance is None:
            raise SandboxError(f"No sandbox named {name!r} runs. Start one: {paths.COMMAND} --name {name} up")
        return instance

    def request(self, verb: str, part: str | None = None) -> Status:
        """Send a request - status, or stop, kill or start a part - and return the status after it.

        Raises:
            SandboxError: the sandbox refused, did not answer in time, or has ended.
        """
        address = str(CONTROL) if self.pid == 0 else _address(self.name)
        try:
            return Status.load(control.ask(address, {"verb": verb, "part": part}))
        except OSError:
            raise SandboxError(f"Sandbox {self.name!r} has ended.") from None

    def command(self, argv: Sequence[str], cwd: Path) -> list[str]:
        """Return the command line that runs `argv` inside, in the folder `cwd`."""
        if self.pid == 0:
            return list(argv)
        enter = ["nsenter", f"--target={self.pid}", "--preserve-credentials"]
        enter += ["--user", "--net", "--mount", "--pid", "--"]
        # nsenter's --wd opens the folder outside, where /run differs.
        return [*enter, "sh", "-c", 'cd "$0" && exec "$@"', str(cwd), *argv]

    def environment(self) -> dict[str, str]:
        """Return the environment of a command inside: the caller's, with the sandbox's tools, cluster and backend."""
        return inside_environment(os.environ, self.name)

    def end(self) -> None:
        """End every process of the sandbox, and with them its mounts and files; return when they have ended.

        Raises:
            SandboxError: the caller is inside, or the sandbox did not end in time.
        """
        if self.pid == 0:
            raise SandboxError(f"Sandbox {self.name!r} can only be ended from outside it: `{paths.COMMAND} down`.")
        try:
            handle = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return  # Another process has ended it meanwhile.
        try:
            # The kernel ends the rest with the first process. SIGTERM may go unnoticed: Python runs its handler in the
            # main thread, which the signal may not wake.
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(handle, signal.SIGKILL)
            if select.select([handle], [], [], _DOWN_TIMEOUT)[0]:
                self._await_name()
                return
        finally:
            os.close(handle)
        raise SandboxError(f"Sandbox {self.name!r} (process {self.pid}) did not end within {_DOWN_TIMEOUT:.0f} s.")

    def _await_name(self) -> None:
        """Return when the name is free: `unshare` holds it too, and ends after the first process."""
        deadline = time.monotonic() + _DOWN_TIMEOUT
        while self.name in _held() and time.monotonic() < deadline:
            time.sleep(_POLL)


def names() -> list[str]:
    """Return the names of this user's sandboxes, including those that are starting."""
    return sorted(name for name in _held() if _is_ours(name))


def _held() -> set[str]:
    """Return the names that processes of any user hold."""
    prefix = "@" + _address("")[1:]
    paths_in_use = (line.split()[-1] for line in Path("/proc/net/unix").read_text().splitlines()[1:])
    return {path.removeprefix(prefix) for path in paths_in_use if path.startswith(prefix)}


def _is_ours(name: str) -> bool:
    try:
        control.connect(_address(name)).close()
    except ConnectionRefusedError:
        return True  # It does not listen yet.
    except SandboxError:
        return False
    return True


def inside_environment(base: Mapping[str, str], name: str) -> dict[str, str]:
    """Return `base` with the variables by which a command inside finds the tools, the cluster and Pulumi's backend."""
    system = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    dropped = {
        "PYTHONHOME", "http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY",
        # Without bytecode files Python compiles the kubernetes client in every command: a preview takes 7.5 s, not 3.2.
        "PYTHONDONTWRITEBYTECODE",
    }  # fmt: skip
    return {key: value for key, value in base.items() if key not in dropped} | {
        "SANDBOX": name,
        "PATH": os.pathsep.join([str(paths.BIN), str(paths.VENV_BIN), base.get("PATH", system), "/usr/sbin:/sbin"]),
        # Pulumi's Python language host runs the `python` on PATH and reads this.
        "VIRTUAL_ENV": str(paths.VENV_BIN.parent),
        "KUBECONFIG": str(paths.KUBECONFIG),
        # Keeps the caches of kubectl and helm out of the user's home.
        "KUBECACHEDIR": str(paths.RUN / "cache" / "kube"),
        "HELM_CACHE_HOME": str(paths.RUN / "cache" / "helm"),
        "HELM_CONFIG_HOME": str(paths.RUN / "helm"),
        "HELM_DATA_HOME": str(paths.RUN / "helm"),
        "PULUMI_HOME": str(paths.PULUMI_HOME),
        "PULUMI_BACKEND_URL": f"file://{paths.PULUMI_STATE}",
        # Protects nothing: the state ends with the sandbox, and the configuration has no secrets.
        "PULUMI_CONFIG_PASSPHRASE": "sandbox",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
    }


def start(name: str, plan: Plan, timeout: float) -> Iterator[Status]:
    """Start a sandbox and yield its status whenever it has changed; it is up when the iteration ends.

    Raises:
        SandboxError: the name is in use, a part did not start, or there was no progress for `timeout` seconds. Nothing
            is left running then, unless the plan says to keep a failed sandbox.
    """
    listener = socket.socket(socket.AF_UNIX)
    try:
        listener.bind(_address(name))
    except OSError:
        listener.close()
        raise SandboxError(f"A sandbox named {name!r} is starting or running already.") from None
    process = subprocess.Popen(
        ["unshare", *NAMESPACES, "--kill-child", sys.executable, "-m", "sandbox.init", name, str(listener.fileno())],
        cwd=paths.PROJECT,
        env=inside_environment(os.environ, name),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        pass_fds=(listener.fileno(),),
        start_new_session=True,
    )
    listener.close()
    stays = False
    assert process.stdin is not None and process.stderr is not None  # noqa: S101, PT018 - PIPE was asked for
    try:
        with suppress(BrokenPipeError):
            process.stdin.write(plan.dump() + b"\n")
            process.stdin.flush()
        for status in _statuses(name, process, timeout):
            if status.state == "failed":
                stays = plan.keep
                raise SandboxError(status.reason)
            stays = status.state == "up"
            yield status
            if stays:
                return
        output = process.stderr.read().decode(errors="replace").strip()
        raise SandboxError(f"The sandbox ended before it was up.\n{output}".rstrip())
    finally:
        # The sandbox ends with its stdin, unless it is up or to be kept.
        with suppress(BrokenPipeError):
            process.stdin.close()
        process.stderr.close()
        if not stays:
            process.kill()
            process.wait()


def _statuses(name: str, process: "subprocess.Popen[bytes]", timeout: float) -> Iterator[Status]:
    """Yield the status of a sandbox whenever it has changed, until its process has ended."""
    last, moved = None, time.monotonic()
    while process.poll() is None:
        with suppress(OSError, SandboxError):  # It does not listen yet, or has just ended.
            status = Status.load(control.ask(_address(name), {"verb": "status"}))
            if (status.state, status.stages) != last:
                last, moved = (status.state, status.stages), time.monotonic()
                yield status
        if time.monotonic() > moved + timeout:
            raise SandboxError(f"The sandbox made no progress for {timeout:.0f} s.")
        time.sleep(_STATUS_POLL)
