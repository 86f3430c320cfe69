"""Live copies of Kubernetes objects, against an API server that does what the test says."""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from kubernetes.client import ApiClient, Configuration

from sandbox import watch
from sandbox.watch import Informer, Watch, WatchError

PATH = "/api/v1/pods"
HELD = "held"
"""In place of an event: the stream stays open and silent from here on."""
CUT = "cut"
"""In place of an event: the connection breaks off here."""

GONE = {"type": "ERROR", "object": {"code": 410, "reason": "Expired", "message": "too old resource version"}}


def pod(name: str, version: int, **more: Any) -> dict[str, Any]:
    return {"metadata": {"namespace": "web", "name": name, "resourceVersion": str(version)}, **more}


def listed(version: int, *items: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "PodList", "metadata": {"resourceVersion": str(version)}, "items": list(items)}


def event(kind: str, name: str, version: int) -> dict[str, Any]:
    return {"type": kind, "object": pod(name, version)}


class FakeServer:
    """Answers requests in their order: an object is a list, a list a watch's events, a number a refusal."""

    def __init__(self, *answers: Any) -> None:
        self.queries: list[dict[str, str]] = []
        self.let_go = threading.Event()
        script, fake = iter(answers), self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                fake.queries.append(dict(parse_qsl(urlsplit(self.path).query)))
                answer = next(script, [HELD])
                self.send_response(answer if isinstance(answer, int) else 200)
                self.send_header("Transfer-Encoding", "chunked")  # as the real one: events come as they happen
                self.end_headers()
                if isinstance(answer, int):
                    answer = {"message": f"refused with {answer}"}
                for each in answer if isinstance(answer, list) else [answer]:
                    if each == CUT:
                        self.close_connection = True
                        return
                    if each == HELD:
                        fake.let_go.wait(30)
                    else:
                        self._write_chunk(json.dumps(each).encode() + b"\n")
                self._write_chunk(b"")

            def _write_chunk(self, data: bytes) -> None:
                with suppress(OSError):  # the client may have left
                    self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")

            def log_message(self, *_: object) -> None:
                """Nothing: pytest would show it."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        connection = Configuration()
        connection.host = f"http://127.0.0.1:{self._server.server_port}"
        connection.retries = False
        self.client = ApiClient(connection)

    def close(self) -> None:
        self.let_go.set()
        self._server.shutdown()
        self._server.server_close()

    @property
    def watched_from(self) -> list[str]:
        """The resource version of each watch, with nothing for a list."""
        return [query.get("resourceVersion", "") for query in self.queries]


@pytest.fixture
def serve() -> Iterator[Any]:
    servers: list[FakeServer] = []

    def start(*answers: Any) -> FakeServer:
        servers.append(FakeServer(*answers))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "_FIRST_PAUSE", 0.01)


def first(server: FakeServer, count: int, **options: Any) -> list[list[tuple[str, str]]]:
    """The first batches of changes, each as pairs of event and name."""
    changes = Watch(server.client, PATH, **options).changes(threading.Event())
    batches = list(itertools.islice(changes, count))
    changes.close()
    return [[(kind, item["metadata"]["name"]) for kind, item in batch] for batch in batches]


def test_the_watch_begins_where_the_list_ended(serve: Any) -> None:
    server = serve(listed(7, pod("a", 3)), [event("ADDED", "b", 8), event("DELETED", "a", 9), HELD])
    assert first(server, 3) == [[("ADDED", "a")], [("ADDED", "b")], [("DELETED", "a")]], "each change comes once"
    assert server.watched_from == ["", "7"], "no change between list and watch is missed"


def test_an_empty_collection_is_a_batch_too(serve: Any) -> None:
    assert first(serve(listed(7)), 1) == [[]], "whoever waits for the first list is told"


def test_a_collection_that_the_server_does_not_have_is_empty(serve: Any) -> None:
    assert first(serve(404), 1) == [[]], "what has no kind has no objects"


def test_listed_objects_say_what_they_are(serve: Any) -> None:
    server = serve(listed(7, pod("a", 3), pod("own", 4, kind="Other")))
    copy = Watch(server.client, PATH)
    next(copy.changes(threading.Event()))
    kinds = {name: (each["apiVersion"], each["kind"]) for (_, name), each in copy.objects.items()}
    assert kinds == {"a": ("v1", "Pod"), "own": ("v1", "Other")}, "the list says it for all, an item may for itself"


def test_a_stream_that_ends_is_renewed_from_the_last_version_seen(serve: Any) -> None:
    bookmark = {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "12"}}}
    server = serve(listed(7), [event("ADDED", "a", 8), bookmark], [event("ADDED", "b", 13), HELD])
    assert first(server, 3) == [[], [("ADDED", "a")], [("ADDED", "b")]], "a bookmark is no change"
    assert server.watched_from == ["", "7", "12"], "and yet moves the version on"


@pytest.mark.parametrize("expired", [[GONE], 410], ids=["an event", "a status"])
def test_a_version_that_is_too_old_is_listed_anew(serve: Any, expired: Any) -> None:
    server = serve(listed(7, pod("a", 3), pod("b", 4)), expired, listed(20, pod("b", 4), pod("c", 19)), [HELD])
    batches = first(server, 2)
    assert batches[1] == [("DELETED", "a"), ("MODIFIED", "b"), ("ADDED", "c")], "what was missed is made up for"


def test_failures_are_followed_by_pauses_that_grow_to_a_bound(serve: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "_FIRST_PAUSE", 0.1)
    monkeypatch.setattr(watch, "_LONGEST_PAUSE", 0.2)
    began = time.monotonic()
    first(serve(500, 500, 500, listed(7)), 1)
    assert 0.5 <= time.monotonic() - began < 1.0, "0.1 s, 0.2 s and 0.2 s"


def test_too_many_failures_in_a_row_are_an_error_with_the_servers_words(serve: Any) -> None:
    with pytest.raises(WatchError, match="refused with 500") as refused:
        first(serve(listed(7), 500, listed(8), 403, 500), 4, attempts=3)
    assert refused.value.code == 500, "with the status"


def test_a_server_that_is_not_there_is_asked_again(serve: Any) -> None:
    server = serve()
    server.close()
    with pytest.raises(WatchError, match="refused"):
        first(server, 1, attempts=2)


def test_a_connection_that_breaks_is_made_again_from_the_last_version_seen(serve: Any) -> None:
    broken = ([event("ADDED", "a", version), CUT] for version in (8, 9, 10))
    server = serve(listed(7), *broken, [event("ADDED", "b", 11), HELD])
    assert len(first(server, 5, attempts=2)) == 5, "a change ends a row of failures: one at a time is never too many"
    assert server.watched_from == ["", "7", "8", "9", "10"], "nothing is listed again"


def test_a_silent_watch_ends_when_told(serve: Any) -> None:
    server = serve(listed(7), [event("ADDED", "a", 8), HELD])
    stop = threading.Event()
    changes = Watch(server.client, PATH).changes(stop)
    next(changes)
    next(changes)
    threading.Timer(0.2, stop.set).start()
    began = time.monotonic()
    assert list(changes) == [], "there is nothing more"
    assert time.monotonic() - began < 2, "though the server says nothing"


def test_a_silent_watch_ends_when_its_time_is_up(serve: Any) -> None:
    began = time.monotonic()
    batches = list(Watch(serve(listed(7), [HELD]).client, PATH).changes(threading.Event(), seconds=0.5))
    assert batches == [[]], "the list came, and nothing else"
    assert 0.5 <= time.monotonic() - began < 1.0, "at its bound, neither sooner nor much later"


def test_a_pause_ends_when_the_time_is_up(serve: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "_FIRST_PAUSE", 30)
    began = time.monotonic()
    assert list(Watch(serve(500).client, PATH).changes(threading.Event(), seconds=0.3)) == [], "nothing was seen"
    assert time.monotonic() - began < 2, "it does not sleep through its bound"


def test_only_what_the_selector_picks_is_asked_for(serve: Any) -> None:
    server = serve(listed(7), [event("ADDED", "a", 8), HELD])
    first(server, 2, field_selector="metadata.name=a")
    assert {query["fieldSelector"] for query in server.queries} == {"metadata.name=a"}, "by the list and by the watch"


def test_an_informer_keeps_a_copy_and_goes_on_after_a_handler_that_fails(
    serve: Any, caplog: pytest.LogCaptureFixture
) -> None:
    server = serve(listed(7, pod("a", 3)), [event("ADDED", "b", 8), event("DELETED", "a", 9), HELD])
    handled: list[tuple[str, str]] = []
    all_handled = threading.Event()

    def handle(kind: str, item: dict[str, Any]) -> None:
        handled.append((kind, item["metadata"]["name"]))
        if len(handled) == 1:
            raise RuntimeError("the handler's own problem")
        if len(handled) == 3:
            all_handled.set()

    informer = Informer(server.client, PATH, handle)
    informer.start()
    assert all_handled.wait(10), "every change is handled"
    assert informer.synced.is_set(), "the list came first"
    assert handled == [("ADDED", "a"), ("ADDED", "b"), ("DELETED", "a")], "in their order"
    assert "the handler's own problem" in caplog.text, "the failure is logged"
    assert [each["metadata"]["name"] for each in informer.list()] == ["b"], "the copy is as the cluster"
    assert informer.get("web", "b") is not None, "and can be asked by name"
    assert informer.get("web", "a") is None, "what is deleted is gone"
    informer.stop()
