"""A bounded wait."""

import time
from collections.abc import Callable
from typing import TypeVar

TIMEOUT = 180.0
_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 0.8
"""Seconds between two looks, of which each often starts a process."""

T = TypeVar("T")


def eventually(
    what: str, look: Callable[[], T | None], timeout: float = TIMEOUT, *, until: Callable[[T], object] = bool
) -> T:
    """Call `look` until `until` accepts its result, and return that result.

    Args:
        what: The condition in words, for the error.
        look: Returns the present state; an exception ends the wait.
        timeout: Seconds.
        until: The condition; by default, any true value is accepted.

    Raises:
        AssertionError: The condition did not hold within `timeout`; the message has the condition and the last state.
    """
    deadline, pause = time.monotonic() + timeout, _FIRST_PAUSE
    while True:
        seen = look()
        if seen is not None and until(seen):
            return seen
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout:.0f} s in vain until {what}; last seen: {seen!r}")
        time.sleep(pause)
        pause = min(pause * 1.3, _LONGEST_PAUSE)
