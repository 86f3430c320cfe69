"""A part: ready, exited or timed out, and stopped with all that it has started."""

import os
import select
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sandbox.errors import SandboxError
from sandbox.process import Part

FOREVER = "import signal; signal.pause()"
DEAF = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); signal.pause()"
TIMEOUT = 20.0
"""Seconds for what ends at once on a machine that is not busy."""


class Workshop:
    """Makes parts that run Python, and leaves none behind."""

    def __init__(self, logs: Path) -> None:
        self.logs = logs
        self.parts: list[Part] = []

    def part(self, script: str, ready: Callable[[], bool] = lambda: False, timeout: float = TIMEOUT) -> Part:
        made = Part("worker", [sys.executable, "-c", script], ready, timeout=timeout)
        self.parts.append(made)
        return made

    def said(self, text: str) -> Callable[[], bool]:
        """Whether the log has a line."""
        return lambda: text in (self.logs / "worker.log").read_text()


@pytest.fixture
def workshop(tmp_path: Path) -> Iterator[Workshop]:
    made = Workshop(tmp_path)
    yield made
    for part in made.parts:
        if part.process and part.process.poll() is None:
            os.killpg(part.process.pid, signal.SIGKILL)
            part.process.wait()


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and was not waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_part_that_is_ready_has_said_so_and_what_follows_is_done(workshop: Workshop) -> None:
    followed: list[bool] = []
    part = workshop.part(f"print('serving', flush=True); {FOREVER}", workshop.said("serving"))
    part.on_ready = lambda: followed.append(True)
    part.start(workshop.logs)
    part.wait_ready()
    assert part.poll() is None, "it runs"
    assert part.seconds is not None, "it was awaited"
    assert 0 < part.seconds < TIMEOUT, "and how long is known"
    assert followed == [True], "once"


def test_a_part_that_exits_is_said_to_have_with_its_code_and_its_last_words(workshop: Workshop) -> None:
    part = workshop.part("print('first'); print('the disk is full'); raise SystemExit(3)")
    part.start(workshop.logs)
    with pytest.raises(SandboxError) as error:
        part.wait_ready()
    assert str(error.value) == "worker exited with code 3 before it was ready.\n    first\n    the disk is full"


def test_a_part_that_is_not_ready_in_time_is_said_to_be_late(workshop: Workshop) -> None:
    part = workshop.part(f"print('still loading', flush=True); {FOREVER}", timeout=0.0)
    asked: list[bool] = []

    def ready() -> bool:
        # It is late from the first look on; its words are there before the second.
        asked.append(True)
        while not workshop.said("still loading")():
            assert part.poll() is None, "it does not end by itself"
        return False

    part.ready = ready
    part.start(workshop.logs)
    with pytest.raises(SandboxError) as error:
        part.wait_ready()
    assert str(error.value) == "worker was not ready within 0 s.\n    still loading", "late, not exited"


def test_a_program_that_is_not_there_is_named(workshop: Workshop) -> None:
    part = Part("worker", ["/nowhere/worker"], lambda: True)
    with pytest.raises(SandboxError, match=r"^worker could not be started: .*No such file.*/nowhere/worker"):
        part.start(workshop.logs)


def test_only_the_end_of_a_long_log_is_in_the_error(workshop: Workshop) -> None:
    part = workshop.part("[print(f'line {n}') for n in range(100)]; raise SystemExit(1)")
    part.start(workshop.logs)
    with pytest.raises(SandboxError) as error:
        part.wait_ready()
    _, *tail = str(error.value).splitlines()
    assert tail == [f"    line {number}" for number in range(85, 100)], "fifteen lines"


def test_a_part_that_says_nothing_is_said_to(workshop: Workshop) -> None:
    part = workshop.part("raise SystemExit(1)")
    part.start(workshop.logs)
    with pytest.raises(SandboxError, match=r"\(it wrote nothing\)$"):
        part.wait_ready()


def test_a_part_has_a_process_group_of_its_own(workshop: Workshop) -> None:
    part = workshop.part(FOREVER)
    part.start(workshop.logs)
    assert part.process is not None, "it was started"
    assert os.getpgid(part.process.pid) == part.process.pid, "an interrupt of the terminal does not reach it"


def test_a_part_that_heeds_sigterm_is_not_killed(workshop: Workshop) -> None:
    part = workshop.part(f"print('up', flush=True); {FOREVER}", workshop.said("up"))
    part.start(workshop.logs)
    part.wait_ready()
    part.stop()
    assert part.poll() == -signal.SIGTERM, "SIGTERM ended it"
    part.stop()  # What has ended is stopped.


def test_a_part_that_is_deaf_to_sigterm_is_killed(workshop: Workshop) -> None:
    part = workshop.part(DEAF, workshop.said("deaf"))
    part.start(workshop.logs)
    part.wait_ready()
    part.stop(timeout=0.2)
    assert part.poll() == -signal.SIGKILL, "SIGKILL did"


def test_a_part_is_killed_without_a_warning(workshop: Workshop) -> None:
    part = workshop.part(f"print('up', flush=True); {FOREVER}", workshop.said("up"))
    part.start(workshop.logs)
    part.wait_ready()
    part.kill()
    assert part.poll() == -signal.SIGKILL, "it had no time to end by itself"
    part.kill()  # What has ended is killed.


def test_what_a_part_has_started_ends_with_it_even_if_it_is_deaf(workshop: Workshop) -> None:
    child = f"import subprocess, sys; c = subprocess.Popen([sys.executable, '-c', {DEAF!r}])"
    part = workshop.part(f"{child}; print('child', c.pid, flush=True); {FOREVER}", workshop.said("deaf"))
    part.start(workshop.logs)
    part.wait_ready()
    words = (workshop.logs / "worker.log").read_text().split()
    pid = int(words[words.index("child") + 1])
    handle = os.pidfd_open(pid)
    part.stop()
    ended, _, _ = select.select([handle], [], [], TIMEOUT)
    os.close(handle)
    assert ended, "the child would hold its ports"
    assert not alive(pid), "it is gone"


def test_a_part_that_was_never_started_is_stopped(workshop: Workshop) -> None:
    workshop.part(FOREVER).stop()


def test_a_part_that_is_started_again_goes_on_in_its_log(workshop: Workshop) -> None:
    part = workshop.part("print('started', flush=True); raise SystemExit(1)")
    for _ in range(2):
        part.start(workshop.logs)
        with pytest.raises(SandboxError):
            part.wait_ready()
    assert (workshop.logs / "worker.log").read_text() == "started\nstarted\n", "what the first one said stays"
