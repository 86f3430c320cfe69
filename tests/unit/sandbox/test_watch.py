"""Live copies of Kubernetes objects, against a scripted API server."""

import itertools
import json
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from kubernetes.client import ApiClient, Configuration

from sandbox import watch
from sandbox.api import ApiError
from sandbox.watch import Informer, Watch

PATH = "/api/v1/pods"
HELD = "held"
"""Instead of an event: the stream stays open and silent."""
CUT = "cut"
"""Instead of an event: the connection breaks."""

GONE = {"type": "ERROR", "object": {"code": 410, "reason": "Expired", "message": "too old resource version"}}


def pod(name: str, version: int) -> dict[str, Any]:
    return {"metadata": {"namespace": "web", "name": name, "resourceVersion": str(version)}}


def listed(version: int, *items: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "PodList", "metadata": {"resourceVersion": str(version)}, "items": list(items)}


def event(kind: str, name: str, version: int) -> dict[str, Any]:
    return {"type": kind, "object": pod(name, version)}


class FakeServer:
    """Answers requests in order: an object is a list of objects, a list the events of a watch, a number an error."""

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
                for item in answer if isinstance(answer, list) else [answer]:
                    if item == CUT:
                        self.close_connection = True
                        return
                    if item == HELD:
                        fake.let_go.wait(30)
                    else:
                        self._write_chunk(json.dumps(item).encode() + b"\n")
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

    def watched_from(self) -> list[str]:
        """Return the resource version of every watch; empty for a list."""
        return [query.get("resourceVersion", "") for query in self.queries]


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setattr(watch, "_FIRST_PAUSE", 0.01)
    with ExitStack() as servers:

        def start(*answers: Any) -> FakeServer:
            server = FakeServer(*answers)
            servers.callback(server.close)
            return server

        yield start


def first(server: FakeServer, count: int, **options: Any) -> list[list[tuple[str, str]]]:
    """Return the first batches of changes as pairs of event and name."""
    changes = Watch(server.client, PATH, **options).changes(threading.Event())
    batches = list(itertools.islice(changes, count))
    changes.close()
    return [[(kind, item["metadata"]["name"]) for kind, item in batch] for batch in batches]


@pytest.mark.parametrize("answer", [listed(7), 404], ids=["empty", "unknown kind"])
def test_an_empty_collection_is_a_batch_too(serve: Any, answer: Any) -> None:
    assert first(serve(answer), 1) == [[]], "waiting for the first list ends"


def test_an_ended_stream_is_renewed_from_the_last_version(serve: Any) -> None:
    bookmark = {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "12"}}}
    broken = ([event("ADDED", "b", version), CUT] for version in (13, 14, 15))
    server = serve(listed(7), [event("ADDED", "a", 8), bookmark], *broken, [event("ADDED", "c", 16), HELD])
    batches = first(server, 6, attempts=2)
    assert batches[1:3] == [[("ADDED", "a")], [("ADDED", "b")]], "a bookmark is not a change"
    versions = ["", "7", "12", "13", "14", "15"]
    assert server.watched_from() == versions, "but moves the version, and so does a broken stream"
    assert batches[-1] == [("ADDED", "c")], "a change ends a row of failures: three broken streams are not too many"


@pytest.mark.parametrize("expired", [[GONE], 410], ids=["an event", "a status"])
def test_a_version_that_is_too_old_is_followed_by_a_new_list(serve: Any, expired: Any) -> None:
    server = serve(listed(7, pod("a", 3), pod("b", 4)), expired, listed(20, pod("b", 4), pod("c", 19)), [HELD])
    batches = first(server, 2)
    assert batches[1] == [("DELETED", "a"), ("MODIFIED", "b"), ("ADDED", "c")], "with the missed changes"


def test_too_many_failures_in_a_row_are_an_error_with_the_servers_message(serve: Any) -> None:
    with pytest.raises(ApiError, match="refused with 500") as refused:
        first(serve(listed(7), 500, listed(8), 403, 500), 4, attempts=3)
    assert refused.value.code == 500
    server = serve()
    server.close()
    with pytest.raises(ApiError, match="refused"):
        first(server, 1, attempts=2)


def test_a_pause_after_a_failure_ends_when_the_time_is_up(serve: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "_FIRST_PAUSE", 30)
    monkeypatch.setattr(watch, "_LONGEST_PAUSE", 30)
    began = time.monotonic()
    assert list(Watch(serve(500).client, PATH).changes(threading.Event(), seconds=0.3)) == []
    assert time.monotonic() - began < 2


def test_an_informer_goes_on_after_a_handler_that_fails(serve: Any, caplog: pytest.LogCaptureFixture) -> None:
    server = serve(listed(7, pod("a", 3)), [event("ADDED", "b", 8), event("DELETED", "a", 9), HELD])
    handled: list[tuple[str, str]] = []
    all_handled = threading.Event()

    def handle(kind: str, item: dict[str, Any]) -> None:
        handled.append((kind, item["metadata"]["name"]))
        if len(handled) == 3:
            all_handled.set()
        raise RuntimeError("the handler's own problem")

    informer = Informer(server.client, PATH, handle)
    informer.start()
    assert all_handled.wait(10), "every change is handled"
    assert handled == [("ADDED", "a"), ("ADDED", "b"), ("DELETED", "a")], "in their order"
    assert "the handler's own problem" in caplog.text, "the failure is logged"
    informer.stop()
