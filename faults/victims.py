"""What is killed, and how it comes back: by itself, by what watches over it, or as the sandbox starts it."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from faults import draw
from sandbox.acme import STAGING
from sandbox.instance import Instance
from tests.sandbox.engine import Command
from tests.sandbox.support import eventually, get, kubectl

BACK = 90.0
"""Seconds for a part to serve again."""
_REFUSED = r"connection refused|connection reset|no route to host|EOF|timed? ?out|deadline exceeded|unreachable"


@dataclass(frozen=True)
class Victim:
    """One that is killed.

    Attributes:
        name: As in `draw`.
        kill: Kills it at once, given the command of Pulumi that runs; returns whether there was something to kill.
        bring_back: Returns when it serves again; starts it where nothing else does.
        cause: A pattern of the words by which a failure of the operation names it.
        settle: Called between rounds: a Pod's restarts are slower each time, so one that was restarted is replaced.
    """

    name: str
    kill: Callable[[Command | None], bool]
    bring_back: Callable[[], None]
    cause: str
    settle: Callable[[], None] = lambda: None


def processes(program: str, *arguments: str, group: int | None = None) -> list[int]:
    """Return the processes that run a program with these first arguments, of one process group or of all."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            argv = (entry / "cmdline").read_text().split("\0")
            pid = int(entry.name)
            ours = Path(argv[0]).name == program and tuple(argv[1 : 1 + len(arguments)]) == arguments
            if ours and (group is None or os.getpgid(pid) == group):
                found.append(pid)
    return found


def send(pids: Sequence[int], number: signal.Signals) -> bool:
    """Send a signal to processes; return whether there was one."""
    sent = False
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)
            sent = True
    return sent


def _part(name: str, part: str, cause: str, *, back: Callable[[], None] = lambda: None) -> Victim:
    sandbox = Instance.require(os.environ["SANDBOX"])

    def kill(_: Command | None) -> bool:
        sandbox.request("kill", part)
        return True

    def bring_back() -> None:
        sandbox.request("start", part)
        back()

    return Victim(name, kill, bring_back, cause)


def _pod(name: str, namespace: str, deployment: str, argv: Sequence[str], cause: str) -> Victim:
    def available() -> bool:
        status = (get("deployment", deployment, namespace) or {}).get("status", {})
        return bool(status.get("availableReplicas")) and not status.get("unavailableReplicas")

    def bring_back() -> None:
        # In an `up` from nothing it may not be there yet, and in a destroy no more.
        if get("deployment", deployment, namespace):
            eventually(f"{name} runs again", lambda: processes(*argv), BACK)
            eventually(f"{name} is available", available, BACK)

    def settle() -> None:
        if get("deployment", deployment, namespace):
            kubectl("rollout", "restart", f"deployment/{deployment}", "--namespace", namespace)
            kubectl("rollout", "status", f"deployment/{deployment}", "--namespace", namespace, f"--timeout={BACK:.0f}s")

    return Victim(name, lambda _: send(processes(*argv), signal.SIGKILL), bring_back, cause, settle)


def _kill_engine(command: Command | None) -> bool:
    if command is None or not command.runs:
        return False
    command.signal(signal.SIGKILL)
    return True


def _kill_language_host(command: Command | None) -> bool:
    if command is None:
        return False
    return send(processes("pulumi-language-python", group=command.group), signal.SIGKILL)


def roster() -> dict[str, Victim]:
    """Return every victim by its name."""
    kubernetes = rf"{_REFUSED}|etcdserver|6443|ServiceUnavailable|handshake"
    certificates = r"is not Ready|webhook|cert-manager|" + _REFUSED
    every = [
        Victim(draw.ENGINE, _kill_engine, lambda: None, "killed"),
        Victim(draw.LANGUAGE_HOST, _kill_language_host, lambda: None, r"language|plugin|exit|rpc error|EOF"),
        _pod(draw.CERT_MANAGER, "cert-manager", "cert-manager", ("cert-manager", "controller"), certificates),
        _pod(draw.ISTIOD, "istio-system", "istiod", ("pilot-discovery",), r"istiod|webhook|" + _REFUSED),
        _pod(draw.GATEWAY, "istio-system", "istio-ingressgateway", ("envoy",), r"propagation|is not Ready"),
        _part(draw.API_SERVER, "kube-apiserver", kubernetes),
        _part(draw.ETCD, "etcd", kubernetes),
        _part(draw.ACME, STAGING.part, r"accountDoesNotExist|ACME|acme|" + certificates),
        _part(draw.DNS, "cloud-dns", r"127\.0\.0\.1:8053|no such host|lookup|DNS|" + certificates),
    ]
    return {each.name: each for each in every}


def wait_for(seconds: float, over: Callable[[], bool]) -> None:
    """Return after so many seconds, or sooner when what was to be disturbed is over."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and not over():
        time.sleep(0.05)


def release(stack_name: str, config: Path, environment: dict[str, str]) -> str:
    """Release a stack whose engine was killed, with the command that the README names; return what it printed."""
    done = subprocess.run(
        ["python", "-m", "tlsctl", "recover", "--stack", stack_name, "--config-file", str(config)],
        env=environment, capture_output=True, text=True, timeout=BACK, check=False,
    )  # fmt: skip
    if done.returncode:
        raise AssertionError(f"tlsctl recover ended with {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout + done.stderr
