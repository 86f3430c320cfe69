"""The content of an ACME client's requests (RFC 8555, section 6.2); the ACME server checks the signatures."""

import base64
import json
from typing import Any


def account(body: bytes) -> str:
    """Return the URL of the account that signed a request."""
    return str(_part(body, "protected")["kid"])


def payload(body: bytes) -> Any:
    """Return the payload of a request."""
    return _part(body, "payload")


def names(body: bytes) -> list[str]:
    """Return the names of a new order."""
    return [identifier["value"] for identifier in payload(body)["identifiers"]]


def replaces(body: bytes) -> bool:
    """Tell whether a new order is a renewal that ARI asked for (RFC 9773, section 5)."""
    return bool(payload(body).get("replaces"))


def _part(body: bytes, name: str) -> Any:
    text = json.loads(body)[name]
    return json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
