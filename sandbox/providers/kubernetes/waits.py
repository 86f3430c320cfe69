"""When an object counts as ready, and when as gone: the `pulumi.com/` annotations.

https://www.pulumi.com/registry/packages/kubernetes/how-to-guides/resource-await-logic/
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

import jsonpath

from sandbox.providers.kubernetes.apiserver import ApiServer, Object
from sandbox.providers.rpc import ProviderError

DEFAULT_SECONDS: Final = 600.0

AUTONAMED: Final = "pulumi.com/autonamed"
DELETION_PROPAGATION: Final = "pulumi.com/deletionPropagationPolicy"
PATCH_FIELD_MANAGER: Final = "pulumi.com/patchFieldManager"
PATCH_FORCE: Final = "pulumi.com/patchForce"
SKIP_AWAIT: Final = "pulumi.com/skipAwait"
TIMEOUT_SECONDS: Final = "pulumi.com/timeoutSeconds"
WAIT_FOR: Final = "pulumi.com/waitFor"

# Kinds for which the real provider lets `skipAwait` skip the wait for the deletion, too (pulumi-kubernetes#1232).
_SKIPS_DELETION: Final = frozenset(
    {
        ("v1", "Namespace"),
        ("v1", "Pod"),
        ("v1", "ReplicationController"),
        ("apps/v1", "DaemonSet"),
        ("apps/v1", "Deployment"),
        ("apps/v1", "StatefulSet"),
        ("batch/v1", "Job"),
    }
)


class WaitError(ProviderError):
    """A wait ended before what it waited for.

    Attributes:
        live: The object as it was seen last.
    """

    def __init__(self, message: str, live: Object) -> None:
        super().__init__(message)
        self.live = live


class Condition(Protocol):
    """Something that an object can lack."""

    def lacks(self, obj: Object) -> str | None:
        """Return what is still missing, or nothing."""


@dataclass(frozen=True)
class StatusCondition:
    """`condition=TYPE[=STATUS]`, as in `kubectl wait`."""

    type: str
    status: str

    def lacks(self, obj: Object) -> str | None:
        """Return what is still missing, or nothing."""
        found = (obj.get("status") or {}).get("conditions")
        if found is None:
            return "Has no .status.conditions"
        for condition in found:
            if str(condition.get("type", "")).casefold() != self.type.casefold():
                continue
            observed, generation = _generations(obj, condition.get("observedGeneration"))
            if observed < generation:
                return f"Generation {observed} is less than expected {generation}"
            status = str(condition.get("status", ""))
            if status.casefold() == self.status.casefold():
                return None
            return f"Resource has condition {self.type}={status} (want {self.status})"
        return f"Resource has no condition {self.type} (want {self.status})"


@dataclass(frozen=True)
class JsonPath:
    """`jsonpath={PATH}[=VALUE]`, as in `kubectl get -o`."""

    path: str
    value: str | None

    def lacks(self, obj: Object) -> str | None:
        """Return what is still missing, or nothing."""
        missing = f"Waiting for {self.path}" + (f"={self.value}" if self.value else "")
        found = jsonpath.findall(self.path, obj)
        observed, generation = _generations(obj, None)
        if observed < generation or not found:
            return missing
        if self.value is None:
            return None
        if isinstance(found[0], dict | list):
            raise ProviderError(f'"{self.path}" has a non-primitive value ({found[0]})')
        text = json.dumps(found[0]) if isinstance(found[0], bool) else str(found[0])
        return None if text == self.value else f'{missing} (found "{text}")'


def _generations(obj: Object, observed: Any) -> tuple[int, int]:
    """Return the generation that a status is about and the object's own; the same where the status does not say."""
    generation = obj["metadata"].get("generation", 0)
    if observed is None:
        observed = (obj.get("status") or {}).get("observedGeneration")
    return (generation if observed is None else observed), generation


def conditions(expressions: str) -> list[Condition]:
    """Return the conditions of a `pulumi.com/waitFor` annotation: an expression, or a JSON array of them."""
    try:
        given = json.loads(expressions)
    except ValueError:
        given = expressions
    if not isinstance(given, list):
        given = [expressions]
    if not given:
        raise ProviderError("at least one condition must be specified")
    return [_condition(expression) for expression in given]


def _condition(expression: str) -> Condition:
    if expression.startswith("condition="):
        kind, _, status = expression.removeprefix("condition=").partition("=")
        return StatusCondition(kind, status or "True")
    if expression.startswith("jsonpath="):
        match = re.fullmatch(r"\{\s*(.*?)\s*\}(?:=(.+))?", expression.removeprefix("jsonpath="))
        if match is None:
            raise ProviderError(f"format should be {{.path}}=value or {{.path}}, got {expression!r}")
        path = match[1] if match[1].startswith("$") else f"${match[1]}"
        return JsonPath(path, match[2])
    raise ProviderError(f'expected a "jsonpath=" or "condition=" prefix, got {expression!r}')


def annotation(obj: Object, name: str) -> str:
    """Return an annotation, or the empty string."""
    value = ((obj.get("metadata") or {}).get("annotations") or {}).get(name)
    return value if isinstance(value, str) else ""


def timeout(custom: float, inputs: Object) -> float:
    """Return how long to wait, in seconds: `customTimeouts`, else the annotation, else the default."""
    annotated = annotation(inputs, TIMEOUT_SECONDS)
    return custom or (float(annotated) if annotated.isdigit() else DEFAULT_SECONDS)


def until_ready(
    server: ApiServer,
    inputs: Object,
    live: Object,
    seconds: float,
    cancelled: threading.Event,
    report: Callable[[str], None],
) -> Object:
    """Wait for what the object's `pulumi.com/waitFor` asks for and return the object as it is then.

    Raises:
        WaitError: The time was up, or the engine cancelled.
    """
    expressions = annotation(live, WAIT_FOR)
    if not expressions or annotation(inputs, SKIP_AWAIT) == "true":
        return live
    wanted = conditions(expressions)
    shown: set[str] = set()

    def show(text: str) -> None:
        if text not in shown:
            shown.add(text)
            report(text)

    with server.warnings(live, show):
        for version in server.versions(live, seconds, cancelled):
            if version is None:
                continue
            live = version
            lacking = [text for condition in wanted if (text := condition.lacks(live))]
            if not lacking:
                return live
            for text in lacking:
                show(text)
    raise _ended(cancelled, live)


def until_gone(
    server: ApiServer,
    inputs: Object,
    live: Object,
    seconds: float,
    cancelled: threading.Event,
    report: Callable[[str], None],
) -> None:
    """Wait until the object is gone.

    Raises:
        WaitError: The time was up, or the engine cancelled.
    """
    if annotation(inputs, SKIP_AWAIT) == "true" and (live["apiVersion"], live["kind"]) in _SKIPS_DELETION:
        return
    uid = live["metadata"].get("uid")
    for version in server.versions(live, seconds, cancelled):
        if version is None or (uid and version["metadata"]["uid"] != uid):
            return
        live = version
    finalizers = ", ".join(live["metadata"].get("finalizers", []))
    report(f"finalizers might be preventing deletion ({finalizers})")
    raise _ended(cancelled, live)


def _ended(cancelled: threading.Event, live: Object) -> WaitError:
    return WaitError("context canceled" if cancelled.is_set() else "timed out waiting for the condition", live)
