"""Live copies of Kubernetes objects: a list, then a watch from the version of the list.

The official client makes the connection and reads the stream. Its own informer is not used: it supports typed models
only, and waits 5 s after every failure, which is longer than the API server takes to start.

https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes
"""

from __future__ import annotations

import http
import logging
import math
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import Any, Final, Literal

import kubernetes.watch
import urllib3
from kubernetes.client import ApiClient
from kubernetes.client.exceptions import ApiException

from sandbox import api
from sandbox.api import ApiError, Json

EventType = Literal["ADDED", "MODIFIED", "DELETED"]
Change = tuple[EventType, Json]

_REQUEST_SECONDS: Final = 30.0
_WATCH_SECONDS: Final = 300  # until a watch is renewed, as in client-go
_FIRST_PAUSE: Final = 0.5  # seconds after a failure, doubled after every further one
_LONGEST_PAUSE: Final = 5.0
_TICK: Final = 0.1  # seconds until an end is noticed

log = logging.getLogger(__name__)


class Watch:
    """A copy of the objects of one collection.

    Attributes:
        objects: The current objects by namespace and name.
    """

    def __init__(self, client: ApiClient, path: str, *, field_selector: str = "", attempts: int | None = None) -> None:
        """Prepare the copy, without a request.

        Args:
            client: Connection to the API server.
            path: URL path of the collection, for instance `/api/v1/pods`.
            field_selector: Selects objects of the collection, for instance `metadata.name=web`.
            attempts: How many failures in a row are an error; None means any number is not.
        """
        self._client = client
        self._path = path
        self._selector = {"fieldSelector": field_selector} if field_selector else {}
        self._attempts = attempts
        self._version = ""
        self.objects: dict[tuple[str, str], Json] = {}

    def changes(self, stop: threading.Event, seconds: float | None = None) -> Generator[list[Change]]:
        """Yield the changes of the copy until `stop` is set or the time is up.

        The first batch is the list, even an empty one. A collection that the server does not serve is empty.

        Raises:
            ApiError: There were too many failures in a row.
        """
        stream = kubernetes.watch.Watch()
        failures = 0
        self._version = ""
        with _ending(stream, stop, seconds) as (over, left):
            while not over.is_set():
                try:
                    if not self._version:
                        yield self._list(left())
                    for change in self._follow(stream, left()):
                        failures = 0
                        yield [change]
                    failures = 0
                except ApiError as error:
                    if over.is_set():
                        return
                    if error.code:
                        self._version = ""  # mostly 410: the version is too old
                    failures += 1
                    if self._attempts is not None and failures >= self._attempts:
                        raise
                    pause = min(_FIRST_PAUSE * 2 ** (failures - 1), _LONGEST_PAUSE)
                    log.info("watch of %s: %s; again in %.1f s", self._path, error, pause)
                    over.wait(pause)

    def _list(self, left: float) -> list[Change]:
        try:
            timeout = min(left, _REQUEST_SECONDS)
            answer = api.request(self._client, "GET", self._path, query=self._selector, timeout=timeout)
        except ApiError as error:
            if error.code != http.HTTPStatus.NOT_FOUND:
                raise
            answer = {"metadata": {"resourceVersion": "0"}}
        # The list states version and kind once for all items.
        common = {"apiVersion": answer.get("apiVersion"), "kind": str(answer.get("kind", "")).removesuffix("List")}
        listed = {_key(item): common | item for item in answer.get("items") or []}
        deleted: list[Change] = [("DELETED", item) for key, item in self.objects.items() if key not in listed]
        others: list[Change] = [("MODIFIED" if key in self.objects else "ADDED", item) for key, item in listed.items()]
        self.objects = listed
        self._version = str(answer["metadata"]["resourceVersion"])
        return deleted + others

    def _follow(self, stream: kubernetes.watch.Watch, left: float) -> Iterator[Change]:
        """Yield the changes until the server ends the stream."""
        seconds = max(1, math.ceil(min(left, _WATCH_SECONDS)))

        def open_stream(**_options: Any) -> urllib3.BaseHTTPResponse:
            query = {"watch": "true", "resourceVersion": self._version, "allowWatchBookmarks": "true"}
            query |= self._selector | {"timeoutSeconds": str(seconds)}
            return api.send(self._client, "GET", self._path, query=query, timeout=seconds + _REQUEST_SECONDS)

        try:
            for event in stream.stream(open_stream, timeout_seconds=seconds):
                if event is None:
                    continue  # an invalid line
                item = event["object"]
                self._version = item["metadata"]["resourceVersion"]
                if event["type"] != "BOOKMARK":
                    yield self._update(event["type"], item)
        except ApiException as error:
            raise ApiError(error.status or 0, {"message": str(error.reason)}) from None
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise ApiError(0, {"message": str(error)}) from None

    def _update(self, event: EventType, item: Json) -> Change:
        if event == "DELETED":
            self.objects.pop(_key(item), None)
        else:
            self.objects[_key(item)] = item
        return event, item


class Informer:
    """A live copy of the objects of one collection, kept by a thread.

    The thread calls `handler(event, object)` after every change of the copy.
    """

    def __init__(
        self, client: ApiClient, path: str, handler: Callable[[EventType, Json], None], *, field_selector: str = ""
    ) -> None:
        self._watch = Watch(client, path, field_selector=field_selector)
        self._path = path
        self._handler = handler
        self._stop = threading.Event()
        self.synced = threading.Event()
        """Set once the first list has been handled."""

    def start(self) -> None:
        """Start the thread, which ends by `stop` or with the process."""
        threading.Thread(target=self._run, name=f"informer {self._path}", daemon=True).start()

    def stop(self) -> None:
        """End the thread soon."""
        self._stop.set()

    def get(self, namespace: str, name: str) -> Json | None:
        """Return an object of the copy."""
        return self._watch.objects.get((namespace, name))

    def list(self) -> list[Json]:
        """Return all objects of the copy."""
        return list(self._watch.objects.values())

    def _run(self) -> None:
        for batch in self._watch.changes(self._stop):
            for event, item in batch:
                if self._stop.is_set():
                    return
                try:
                    self._handler(event, item)
                except Exception:  # otherwise the copy would never change again
                    log.exception("%s of %s", event, self._path)
            self.synced.set()


@contextmanager
def _ending(
    stream: kubernetes.watch.Watch, stop: threading.Event, seconds: float | None
) -> Iterator[tuple[threading.Event, Callable[[], float]]]:
    """Yield an event that is set when it is time to end, and a function that returns the seconds until then.

    A thread closes the stream, because its reader is blocked until the next event.
    """
    deadline = math.inf if seconds is None else time.monotonic() + seconds
    over, done = threading.Event(), threading.Event()

    def left() -> float:
        return max(deadline - time.monotonic(), 0.01)

    def end() -> None:
        while not done.wait(min(_TICK, left())):
            if stop.is_set() or time.monotonic() >= deadline:
                over.set()
                stream.stop()  # repeatedly: it has no effect while the request is sent

    threading.Thread(target=end, name="watch end", daemon=True).start()
    try:
        yield over, left
    finally:
        done.set()


def _key(item: Json) -> tuple[str, str]:
    return item["metadata"].get("namespace", ""), item["metadata"]["name"]
