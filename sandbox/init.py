"""The first process of a sandbox's PID namespace: mounts, starts the parts in order, then watches over them.

When it ends, for whatever reason, the kernel ends every other process of the namespace, and with the last
of them the mounts and the network: that is how a sandbox never leaves anything behind.
"""

import os
import shutil
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, NoReturn

from sandbox import control, messages, mounts, paths, stages
from sandbox.errors import SandboxError
from sandbox.instance import CONTROL
from sandbox.messages import Doing, Done, Event, Failed, PartStatus, Status, Up
from sandbox.plan import Plan
from sandbox.process import Part

_CHILDLESS = 1.0
"""Seconds between looks for children while there are none."""


class Init:
    """The parts of one sandbox, and the answers to those who ask about them."""

    def __init__(self, name: str, plan: Plan, progress: int) -> None:
        self._name = name
        self._plan = plan
        self._progress = progress
        self._parts: dict[str, Part] = {}
        self._state = "starting"
        self._began = time.monotonic()
        self._lock = threading.RLock()
        self._done: list[Done] = []

    def run(self, listener: socket.socket) -> NoReturn:
        """Bring everything up, report it, then reap until told to end."""
        signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            mounts.cover_run(self._plan.programs, self._plan.plugins)
            mounts.cover_resolver(stages.RESOLV_CONF)
        except SandboxError as error:
            self._emit(Failed(str(error)))
            os._exit(1)
        inside = socket.socket(socket.AF_UNIX)
        inside.bind(str(CONTROL))
        for each in (listener, inside):
            control.serve(each, self._answer)
        try:
            self._bring_up()
        except SandboxError as error:
            self._state = "failed"
            self._emit(Failed(str(error)))
            if not self._plan.keep:
                os._exit(1)
        else:
            self._state = "up"
            self._emit(Up(time.monotonic() - self._began))
        os.close(self._progress)
        # The command that started this sandbox read it until now, and is about to leave.
        log = os.open(paths.LOGS / "init.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(log, sys.stderr.fileno())
        self._reap()

    def _bring_up(self) -> None:
        todo = stages.stages(self._plan)
        for number, stage in enumerate(todo, 1):
            began = time.monotonic()
            self._emit(Doing(stage.title, number, len(todo)))
            parts = stage.work() or []
            for part in parts:
                self._parts[part.name] = part
                part.start(paths.LOGS)
            for part in parts:
                part.wait_ready()
            done = Done(stage.title, number, len(todo), time.monotonic() - began)
            self._done.append(done)
            self._emit(done)

    def _emit(self, event: Event) -> None:
        messages.write(self._progress, event)

    def _reap(self) -> NoReturn:
        while True:
            try:
                # Only looks, so that a part's exit code stays for whoever asks for it.
                exited = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)
            except ChildProcessError:
                time.sleep(_CHILDLESS)  # Every part has ended; one may be started again.
                continue
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

    def _answer(self, request: dict[str, Any]) -> dict[str, Any]:
        verbs: dict[str, Callable[[Part], None]] = {
            "stop": self._stop,
            "kill": self._kill,
            "start": self._start,
        }
        if request["verb"] in verbs:
            part = self._parts.get(request["part"])
            if part is None:
                raise SandboxError(f"There is no part {request['part']!r}; there are: {', '.join(self._parts)}")
            verbs[request["verb"]](part)
        return asdict(self._status())

    def _stop(self, part: Part) -> None:
        with self._lock:
            part.stop()

    def _kill(self, part: Part) -> None:
        with self._lock:
            part.kill()

    def _start(self, part: Part) -> None:
        with self._lock:
            if part.process and part.poll() is None:
                return
            part.start(paths.LOGS)
        part.wait_ready()

    def _status(self) -> Status:
        parts = tuple(
            PartStatus(part.name, part.process.pid if part.process else None, part.poll(), part.seconds)
            for part in list(self._parts.values())
        )
        return Status(
            name=self._name,
            state=self._state,
            seconds=time.monotonic() - self._began,
            memory_bytes=_memory(),
            stages=tuple(self._done),
            parts=parts,
            standins=self._plan.standins,
        )


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
    plan = Plan.load(sys.stdin.read())
    Init(name, plan, progress).run(socket.socket(fileno=listener))


if __name__ == "__main__":
    main()
