"""The parts that are killed, and how each starts again: by itself, by its supervisor, or through the sandbox."""

import os
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sandbox.acme import STAGING
from sandbox.instance import Instance
from sandbox.testing import Command, eventually, get, kubectl
from tests.faults import draw

BACK = 90.0
"""Seconds for a part to serve again."""
_REFUSED = r"connection refused|connection reset|no route to host|EOF|timed? ?out|deadline exceeded"
_API_SERVER = (
    rf"6443\b.*({_REFUSED})|({_REFUSED}).*6443\b|unreachable cluster|etcdserver: |ServiceUnavailable"
    "|request did not complete within"
)
_NOT_SIGNED = r"(faults-certs|letsencrypt-(staging|prod)-istio) is not Ready:"
CAUSES = {
    draw.ENGINE: r"$^",  # A process that was killed says nothing.
    # The engine calls its plugins by their connections.
    draw.LANGUAGE_HOST: r"error reading from server: EOF|transport: Error while dialing: dial tcp 127\.0\.0\.1:",
    draw.CERT_MANAGER: rf'{_NOT_SIGNED}|failed calling webhook "webhook\.cert-manager\.io"',
    draw.ISTIOD: r'failed calling webhook "[\w.-]*validation\.istio\.io"',
    draw.GATEWAY: r"Challenge for (shop|other)\.sandbox\.test: ",
    draw.API_SERVER: _API_SERVER,
    draw.ETCD: _API_SERVER,
    draw.ACME: r"the ACME server (does not know|has not taken it)|acme:error:|:14000/\S+ .*connection refused",
    draw.DNS: r"cannot reach Cloud DNS at http://127\.0\.0\.1:8053|lookup \S+ on 10\.244\.0\.1:53|acme:error:dns",
}
"""Patterns of the words with which a failed operation names each part."""


@dataclass(frozen=True)
class Victim:
    """A part that is killed.

    Attributes:
        name: As in `draw`.
        kill: Kills it at once, given Pulumi's running command; returns whether it ran.
        bring_back: Returns when it serves again; starts it if nothing else does.
        settle: Called between rounds: a Pod's restarts get slower, so a restarted one is replaced.
    """

    name: str
    kill: Callable[[Command | None], bool]
    bring_back: Callable[[], None]
    settle: Callable[[], None] = lambda: None

    @property
    def cause(self) -> str:
        """A pattern of the words with which a failed operation names it."""
        return CAUSES[self.name]


def processes(program: str, *arguments: str, parent: int | None = None) -> list[int]:
    """Return the ids of processes that run a program with these first arguments, of one parent or of all."""
    pids = []
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            argv = (entry / "cmdline").read_text().split("\0")
            runs = Path(argv[0]).name == program and tuple(argv[1 : 1 + len(arguments)]) == arguments
            if runs and (parent is None or _parent(entry) == parent):
                pids.append(int(entry.name))
    return pids


def _parent(process: Path) -> int:
    # After the program's name, which may hold anything up to the last parenthesis: proc_pid_stat(5).
    return int((process / "stat").read_text().rpartition(")")[2].split()[1])


def send(pids: Sequence[int], number: signal.Signals) -> bool:
    """Send a signal to processes; return whether there was one."""
    sent = False
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)
            sent = True
    return sent


def _part(name: str, part: str) -> Victim:
    sandbox = Instance.require(os.environ["SANDBOX"])

    def kill(_: Command | None) -> bool:
        sandbox.request("kill", part)
        return True

    def bring_back() -> None:
        sandbox.request("start", part)

    return Victim(name, kill, bring_back)


def _pod(name: str, namespace: str, deployment: str, argv: Sequence[str]) -> Victim:
    def available() -> bool:
        status = (get("deployment", deployment, namespace) or {}).get("status", {})
        return bool(status.get("availableReplicas")) and not status.get("unavailableReplicas")

    def bring_back() -> None:
        # It may not exist: during the first `up`, or after a destroy.
        if get("deployment", deployment, namespace):
            eventually(f"{name} runs again", lambda: processes(*argv), BACK)
            eventually(f"{name} is available", available, BACK)

    def settle() -> None:
        if get("deployment", deployment, namespace):
            kubectl("rollout", "restart", f"deployment/{deployment}", "--namespace", namespace)
            kubectl("rollout", "status", f"deployment/{deployment}", "--namespace", namespace, f"--timeout={BACK:.0f}s")

    return Victim(name, lambda _: send(processes(*argv), signal.SIGKILL), bring_back, settle)


def _kill_engine(command: Command | None) -> bool:
    if command is None or not command.runs:
        return False
    command.signal(signal.SIGKILL)
    return True


def _kill_language_host(command: Command | None) -> bool:
    if command is None:
        return False
    # Not by the process group: the engine gives each plugin its own, so that Ctrl-C does not reach it.
    return send(processes("pulumi-language-python", parent=command.pid), signal.SIGKILL)


def roster() -> dict[str, Victim]:
    """Return every victim by its name."""
    every = [
        Victim(draw.ENGINE, _kill_engine, lambda: None),
        Victim(draw.LANGUAGE_HOST, _kill_language_host, lambda: None),
        _pod(draw.CERT_MANAGER, "cert-manager", "cert-manager", ("cert-manager-controller",)),
        _pod(draw.ISTIOD, "istio-system", "istiod", ("pilot-discovery",)),
        _pod(draw.GATEWAY, "istio-system", "istio-ingressgateway", ("envoy",)),
        _part(draw.API_SERVER, "kube-apiserver"),
        _part(draw.ETCD, "etcd"),
        _part(draw.ACME, STAGING.part),
        _part(draw.DNS, "cloud-dns"),
    ]
    return {victim.name: victim for victim in every}


def wait_for(seconds: float, over: Callable[[], bool]) -> None:
    """Return after so many seconds, or when the operation is over."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and not over():
        time.sleep(0.05)
