"""HTTP headers and paths: what a route compares with, and what the gateway sets on an answer.

Envoy refuses a whole configuration for one bad value, and every host of the gateway keeps its old routes then.
"""

import re
from collections.abc import Mapping
from typing import Any

MAX_VALUE = 4096
"""Characters in the value of a header."""

MAX_PATH = 1024
"""Characters in a path prefix."""

_MAX_NAME = 128
_TOKEN = re.compile(r"[a-z0-9!#$&'*+.^_`|~-]+")
_VALUE = re.compile(r"[!-~]([ -~]*[!-~])?")
_PATH = re.compile(r"/[!-~]*")

HSTS = "strict-transport-security"

_NOT_SET = {
    "connection", "content-length", "date", "host", "keep-alive", "proxy-connection", "te", "trailer",
    "transfer-encoding", "upgrade",
}  # fmt: skip
"""What frames an answer, and so belongs to the connection and not to its content."""


def name(text: str) -> str:
    """Return the name of a header (RFC 9110, section 5.6.2) in lower case, as HTTP/2 has it.

    The standard allows `%`; Envoy reads it as the beginning of a variable.
    """
    lower = text.lower()
    if not _TOKEN.fullmatch(lower):
        raise ValueError("is not the name of a header: letters, digits and hyphens")
    if len(lower) > _MAX_NAME:
        raise ValueError(f"has {len(lower)} characters, a header's name has at most {_MAX_NAME}")
    return lower


def value(text: str) -> str:
    """Return the value of a header: visible ASCII, with spaces only inside."""
    if len(text) > MAX_VALUE:
        raise ValueError(f"has {len(text)} characters, a header's value has at most {MAX_VALUE}")
    if not _VALUE.fullmatch(text):
        raise ValueError("has characters that are not visible ASCII, or a space at an end")
    return text


_ORIGIN = re.compile(r"\*|https?://[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?")
ANY_ORIGIN = "*"


def origin(text: str) -> str:
    """Return an origin (RFC 6454, section 7) in lower case, as browsers send it; `*` stands for all."""
    if not _ORIGIN.fullmatch(text.lower()):
        raise ValueError("is not https://HOST, with :PORT if it is another one, or *")
    return text.lower()


def method(text: str) -> str:
    """Return a method of HTTP, whose case counts."""
    if not re.fullmatch("[A-Z]+", text):
        raise ValueError("is not a method in capitals")
    return text


def response(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers to set on an answer, values by name, with the names in lower case."""
    checked: dict[str, str] = {}
    for key, text in headers.items():
        try:
            lower = name(key)
        except ValueError as error:
            raise ValueError(f"has a key that {error}") from None
        if lower == HSTS:
            raise ValueError("has Strict-Transport-Security, which has a setting of its own: hsts")
        if lower in _NOT_SET:
            raise ValueError(f"has {lower}, which belongs to the connection")
        if lower in checked:
            raise ValueError(f"has {lower} twice")
        try:
            checked[lower] = value(text)
        except ValueError as error:
            raise ValueError(f"has a value of {lower} that {error}") from None
    return checked


def literal(text: str) -> str:
    """Write a value as Envoy takes it: a per cent sign begins a variable (`%REQ(cookie)%`) unless it is doubled."""
    return text.replace("%", "%%")


def of_every_route(served: Mapping[str, Any], hsts: int) -> dict[str, str]:
    """Return the headers that every answer of a host gets; `served` is a `HostArgs`, `hsts` is in seconds."""
    return {**({HSTS: f"max-age={hsts}"} if hsts else {}), **(served.get("response_headers") or {})}


def cors_lists(cors: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return what a `CorsArgs` allows, by the keys that both APIs of gateways have for it."""
    lists = {
        "allowMethods": cors.get("allow_methods"),
        "allowHeaders": cors.get("allow_headers"),
        "exposeHeaders": cors.get("expose_headers"),
    }
    return {key: list(values) for key, values in lists.items() if values}


def path_prefix(text: str) -> str:
    """Return a path as it is in a request, or its beginning: percent-encoded, without a query."""
    if not text.startswith("/") or text != "".join(text.split()):
        raise ValueError("is not a path that begins with /")
    if len(text) > MAX_PATH:
        raise ValueError(f"has {len(text)} characters, a path has at most {MAX_PATH}")
    if not _PATH.fullmatch(text):
        raise ValueError("is not percent-encoded ASCII, as the path of a request is")
    if "?" in text or "#" in text:
        raise ValueError("is compared with the path alone, which ends before ? and #")
    return text
