"""The Kubernetes API in plain JSON objects: requests, and informers.

The official client makes the connection (kubeconfig, TLS, pooling). Its typed models are left aside: the agent copies
Pod specs from one place to another, and the API's own camelCase JSON is the least translation.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Iterator
from typing import Any, Literal
from urllib.parse import urlencode

import urllib3
from kubernetes import config
from kubernetes.client import ApiClient, Configuration

Json = dict[str, Any]
"""A decoded JSON object, as the API server sends and takes it."""

EventType = Literal["ADDED", "MODIFIED", "DELETED"]

STRATEGIC_MERGE = "application/strategic-merge-patch+json"

_WATCH_SECONDS = 300
_RETRY_SECONDS = 1.0

log = logging.getLogger(__name__)


class ApiError(Exception):
    """The API server refused a request, with its status code and its own words."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status


class Api:
    """Requests to one API server. Thread-safe, as the connection pool below it is."""

    def __init__(self, kubeconfig: str) -> None:
        connection = Configuration()
        connection.retries = False  # whoever asks knows better whether, and when, to ask again
        config.load_kube_config(kubeconfig, client_configuration=connection)
        self._client = ApiClient(connection)

    def get(self, path: str) -> Json:
        """Read an object or a list."""
        return self._request("GET", path)

    def post(self, path: str, body: Json) -> Json:
        """Create an object."""
        return self._request("POST", path, body)

    def put(self, path: str, body: Json) -> Json:
        """Replace an object."""
        return self._request("PUT", path, body)

    def patch(self, path: str, body: Json) -> Json:
        """Change an object by a strategic merge patch, which merges conditions by their type."""
        return self._request("PATCH", path, body, content_type=STRATEGIC_MERGE)

    def delete(self, path: str, body: Json) -> Json:
        """Delete an object; `body` is a DeleteOptions."""
        return self._request("DELETE", path, body)

    def watch(self, path: str, resource_version: str) -> Iterator[Json]:
        """Yield watch events after a resource version until the server ends the stream."""
        query = urlencode(
            {
                "watch": "true",
                "resourceVersion": resource_version,
                "allowWatchBookmarks": "true",
                "timeoutSeconds": _WATCH_SECONDS,
            }
        )
        response = self._open("GET", f"{path}?{query}", timeout=_WATCH_SECONDS + 30)
        buffer = b""
        for chunk in response.stream(None):
            buffer += chunk
            *lines, buffer = buffer.split(b"\n")
            yield from (json.loads(line) for line in lines if line)

    def _request(
        self, method: str, path: str, body: Json | None = None, content_type: str = "application/json"
    ) -> Json:
        response = self._open(method, path, body, content_type, timeout=30)
        decoded: Json = json.loads(response.data)
        return decoded

    def _open(
        self,
        method: str,
        path: str,
        body: Json | None = None,
        content_type: str = "application/json",
        *,
        timeout: float,
    ) -> urllib3.BaseHTTPResponse:
        headers = {"Accept": "application/json", "Content-Type": content_type}
        url = self._client.configuration.host + path
        try:
            answer = self._client.call_api(method, url, headers, body, _request_timeout=timeout)
        except urllib3.exceptions.HTTPError as error:
            raise ApiError(0, f"{method} {path}: {error}") from error
        response: urllib3.BaseHTTPResponse = answer.response
        if response.status >= 400:
            raise ApiError(response.status, _message(response.data))
        return response


def _message(body: bytes) -> str:
    try:
        return str(json.loads(body)["message"])
    except (ValueError, KeyError, TypeError):
        return body.decode(errors="replace").strip()


class Informer:
    """A live copy of all objects of one resource, kept by list and watch in a thread of its own.

    `handler(event, object)` is called in that thread, after the copy has changed.
    """

    def __init__(self, api: Api, path: str, handler: Callable[[EventType, Json], None]) -> None:
        self._api = api
        self._path = path
        self._handler = handler
        self._objects: dict[tuple[str, str], Json] = {}
        self.synced = threading.Event()
        """Set once the first list has been delivered."""

    def start(self) -> None:
        """Start to list and watch; the thread ends with the process."""
        threading.Thread(target=self._run, name=f"informer {self._path}", daemon=True).start()

    def get(self, namespace: str, name: str) -> Json | None:
        """Return an object of the copy."""
        return self._objects.get((namespace, name))

    def list(self) -> list[Json]:
        """Return all objects of the copy."""
        return list(self._objects.values())

    def _run(self) -> None:
        pause = threading.Event()
        while True:
            try:
                version = self._relist()
                self.synced.set()
                while True:
                    version = self._follow(version)
            except (ApiError, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
                log.info("watch of %s starts again: %s", self._path, error)
                pause.wait(_RETRY_SECONDS)

    def _relist(self) -> str:
        answer = self._api.get(self._path)
        listed = {_key(item): item for item in answer.get("items") or []}
        for key in self._objects.keys() - listed.keys():
            self._deliver("DELETED", self._objects[key])
        for key, item in listed.items():
            self._deliver("MODIFIED" if key in self._objects else "ADDED", item)
        return str(answer["metadata"]["resourceVersion"])

    def _follow(self, version: str) -> str:
        for event in self._api.watch(self._path, version):
            item = event["object"]
            if event["type"] == "ERROR":
                raise ApiError(int(item.get("code", 0)), str(item.get("message")))
            version = item["metadata"]["resourceVersion"]
            if event["type"] != "BOOKMARK":
                self._deliver(event["type"], item)
        return version

    def _deliver(self, event: EventType, item: Json) -> None:
        if event == "DELETED":
            self._objects.pop(_key(item), None)
        else:
            self._objects[_key(item)] = item
        self._handler(event, item)


def _key(item: Json) -> tuple[str, str]:
    return item["metadata"].get("namespace", ""), item["metadata"]["name"]
