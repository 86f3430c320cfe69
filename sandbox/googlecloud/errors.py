"""The errors of the Cloud DNS API (https://cloud.google.com/dns/docs/error-messages)."""

from __future__ import annotations

from typing import Any


class ApiError(Exception):
    """A request that the API refuses; `body` is what the service would have answered.

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
    """A field, named by its path in the request, has a value that is not one."""
    return ApiError(400, "invalid", f"Invalid value for '{path}': '{value}'")


def required(path: str) -> ApiError:
    """A field that the request must have is missing."""
    return ApiError(400, "required", f"The '{path}' parameter is required but was missing.")


def not_found(path: str, name: str) -> ApiError:
    """What the request names does not exist."""
    return ApiError(404, "notFound", f"The '{path}' resource named '{name}' does not exist.")


def already_exists(path: str, name: str) -> ApiError:
    """What the request would create is there already."""
    return ApiError(409, "alreadyExists", f"The resource '{path}' named '{name}' already exists")


def condition_not_met(path: str) -> ApiError:
    """A deletion does not match the record set as it is now."""
    return ApiError(412, "conditionNotMet", f"Precondition not met for '{path}'")
