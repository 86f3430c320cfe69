"""Scenarios of the stack's state."""

from __future__ import annotations

import errno
import os

from sandbox.testing import eventually, live
from tests.faults.invariants import Ended
from tests.faults.operations import ISTIO, SECRET
from tests.faults.stage import Scenario, Stage


class TwoUps(Scenario):
    """Two pipelines run at once."""

    name = "two-ups"
    what = "a second `up` while the first one runs"
    cause = r"the stack is currently locked by 1 lock"

    def play(self, stage: Stage) -> Ended:
        """Begin the second as soon as the first holds the lock."""
        first = stage.start()
        eventually("the first `up` holds the lock", lambda: list(stage.state.glob(".pulumi/locks/**/*.json")), 30)
        with stage.fault():
            second = stage.project.run("up", "--yes", "--skip-preview")
            stage.beside.append(first.end())
        return second


class DiskFull(Scenario):
    """The disk under the state file fills up."""

    name = "disk-full"
    what = "the disk under the state file fills up while an `up` waits for the certificate, and has room again after it"
    cause = r"no space left on device"

    def play(self, stage: Stage) -> Ended:
        """Fill it when there is something to write down that the state does not have."""
        filler, before = stage.state / "filler", live("certificate", SECRET, ISTIO)["spec"]
        started = stage.start()
        eventually("another certificate is asked for", lambda: live("certificate", SECRET, ISTIO)["spec"] != before)
        with stage.fault():
            try:
                fill(filler)
                return started.end()
            finally:
                filler.unlink()


def fill(path: os.PathLike[str]) -> None:
    """Write a file until there is no room for a byte more."""
    with open(path, "wb", buffering=0) as file:  # noqa: PTH123
        for size in (1 << 16, 1):
            try:
                while True:
                    file.write(b"\0" * size)
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
