"""The first process of a sandbox's PID namespace: mounts, starts the parts in order, then watches over them.

When it ends, for whatever reason, the kernel ends every other process of the namespace, and with the last
of them the mounts and the network: that is how a sandbox never leaves anything behind.
"""

import json
import os
import shutil
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from sandbox import mounts, paths, stages
from sandbox.errors import SandboxError
from sandbox.instance import CONTROL
from sandbox.process import Part


class Init:
    """The parts of one sandbox, and the answers to those who ask about them."""

    def __init__(self, name: str, plan: dict[str, Any], progress: int) -> None:
        self._name = name
        self._plan = plan
        self._progress = progress
        self._parts: dict[str, Part] = {}
        self._state = "starting"
        self._began = time.monotonic()
        self._lock = threading.RLock()
        self._steps: list[dict[str, Any]] = []

    def run(self, listener: socket.socket) -> NoReturn:
        """Bring everything up, report it, then reap until told to end."""
        signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        programs = {name: Path(target) for name, target in self._plan["tools"].items()}
        try:
            mounts.cover_run(programs, Path(self._plan["plugins"]))
            mounts.cover_resolver(stages.RESOLV_CONF)
        except SandboxError as error:
            self._emit(error=str(error))
            os._exit(1)
        inside = socket.socket(socket.AF_UNIX)
        inside.bind(str(CONTROL))
        for each in (listener, inside):
            each.listen()
            threading.Thread(target=self._serve, args=(each,), daemon=True).start()
        try:
            self._bring_up()
        except SandboxError as error:
            self._state = "failed"
            self._emit(error=str(error))
            if not self._plan["keep"]:
                os._exit(1)
        else:
            self._state = "up"
            self._emit(up=True, seconds=time.monotonic() - self._began)
        os.close(self._progress)
        # The command that started this sandbox read it until now, and is about to leave.
        log = os.open(paths.LOGS / "init.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(log, sys.stderr.fileno())
        self._reap()

    def _bring_up(self) -> None:
        steps = stages.stages(self._plan)
        for number, (title, work) in enumerate(steps, 1):
            began = time.monotonic()
            self._emit(step=title, n=number, of=len(steps))
            result = work()
            parts = result if isinstance(result, list) else []
            for part in parts:
                self._parts[part.name] = part
                part.start(paths.LOGS)
            for part in parts:
                part.wait_ready()
            seconds = time.monotonic() - began
            self._steps.append({"step": title, "seconds": seconds})
            self._emit(step=title, n=number, of=len(steps), seconds=seconds)

    def _emit(self, **event: Any) -> None:
        os.write(self._progress, json.dumps(event).encode() + b"\n")

    def _reap(self) -> NoReturn:
        while True:
            # Only looks, so that a part's exit code stays for whoever asks for it.
            exited = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)
            with self._lock:
                ours = [
                    part
                    for part in self._parts.values()
                    if part.process and exited and part.process.pid == exited.si_pid
                ]
                if ours:
                    ours[0].poll()
                elif exited:
                    os.waitpid(exited.si_pid, 0)

    def _serve(self, listener: socket.socket) -> None:
        while True:
            connection, _ = listener.accept()
            with connection:
                try:
                    line = connection.makefile().readline()
                    if line:
                        connection.sendall(json.dumps(self._answer(json.loads(line))).encode())
                except (OSError, ValueError):
                    continue  # The client left, or is none of ours.

    def _answer(self, request: dict[str, Any]) -> dict[str, Any]:
        verbs: dict[str, Callable[[Part], None]] = {"stop": self._stop, "start": self._start}
        if request["verb"] in verbs:
            part = self._parts.get(request["part"])
            if part is None:
                return {"error": f"There is no part {request['part']!r}; there are: {', '.join(self._parts)}"}
            try:
                verbs[request["verb"]](part)
            except SandboxError as error:
                return {"error": str(error)}
        return self._status()

    def _stop(self, part: Part) -> None:
        with self._lock:
            part.stop()

    def _start(self, part: Part) -> None:
        if part.poll() is None:
            return
        with self._lock:
            part.start(paths.LOGS)
        part.wait_ready()

    def _status(self) -> dict[str, Any]:
        parts = [
            {
                "name": part.name,
                "pid": part.process.pid if part.process else None,
                "exit_code": part.poll(),
                "ready_after": part.seconds,
            }
            for part in list(self._parts.values())
        ]
        return {
            "name": self._name,
            "state": self._state,
            "seconds": time.monotonic() - self._began,
            "memory_bytes": _memory(),
            "steps": self._steps,
            "parts": parts,
            "standins": self._plan["standins"],
        }


def _memory() -> int:
    """Bytes held by every process of the namespace (proportional set size) and by the tmpfs."""
    total = shutil.disk_usage("/run").used
    for rollup in Path("/proc").glob("[0-9]*/smaps_rollup"):
        try:
            total += sum(
                int(line.split()[1]) * 1024 for line in rollup.read_text().splitlines() if line.startswith("Pss:")
            )
        except OSError:
            continue  # It ended meanwhile, or is a kernel thread.
    return total


def main() -> NoReturn:
    """Run as ``python -m sandbox.init NAME LISTENER PROGRESS``: two inherited descriptors, the plan on stdin."""
    name, listener, progress = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    plan = json.load(sys.stdin)
    Init(name, plan, progress).run(socket.socket(fileno=listener))


if __name__ == "__main__":
    main()
