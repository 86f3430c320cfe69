"""When an object counts as ready, by its annotation `pulumi.com/waitFor`, and when it counts as deleted.

https://www.pulumi.com/registry/packages/kubernetes/how-to-guides/resource-await-logic/
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

from sandbox.providers.kubernetes.apiserver import ApiServer, Object
from sandbox.providers.kubernetes.objects import annotation
from sandbox.providers.rpc import ProviderError

WAIT_FOR: Final = "pulumi.com/waitFor"
_DEFAULT_SECONDS: Final = 600.0
_PREFIX: Final = "condition="

Report = Callable[[str], None]


class WaitError(ProviderError):
    """A wait ended before the condition was met.

    Attributes:
        live: The last version of the object.
    """

    def __init__(self, cancelled: threading.Event, live: Object) -> None:
        super().__init__("context canceled" if cancelled.is_set() else "timed out waiting for the condition")
        self.live = live


def until_ready(server: ApiServer, live: Object, seconds: float, cancelled: threading.Event, report: Report) -> Object:
    """Wait for the condition in the object's `pulumi.com/waitFor` and return the object that meets it.

    Raises:
        ProviderError: The annotation is no `condition=`, or the server refused the watch.
        WaitError: The time was up, or the engine cancelled.
    """
    expression = annotation(live, WAIT_FOR)
    if not expression:
        return live
    if not expression.startswith(_PREFIX):
        raise ProviderError(
            f"{WAIT_FOR} is {expression!r}: the sandbox's stand-in of the kubernetes provider waits for "
            f"{_PREFIX}TYPE or {_PREFIX}TYPE=STATUS only; for more, run `pulumi plugin install resource kubernetes`"
        )
    condition, _, status = expression.removeprefix(_PREFIX).partition("=")
    shown: set[str] = set()

    def show(text: str) -> None:
        if text not in shown:
            shown.add(text)
            report(text)

    with server.warnings(live, show):
        for version in server.versions(live, seconds or _DEFAULT_SECONDS, cancelled):
            if version is None:
                continue
            live = version
            lacking = _lacking(live, condition, status or "True")
            if lacking is None:
                return live
            show(lacking)
    raise WaitError(cancelled, live)


def until_gone(server: ApiServer, live: Object, seconds: float, cancelled: threading.Event, report: Report) -> None:
    """Wait until the object is deleted.

    Raises:
        WaitError: The time was up, or the engine cancelled.
    """
    uid = live["metadata"].get("uid")
    for version in server.versions(live, seconds or _DEFAULT_SECONDS, cancelled):
        if version is None or (uid and version["metadata"]["uid"] != uid):
            return
        live = version
    finalizers = ", ".join(live["metadata"].get("finalizers", []))
    report(f"finalizers might be preventing deletion ({finalizers})")
    raise WaitError(cancelled, live)


def _lacking(obj: Object, name: str, wanted: str) -> str | None:
    """Return why an object does not meet `condition=NAME=WANTED`, or nothing where it does (as `kubectl wait`)."""
    state = obj.get("status") or {}
    if state.get("conditions") is None:
        return "Has no .status.conditions"
    for condition in state["conditions"]:
        if str(condition.get("type", "")).casefold() != name.casefold():
            continue
        generation = obj["metadata"].get("generation", 0)
        observed = condition.get("observedGeneration", state.get("observedGeneration", generation))
        if observed < generation:
            return f"Generation {observed} is less than expected {generation}"
        status = str(condition.get("status", ""))
        if status.casefold() == wanted.casefold():
            return None
        return f"Resource has condition {name}={status} (want {wanted})"
    return f"Resource has no condition {name} (want {wanted})"
