"""One part of the sandbox: a process that is started, awaited and stopped.

A start ends in one of three ways - ready, exited, timed out - and the error says which, with the tail of
the part's log (after kubernetes-sigs/controller-runtime, pkg/envtest).
"""

import http.client
import os
import signal
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from sandbox.errors import SandboxError

STOP_TIMEOUT = 10.0
"""Seconds between SIGTERM and SIGKILL."""

_POLL = 0.05


@dataclass
class Part:
    """A program of the sandbox, and the test whether it is ready."""

    name: str
    argv: list[str]
    ready: Callable[[], bool]
    """Returns whether the part serves, without delay or exception."""
    environment: Mapping[str, str] = field(default_factory=dict)
    timeout: float = 60.0
    """Seconds until it has to be ready."""
    on_ready: Callable[[], None] = lambda: None
    """Called after every start, once it is ready."""
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)
    log: Path | None = None
    seconds: float | None = None
    """The time from the start until it was ready."""

    def start(self, logs: Path) -> None:
        """Start the program in a new process group, with its output in ``logs/NAME.log``.

        Raises:
            SandboxError: the program could not be executed.
        """
        self.log = logs / f"{self.name}.log"
        self._started = time.monotonic()
        with self.log.open("ab") as output:
            try:
                self.process = subprocess.Popen(
                    self.argv,
                    env=os.environ | dict(self.environment),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            except OSError as error:
                raise SandboxError(f"{self.name} could not be started: {error}") from None

    def wait_ready(self) -> None:
        """Return when the part is ready and `on_ready` has run.

        Raises:
            SandboxError: it exited, or was not ready within its timeout; contains the tail of its log.
        """
        deadline = self._started + self.timeout
        while not self.ready():
            code = self.poll()
            if code is not None:
                raise SandboxError(f"{self.name} exited with code {code} before it was ready.\n{self.tail()}")
            if time.monotonic() > deadline:
                raise SandboxError(f"{self.name} was not ready within {self.timeout:.0f} s.\n{self.tail()}")
            time.sleep(_POLL)
        self.seconds = time.monotonic() - self._started
        self.on_ready()

    def poll(self) -> int | None:
        """Return the exit code, or None while it runs."""
        return self.process.poll() if self.process else None

    def stop(self, timeout: float = STOP_TIMEOUT) -> None:
        """Send SIGTERM to the process group, and SIGKILL to the rest of it once the process has ended or time is up.

        Raises:
            SandboxError: it still runs `timeout` seconds after SIGKILL.
        """
        if self.process is None or self.process.poll() is not None:
            return
        os.killpg(self.process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout)
        self._kill_group(self.process, timeout)

    def kill(self, timeout: float = STOP_TIMEOUT) -> None:
        """End the process group like a crash, by SIGKILL.

        Raises:
            SandboxError: it still runs after `timeout` seconds.
        """
        if self.process and self.process.poll() is None:
            self._kill_group(self.process, timeout)

    def _kill_group(self, process: subprocess.Popen[bytes], timeout: float) -> None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        try:
            process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise SandboxError(f"{self.name} (process {process.pid}) did not end on SIGKILL.") from None

    def tail(self, lines: int = 15) -> str:
        """Return the last lines of the log, indented."""
        text = self.log.read_text(errors="replace") if self.log and self.log.exists() else ""
        return "\n".join(f"    {line}" for line in text.splitlines()[-lines:]) or "    (it wrote nothing)"


def answers(url: str, ca: Path | None = None) -> bool:
    """Return whether a server answers 200 within two seconds, with a certificate that `ca` verifies."""
    context = ssl.create_default_context(cafile=ca) if ca else None
    try:
        with urllib.request.urlopen(url, timeout=2, context=context) as response:  # noqa: S310 - our own addresses
            return int(response.status) == http.client.OK
    except (urllib.error.URLError, OSError, http.client.HTTPException):
        return False
