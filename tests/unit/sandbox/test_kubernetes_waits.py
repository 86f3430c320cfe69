"""The kubernetes stand-in's waits: what an object lacks, in the real provider's words, and how a wait ends."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import pytest

from sandbox.providers.kubernetes import waits
from sandbox.providers.kubernetes.apiserver import ApiServer
from sandbox.providers.rpc import ProviderError

Json = dict[str, Any]


def widget(*, generation: int = 1, wait_for: str = "condition=Ready", **status: Any) -> Json:
    metadata = {"name": "w", "generation": generation, "annotations": {waits.WAIT_FOR: wait_for}}
    return {"metadata": metadata} | ({"status": status} if status else {})


def condition(status: str, **more: Any) -> Json:
    return {"type": "Ready", "status": status, **more}


class Server:
    """An API server that shows these versions of an object, and then nothing more."""

    def __init__(self, *versions: Json | None) -> None:
        self._versions = versions

    def versions(self, *_: object) -> Iterator[Json | None]:
        yield from self._versions

    @contextmanager
    def warnings(self, _obj: Json, report: Callable[[str], None]) -> Iterator[None]:
        report("Failed: a controller's complaint")
        yield


STALE = condition("True", observedGeneration=2)
BEHIND = "Generation {} is less than expected 3"


@pytest.mark.parametrize(
    ("lacking", "says"),
    [
        (widget(conditions=[]), "Resource has no condition Ready (want True)"),
        (widget(conditions=[condition("False")]), "Resource has condition Ready=False (want True)"),
        (widget(generation=3, conditions=[STALE]), BEHIND.format(2)),
        (widget(generation=3, observedGeneration=1, conditions=[condition("True")]), BEHIND.format(1)),
    ],
)
def test_a_wait_says_what_is_still_missing(lacking: Json, says: str) -> None:
    satisfied = widget(conditions=[condition("true")])
    server, reported = cast(ApiServer, Server(lacking, lacking, None, satisfied)), list[str]()
    live = waits.until_ready(server, widget(), 1, threading.Event(), reported.append)
    assert live == satisfied, "it ends with the version that meets the condition"
    assert reported == ["Failed: a controller's complaint", says], "each thing once, controllers' warnings too"


def test_a_wait_that_is_cancelled_keeps_the_last_version() -> None:
    cancelled, last = threading.Event(), widget(conditions=[condition("False")])
    cancelled.set()
    with pytest.raises(waits.WaitError, match="context canceled") as error:
        waits.until_ready(cast(ApiServer, Server(last)), widget(), 1, cancelled, print)
    assert error.value.live == last, "it goes into the state"


def test_an_annotation_that_the_stand_in_does_not_have_is_refused() -> None:
    server, obj = cast(ApiServer, Server()), widget(wait_for="jsonpath={.status.phase}=Up")
    with pytest.raises(ProviderError, match="stand-in of the kubernetes provider waits for condition=TYPE"):
        waits.until_ready(server, obj, 1, threading.Event(), print)
