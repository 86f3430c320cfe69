"""Requests to the Kubernetes API in plain JSON objects.

The official client makes the connection (kubeconfig, TLS, pooling). The agent copies Pod specs from one place to
another, so it uses the API's own JSON in place of the client's typed models.
"""

import json

import urllib3
from kubernetes import config
from kubernetes.client import ApiClient, Configuration

from sandbox.watch import Json, message_of

_TIMEOUT = 30  # seconds


class ApiError(Exception):
    """The API server refused a request.

    Attributes:
        status: HTTP status; 0 without an answer.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status


class Api:
    """Requests to one API server. Thread-safe, as the connection pool below it is.

    Attributes:
        client: The connection, for an `Informer`.
    """

    def __init__(self, kubeconfig: str) -> None:
        connection = Configuration()
        connection.retries = False  # callers decide whether, and when, to try again
        config.load_kube_config(kubeconfig, client_configuration=connection)
        self.client = ApiClient(connection)

    def get(self, path: str) -> Json:
        """Read an object or a list."""
        return self._request("GET", path)

    def post(self, path: str, body: Json) -> Json:
        """Create an object."""
        return self._request("POST", path, body)

    def patch(self, path: str, body: Json) -> Json:
        """Change an object by a strategic merge patch, which merges conditions by their type."""
        return self._request("PATCH", path, body, "application/strategic-merge-patch+json")

    def apply(self, path: str, body: Json) -> Json:
        """Create or change an object by a server-side apply."""
        return self._request(
            "PATCH", f"{path}?fieldManager=sandbox-node&force=true", body, "application/apply-patch+yaml"
        )

    def delete(self, path: str, body: Json) -> Json:
        """Delete an object; `body` is a DeleteOptions."""
        return self._request("DELETE", path, body)

    def _request(
        self, method: str, path: str, body: Json | None = None, content_type: str = "application/json"
    ) -> Json:
        headers = {"Accept": "application/json", "Content-Type": content_type}
        url = self.client.configuration.host + path
        try:
            response = self.client.call_api(method, url, headers, body, _request_timeout=_TIMEOUT).response
        except urllib3.exceptions.HTTPError as error:
            raise ApiError(0, f"{method} {path}: {error}") from error
        if response.status >= 400:
            raise ApiError(response.status, message_of(response.data))
        decoded: Json = json.loads(response.data)
        return decoded
