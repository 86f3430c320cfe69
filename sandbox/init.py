"""The first process of a sandbox's PID namespace: mounts, starts the parts in order, then reaps and answers requests.

When it ends, the kernel ends every other process of the namespace, and with the last of them the mounts and the
network. So a sandbox never leaves anything behind.
"""

import os
import shutil
import signal
import socket
import sys
import threading
import time
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, NoReturn

from sandbox import control, messages, mounts, paths, stages
from sandbox.errors import SandboxError
from sandbox.instance import CONTROL
from sandbox.messages import Doing, Done, Event, Failed, PartStatus, Plan, Status, Up
from sandbox.process import Part

_CHILDLESS = 1.0
"""Seconds between two looks for children while there are none."""


class Init:
    """The parts of one sandbox, and the answers to requests about them."""

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
        """Start everything, report it, then reap until the process is ended."""
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
        control.serve(listener, self._answer)
        control.serve(inside, self._answer)
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
        # The command that started this sandbox has read stderr so far, and is about to exit.
        log = os.open(paths.LOGS / "init.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(log, sys.stderr.fileno())
        self._reap()

    def _bring_up(self) -> None:
        all_stages = stages.stages(self._plan)
        for number, stage in enumerate(all_stages, 1):
            began = time.monotonic()
            self._emit(Doing(stage.title, number, len(all_stages)))
            parts = stage.work() or []
            for part in parts:
                self._parts[part.name] = part
                part.start(paths.LOGS)
            for part in parts:
                part.wait_ready()
            done = Done(stage.title, number, len(all_stages), time.monotonic() - began)
            self._done.append(done)
            self._emit(done)

    def _emit(self, event: Event) -> None:
        messages.write(self._progress, event)

    def _reap(self) -> NoReturn:
        while True:
            try:
                # WNOWAIT leaves the exit code of a part to its Popen object.
                exited = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)
            except ChildProcessError:
                time.sleep(_CHILDLESS)  # Every part has ended; a request may start one again.
                continue
            with self._lock:
                pid = exited.si_pid if exited else 0
                parts = [part for part in self._parts.values() if part.process and part.process.pid == pid]
                if parts:
                    parts[0].poll()
                elif pid:
                    os.waitpid(pid, 0)

    def _answer(self, request: dict[str, Any]) -> dict[str, Any]:
        verb = request["verb"]
        if verb in ("stop", "kill", "start"):
            part = self._parts.get(request["part"])
            if part is None:
                raise SandboxError(f"There is no part {request['part']!r}; there are: {', '.join(self._parts)}")
            if verb == "start":
                self._start(part)
            else:
                with self._lock:
                    part.stop() if verb == "stop" else part.kill()
        return asdict(self._status())

    def _start(self, part: Part) -> None:
        with self._lock:
            if part.process and part.poll() is None:
                return
            part.start(paths.LOGS)
        part.wait_ready()

    def _status(self) -> Status:
        parts = [
            PartStatus(part.name, part.process.pid if part.process else None, part.poll(), part.seconds)
            for part in list(self._parts.values())
        ]
        return Status(
            name=self._name,
            state=self._state,
            seconds=time.monotonic() - self._began,
            memory_bytes=_memory(),
            stages=tuple(self._done),
            parts=tuple(parts),
            standins=self._plan.standins,
        )


def _memory() -> int:
    """Return the bytes of all processes of the namespace (proportional set size) and of the tmpfs."""
    total = shutil.disk_usage("/run").used
    for rollup in Path("/proc").glob("[0-9]*/smaps_rollup"):
        with suppress(OSError):  # It has ended meanwhile, or is a kernel thread.
            lines = rollup.read_text().splitlines()
            total += sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
    return total


def main() -> NoReturn:
    """Run as ``python -m sandbox.init NAME LISTENER PROGRESS``: two inherited descriptors, the plan on stdin."""
    name, listener, progress = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    plan = Plan.load(sys.stdin.read())
    Init(name, plan, progress).run(socket.socket(fileno=listener))


if __name__ == "__main__":
    main()
