"""A part: it is ready, exits or times out, and stops with all its children."""

import os
import select
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sandbox.errors import SandboxError
from sandbox.process import Part

FOREVER = "import signal; print('up', flush=True); signal.pause()"
DEAF = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); signal.pause()"
TIMEOUT = 20.0
"""Seconds for what takes a moment on an idle machine."""


class Workshop:
    """Starts parts that run Python, and leaves none behind."""

    def __init__(self, logs: Path) -> None:
        self.logs = logs
        self.parts: list[Part] = []

    def start(self, script: str, *, ready: bool = True) -> Part:
        """Start a part, which is ready when it has printed `up`."""
        part = Part("worker", [sys.executable, "-c", script], lambda: "up" in self.log(), timeout=TIMEOUT)
        self.parts.append(part)
        part.start(self.logs)
        if ready:
            part.wait_ready()
        return part

    def log(self) -> str:
        return (self.logs / "worker.log").read_text()

    def failure(self, part: Part) -> str:
        with pytest.raises(SandboxError) as error:
            part.wait_ready()
        return str(error.value)


@pytest.fixture
def workshop(tmp_path: Path) -> Iterator[Workshop]:
    workshop = Workshop(tmp_path)
    yield workshop
    for part in workshop.parts:
        if part.process and part.process.poll() is None:
            os.killpg(part.process.pid, signal.SIGKILL)
            part.process.wait()


@pytest.mark.parametrize(
    ("script", "tail"),
    [
        ("print('first'); print('the disk is full')", ["    first", "    the disk is full"]),
        ("[print(f'line {n}') for n in range(100)]", [f"    line {number}" for number in range(85, 100)]),
        ("pass", ["    (it wrote nothing)"]),
    ],
)
def test_a_part_that_exits_is_an_error_with_its_code_and_the_end_of_its_log(
    workshop: Workshop, script: str, tail: list[str]
) -> None:
    part = workshop.start(f"{script}; raise SystemExit(3)", ready=False)
    assert workshop.failure(part).splitlines() == ["worker exited with code 3 before it was ready.", *tail]


def test_a_part_that_is_not_ready_in_time_is_an_error_that_does_not_say_exited(workshop: Workshop) -> None:
    part = workshop.start(FOREVER)
    part.ready, part.timeout = lambda: False, 0.0
    assert workshop.failure(part) == "worker was not ready within 0 s.\n    up"


def test_a_missing_program_is_named(workshop: Workshop) -> None:
    part = Part("worker", ["/nowhere/worker"], lambda: True)
    with pytest.raises(SandboxError, match=r"^worker could not be started: .*No such file.*/nowhere/worker"):
        part.start(workshop.logs)


@pytest.mark.parametrize(
    ("script", "end", "code"),
    [
        (FOREVER, Part.stop, -signal.SIGTERM),
        (DEAF, lambda part: part.stop(timeout=0.2), -signal.SIGKILL),
        (FOREVER, Part.kill, -signal.SIGKILL),
    ],
    ids=["stopped", "deaf to SIGTERM", "killed"],
)
def test_a_part_ends_by_sigterm_or_if_need_be_by_sigkill(
    workshop: Workshop, script: str, end: Callable[[Part], None], code: int
) -> None:
    part = workshop.start(script)
    end(part)
    assert part.poll() == code
    end(part)  # no error: it has ended


def test_the_children_of_a_part_end_with_it_even_if_they_are_deaf(workshop: Workshop) -> None:
    child = f"import subprocess, sys; c = subprocess.Popen([sys.executable, '-c', {DEAF!r}])"
    part = workshop.start(f"{child}; print('child', c.pid, flush=True); {FOREVER.replace('up', 'parent')}")
    words = workshop.log().split()
    handle = os.pidfd_open(int(words[words.index("child") + 1]))
    part.stop()
    ended, _, _ = select.select([handle], [], [], TIMEOUT)
    os.close(handle)
    assert ended, "otherwise the child would keep its ports"


def test_a_part_that_is_started_again_appends_to_its_log(workshop: Workshop) -> None:
    part = workshop.start("print('started', flush=True); raise SystemExit(1)", ready=False)
    workshop.failure(part)
    part.start(workshop.logs)
    workshop.failure(part)
    assert workshop.log() == "started\nstarted\n", "the first lines stay"
