"""HTTP headers and paths: what a route compares with, and what the gateway sets on an answer.

Envoy refuses a whole configuration for one bad value, and every host of the gateway keeps its old routes then.
"""

import re
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


def name(given: Any) -> str:
    """Take the name of a header (RFC 9110, section 5.6.2), and return it in lower case, as HTTP/2 has it.

    `%` is allowed by the standard; Envoy takes it for the beginning of a variable.
    """
    lower = given.lower() if isinstance(given, str) else ""
    if not _TOKEN.fullmatch(lower):
        raise ValueError("is not the name of a header: letters, digits and hyphens")
    if len(lower) > _MAX_NAME:
        raise ValueError(f"has {len(lower)} characters, a header's name has at most {_MAX_NAME}")
    return lower


def value(given: Any) -> str:
    """Take the value of a header: visible ASCII, and spaces inside of it."""
    if not isinstance(given, str) or not given:
        raise ValueError("is not a text")
    if len(given) > MAX_VALUE:
        raise ValueError(f"has {len(given)} characters, a header's value has at most {MAX_VALUE}")
    if not _VALUE.fullmatch(given):
        raise ValueError("has characters that are not visible ASCII, or a space at an end")
    return given


def response(given: Any) -> dict[str, str]:
    """Take the headers that are set on an answer, values by name; names are returned in lower case."""
    if not hasattr(given, "items"):
        raise ValueError("is not an object of headers")
    taken: dict[str, str] = {}
    for key, each in given.items():
        try:
            lower = name(key)
        except ValueError as error:
            raise ValueError(f"has a key that {error}") from None
        if lower == HSTS:
            raise ValueError("has Strict-Transport-Security, which has a setting of its own: hsts")
        if lower in _NOT_SET:
            raise ValueError(f"has {lower}, which belongs to the connection")
        if lower in taken:
            raise ValueError(f"has {lower} twice")
        try:
            taken[lower] = value(each)
        except ValueError as error:
            raise ValueError(f"has a value of {lower} that {error}") from None
    return taken


def literal(given: str) -> str:
    """Write a value as Envoy takes it: a per cent sign begins a variable (`%REQ(cookie)%`) unless it is doubled."""
    return given.replace("%", "%%")


def path_prefix(given: Any) -> str:
    """Take the beginning of a URL's path, as it is in a request: percent-encoded, without a query."""
    if not isinstance(given, str) or not given.startswith("/") or given != "".join(given.split()):
        raise ValueError("is not a path that begins with /")
    if len(given) > MAX_PATH:
        raise ValueError(f"has {len(given)} characters, a path prefix has at most {MAX_PATH}")
    if not _PATH.fullmatch(given):
        raise ValueError("is not percent-encoded ASCII, as the path of a request is")
    if "?" in given or "#" in given:
        raise ValueError("is compared with the path alone, which ends before ? and #")
    return given
