"""Live copies of Kubernetes objects: one list, then a watch from where the list ended.

The node agent, the DNS server and the kubernetes stand-in all follow objects through this module. The official
client makes the connection and reads the stream; its own informer is left aside, because it knows typed models only
and waits 5 s after each failure, which is longer than the sandbox takes to start its API server.

https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes
"""

from __future__ import annotations

import http
import json
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

Json = dict[str, Any]
"""A decoded JSON object, as the API server sends and takes it."""

EventType = Literal["ADDED", "MODIFIED", "DELETED"]
Change = tuple[EventType, Json]

_REQUEST_SECONDS: Final = 30.0
_WATCH_SECONDS: Final = 300  # a watch is renewed this often, as client-go's are
_FIRST_PAUSE: Final = 0.5  # seconds after a failure; doubled after each further one
_LONGEST_PAUSE: Final = 5.0
_TICK: Final = 0.1  # seconds within which an end is noticed

log = logging.getLogger(__name__)


class WatchError(Exception):
    """The API server refused a request, or there was no answer.

    Attributes:
        code: HTTP status; 0 without an answer.
    """

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class Watch:
    """A copy of the objects of one collection.

    Attributes:
        objects: The objects as of the last change, by namespace and name.
    """

    def __init__(self, client: ApiClient, path: str, *, field_selector: str = "", attempts: int | None = None) -> None:
        """Prepare the copy; nothing is requested yet.

        Args:
            client: Connection to the API server.
            path: URL path of the collection, for instance `/api/v1/pods`.
            field_selector: Picks objects of the collection, for instance `metadata.name=web`.
            attempts: Failures in a row after which to give up; None never gives up.
        """
        self._client = client
        self._path = path
        self._selector = {"fieldSelector": field_selector} if field_selector else {}
        self._attempts = attempts
        self._version = ""
        self.objects: dict[tuple[str, str], Json] = {}

    def changes(self, stop: threading.Event, seconds: float | None = None) -> Generator[list[Change]]:
        """Yield changes that the copy has taken in, until `stop` is set or the time is up.

        The first batch is the list, also when it is empty. A collection that the server does not have is empty.

        Raises:
            WatchError: There were too many failures in a row.
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
                except WatchError as error:
                    if over.is_set():
                        return
                    if error.code:
                        self._version = ""  # mostly 410: it is too old to go on from
                    failures += 1
                    if self._attempts is not None and failures >= self._attempts:
                        raise
                    pause = min(_FIRST_PAUSE * 2 ** (failures - 1), _LONGEST_PAUSE)
                    log.info("watch of %s: %s; again in %.1f s", self._path, error, pause)
                    over.wait(pause)

    def _list(self, left: float) -> list[Change]:
        try:
            answer: Json = json.loads(self._open({}, min(left, _REQUEST_SECONDS)).data)
        except WatchError as error:
            if error.code != http.HTTPStatus.NOT_FOUND:
                raise
            answer = {"metadata": {"resourceVersion": "0"}}
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            raise WatchError(0, str(error)) from None
        # The items of a list leave out what the list says for all.
        common = {"apiVersion": answer.get("apiVersion"), "kind": str(answer.get("kind", "")).removesuffix("List")}
        listed = {_key(item): common | item for item in answer.get("items") or []}
        gone: list[Change] = [("DELETED", item) for key, item in self.objects.items() if key not in listed]
        found: list[Change] = [("MODIFIED" if key in self.objects else "ADDED", item) for key, item in listed.items()]
        self.objects = listed
        self._version = str(answer["metadata"]["resourceVersion"])
        return gone + found

    def _follow(self, stream: kubernetes.watch.Watch, left: float) -> Iterator[Change]:
        """Yield each change until the server ends the stream."""
        seconds = max(1, math.ceil(min(left, _WATCH_SECONDS)))

        def open_stream(**_options: Any) -> urllib3.BaseHTTPResponse:
            query = {"watch": "true", "resourceVersion": self._version, "allowWatchBookmarks": "true"}
            return self._open(query | {"timeoutSeconds": str(seconds)}, seconds + _REQUEST_SECONDS)

        try:
            for event in stream.stream(open_stream, timeout_seconds=seconds):
                if event is None:
                    continue  # a line that is no JSON
                item = event["object"]
                self._version = item["metadata"]["resourceVersion"]
                if event["type"] != "BOOKMARK":
                    yield self._take_in(event["type"], item)
        except ApiException as error:
            raise WatchError(error.status or 0, str(error.reason)) from None
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise WatchError(0, str(error)) from None

    def _take_in(self, event: EventType, item: Json) -> Change:
        if event == "DELETED":
            self.objects.pop(_key(item), None)
        else:
            self.objects[_key(item)] = item
        return event, item

    def _open(self, query: dict[str, str], timeout: float) -> urllib3.BaseHTTPResponse:
        call = self._client.param_serialize(
            "GET",
            self._path,
            query_params=list((self._selector | query).items()),
            header_params={"Accept": "application/json"},
            auth_settings=["BearerToken"],
        )
        try:
            response: urllib3.BaseHTTPResponse = self._client.call_api(*call, _request_timeout=timeout).response
        except (urllib3.exceptions.HTTPError, ApiException) as error:
            raise WatchError(0, str(error)) from None
        if response.status >= http.HTTPStatus.BAD_REQUEST:
            raise WatchError(response.status, message_of(response.data))
        return response


class Informer:
    """A live copy of the objects of one collection, kept in a thread of its own.

    `handler(event, object)` is called in that thread, after the copy has changed.
    """

    def __init__(
        self, client: ApiClient, path: str, handler: Callable[[EventType, Json], None], *, field_selector: str = ""
    ) -> None:
        self._watch = Watch(client, path, field_selector=field_selector)
        self._path = path
        self._handler = handler
        self._stop = threading.Event()
        self.synced = threading.Event()
        """Set once the first list has been delivered."""

    def start(self) -> None:
        """Start to list and watch; the thread ends by `stop`, or with the process."""
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
                except Exception:  # a copy that goes stale for good would be worse than a noisy log
                    log.exception("%s of %s", event, self._path)
            self.synced.set()


def message_of(body: bytes) -> str:
    """Return what the API server says in the body of a refusal."""
    try:
        return str(json.loads(body)["message"])
    except (ValueError, KeyError, TypeError):
        return body.decode(errors="replace").strip()


@contextmanager
def _ending(
    stream: kubernetes.watch.Watch, stop: threading.Event, seconds: float | None
) -> Iterator[tuple[threading.Event, Callable[[], float]]]:
    """Yield an event that is set when it is time to end, and how many seconds are left.

    A thread closes the stream then, because whoever reads it is blocked until the next event.
    """
    deadline = math.inf if seconds is None else time.monotonic() + seconds
    over, done = threading.Event(), threading.Event()

    def left() -> float:
        return max(deadline - time.monotonic(), 0.01)

    def end() -> None:
        while not done.wait(min(_TICK, left())):
            if stop.is_set() or time.monotonic() >= deadline:
                over.set()
                stream.stop()  # again if need be: one that comes while the request is sent has no effect

    threading.Thread(target=end, name="watch end", daemon=True).start()
    try:
        yield over, left
    finally:
        done.set()


def _key(item: Json) -> tuple[str, str]:
    return item["metadata"].get("namespace", ""), item["metadata"]["name"]
