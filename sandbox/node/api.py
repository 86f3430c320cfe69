"""The node's requests to the Kubernetes API."""

from kubernetes import config
from kubernetes.client import ApiClient, Configuration

from sandbox.api import Json, request

_TIMEOUT = 30  # seconds


class Api:
    """Requests to one API server, which raise an `ApiError`. Thread-safe, as the connection pool below it is.

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
        return request(self.client, "GET", path, timeout=_TIMEOUT)

    def post(self, path: str, body: Json) -> Json:
        """Create an object."""
        return request(self.client, "POST", path, body, timeout=_TIMEOUT)

    def patch(self, path: str, body: Json) -> Json:
        """Change an object by a strategic merge patch, which merges conditions by their type."""
        merge = "application/strategic-merge-patch+json"
        return request(self.client, "PATCH", path, body, content_type=merge, timeout=_TIMEOUT)

    def apply(self, path: str, body: Json) -> Json:
        """Create or change an object by a server-side apply."""
        query = {"fieldManager": "sandbox-node", "force": "true"}
        apply = "application/apply-patch+yaml"
        return request(self.client, "PATCH", path, body, query=query, content_type=apply, timeout=_TIMEOUT)

    def delete(self, path: str, body: Json) -> Json:
        """Delete an object; `body` is a DeleteOptions."""
        return request(self.client, "DELETE", path, body, timeout=_TIMEOUT)
