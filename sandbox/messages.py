"""What a sandbox's first process says: events while it starts, by a pipe, and its status, by the control socket."""

import json
import os
import select
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from sandbox.errors import SandboxError


@dataclass(frozen=True)
class Doing:
    """A stage of the start has begun."""

    title: str
    number: int
    of: int


@dataclass(frozen=True)
class Done:
    """A stage of the start is done."""

    title: str
    number: int
    of: int
    seconds: float


@dataclass(frozen=True)
class Up:
    """Everything is ready: the last event of a start."""

    seconds: float


@dataclass(frozen=True)
class Failed:
    """The start has failed: the last event, too."""

    reason: str


Event = Doing | Done | Up | Failed
_EVENTS: dict[str, type[Event]] = {kind.__name__: kind for kind in (Doing, Done, Up, Failed)}


@dataclass(frozen=True)
class PartStatus:
    """One part, as it is now."""

    name: str
    pid: int | None
    """In the sandbox's PID namespace; None if it was never started."""
    exit_code: int | None
    """None while it runs."""
    ready_after: float | None
    """Seconds from its start until it was ready."""


@dataclass(frozen=True)
class Status:
    """A sandbox, as it is now."""

    name: str
    state: str
    """starting, up or failed."""
    seconds: float
    """Since it began to start."""
    memory_bytes: int
    """Of all its processes, and of its files."""
    stages: tuple[Done, ...]
    parts: tuple[PartStatus, ...]
    standins: tuple[str, ...]

    @classmethod
    def load(cls, fields: dict[str, Any]) -> "Status":
        """From the JSON object that `dataclasses.asdict` makes of one.

        Raises:
            SandboxError: it is another version's.
        """
        try:
            nested = {
                "stages": tuple(Done(**each) for each in fields["stages"]),
                "parts": tuple(PartStatus(**each) for each in fields["parts"]),
                "standins": tuple(fields["standins"]),
            }
            return cls(**fields | nested)
        except (KeyError, TypeError):
            raise SandboxError(
                "This sandbox was started by another version of the project. End it with `down`, and start it again."
            ) from None


def write(descriptor: int, event: Event) -> None:
    """Send an event, as a line of JSON."""
    os.write(descriptor, json.dumps({"event": type(event).__name__} | asdict(event)).encode() + b"\n")


def read(descriptor: int, timeout: float) -> Iterator[Event]:
    """Yield events until the writer has closed its end.

    Raises:
        SandboxError: for `timeout` seconds there was none.
    """
    poll = select.poll()
    poll.register(descriptor, select.POLLIN | select.POLLHUP)
    pending = b""
    while poll.poll(timeout * 1000):
        chunk = os.read(descriptor, 65536)
        if not chunk:
            return
        *lines, pending = (pending + chunk).split(b"\n")
        for line in lines:
            fields = json.loads(line)
            yield _EVENTS[fields.pop("event")](**fields)
    raise SandboxError(f"The sandbox made no progress for {timeout:.0f} s.")
