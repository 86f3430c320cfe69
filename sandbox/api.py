"""Requests to the Kubernetes API in plain JSON objects.

The official client makes the connection (kubeconfig, TLS, pooling). Its typed models are not used: the sandbox copies
objects from one place to another.
"""

import json
from collections.abc import Mapping
from typing import Any

import urllib3
from kubernetes.client import ApiClient
from kubernetes.client.exceptions import ApiException

Json = dict[str, Any]
"""A decoded JSON object of the API."""


class ApiError(Exception):
    """The API server refused a request, or did not answer.

    Attributes:
        code: HTTP status; 0 without an answer.
        status: The server's Status object.
    """

    def __init__(self, code: int, status: Json) -> None:
        super().__init__(status.get("message") or f"the API server answered {code}")
        self.code, self.status = code, status


def request(client: ApiClient, method: str, path: str, body: Any = None, **options: Any) -> Json:
    """Send a request and return the decoded answer; the options are those of `send`.

    Raises:
        ApiError: The server refused the request, or did not answer.
    """
    try:
        answer: Json = json.loads(send(client, method, path, body, **options).data)
    except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
        raise ApiError(0, {"message": f"{method} {path}: {error}"}) from None
    return answer


def send(
    client: ApiClient,
    method: str,
    path: str,
    body: Any = None,
    *,
    query: Mapping[str, str] | None = None,
    content_type: str = "application/json",
    timeout: float | None = None,
) -> urllib3.BaseHTTPResponse:
    """Send a request and return the answer, whose content has not been read.

    Raises:
        ApiError: The server refused the request, or did not answer.
    """
    call = client.param_serialize(
        method,
        path,
        query_params=list((query or {}).items()),
        header_params={"Accept": "application/json", "Content-Type": content_type},
        body=body,
        auth_settings=["BearerToken"],
    )
    try:
        response: urllib3.BaseHTTPResponse = client.call_api(*call, _request_timeout=timeout).response
    except (urllib3.exceptions.HTTPError, ApiException) as error:
        raise ApiError(0, {"message": f"{call[1]}: {error}"}) from None
    if response.status >= 400:
        raise ApiError(response.status, _status(response.data))
    return response


def _status(body: bytes) -> Json:
    try:
        return dict(json.loads(body))
    except (ValueError, TypeError):
        return {"message": body.decode(errors="replace").strip()}
