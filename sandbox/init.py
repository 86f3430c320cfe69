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
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, NoReturn, TextIO

from sandbox import control, mounts, paths, stages
from sandbox.errors import SandboxError
from sandbox.instance import CONTROL
from sandbox.messages import PartStatus, Plan, StageStatus, Status
from sandbox.process import Part

_CHILDLESS = 1.0
"""Seconds between two looks for children while there are none."""


class Init:
    """The parts of one sandbox, and the answers to requests about them."""

    def __init__(self, name: str, plan: Plan) -> None:
        self._name = name
        self._plan = plan
        self._parts: dict[str, Part] = {}
        self._state = "starting"
        self._began = time.monotonic()
        self._lock = threading.RLock()
        self._stages: list[StageStatus] = []
        self._reason = ""

    def run(self, listener: socket.socket, command: TextIO) -> NoReturn:
        """Start everything, then reap until the process is ended; `command` ends with the one that starts this."""
        signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        threading.Thread(target=self._end_with, args=(command,), daemon=True).start()
        control.serve(listener, self._answer)
        try:
            self._bring_up()
        except SandboxError as error:
            self._reason = str(error)
            self._state = "failed"
        else:
            self._state = "up"
        # The command that started this sandbox has read stderr so far, and is about to exit.
        log = os.open(paths.LOGS / "init.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(log, sys.stderr.fileno())
        self._reap()

    def _end_with(self, command: TextIO) -> None:
        """End this sandbox with the command that starts it, unless it is up or to be kept."""
        command.read()
        if not (self._state == "up" or (self._state == "failed" and self._plan.keep)):
            os._exit(1)

    def _bring_up(self) -> None:
        mounts.cover_run(self._plan.programs, self._plan.plugins)
        mounts.cover_resolver(stages.RESOLV_CONF)
        inside = socket.socket(socket.AF_UNIX)
        inside.bind(str(CONTROL))
        control.serve(inside, self._answer)
        all_stages = stages.stages(self._plan)
        for number, (title, work) in enumerate(all_stages.items(), 1):
            began = time.monotonic()
            self._stages.append(StageStatus(title, number, len(all_stages)))
            parts = work() or []
            for part in parts:
                self._parts[part.name] = part
                part.start(paths.LOGS)
            for part in parts:
                part.wait_ready()
            self._stages[-1] = replace(self._stages[-1], seconds=time.monotonic() - began)

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
            memory_bytes=0 if self._state == "starting" else _memory(),
            stages=tuple(self._stages),
            parts=tuple(parts),
            standins=self._plan.standins,
            reason=self._reason,
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
    """Run as ``python -m sandbox.init NAME LISTENER``: an inherited descriptor, and the plan as a line on stdin."""
    name, listener = sys.argv[1], int(sys.argv[2])
    Init(name, Plan.load(sys.stdin.readline())).run(socket.socket(fileno=listener), sys.stdin)


if __name__ == "__main__":
    main()
