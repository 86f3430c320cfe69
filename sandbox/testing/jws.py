"""What a request of an ACME client says (RFC 8555, section 6.2). Signatures are for the ACME server to look at."""

import base64
import json
from typing import Any


def account(body: bytes) -> str:
    """Return the URL of the account that a request is signed by."""
    return str(_part(body, "protected")["kid"])


def payload(body: bytes) -> Any:
    """Return what is asked for."""
    return _part(body, "payload")


def names(body: bytes) -> list[str]:
    """Return the names that a new order is for."""
    return [each["value"] for each in payload(body)["identifiers"]]


def _part(body: bytes, name: str) -> Any:
    text = json.loads(body)[name]
    return json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
