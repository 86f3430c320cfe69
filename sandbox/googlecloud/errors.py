"""The errors of the Cloud DNS API (https://cloud.google.com/dns/docs/error-messages), and reading a request's body."""

from typing import Any

from flask import request


class ApiError(Exception):
    """A request that the API refuses.

    Attributes:
        code: the HTTP status.
        reason: the machine-readable reason, such as `alreadyExists`.
    """

    def __init__(self, code: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason

    @property
    def body(self) -> dict[str, Any]:
        """The JSON body of the answer."""
        detail = {"message": str(self), "domain": "global", "reason": self.reason}
        return {"error": {"code": self.code, "message": str(self), "errors": [detail]}}


def invalid(path: str, value: object) -> ApiError:
    """The field at `path` of the request has an invalid value."""
    return ApiError(400, "invalid", f"Invalid value for '{path}': '{value}'")


def required(path: str) -> ApiError:
    """The request lacks the field at `path`."""
    return ApiError(400, "required", f"The '{path}' parameter is required but was missing.")


def not_found(path: str, name: str) -> ApiError:
    """The request names something that does not exist."""
    return ApiError(404, "notFound", f"The '{path}' resource named '{name}' does not exist.")


def already_exists(path: str, name: str) -> ApiError:
    """The request would create something that exists."""
    return ApiError(409, "alreadyExists", f"The resource '{path}' named '{name}' already exists")


def json_body(path: str, field: str | None = None) -> dict[str, Any]:
    """Return the request's JSON object, or one `field` of it.

    Raises:
        ApiError: it is missing, or not an object; names `path`.
    """
    body = request.get_json(force=True, silent=True)
    if field and isinstance(body, dict):
        body = body.get(field)
    if not isinstance(body, dict):
        raise required(path)
    return body
