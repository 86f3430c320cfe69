"""CAA as a CA enforces it (RFC 8659 and RFC 8657), on the sandbox's own DNS: Pebble does not look at it."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

import dns.message
import dns.name
import dns.query
import dns.rdatatype

from sandbox import network

IDENTITY = "ca.sandbox.test"
"""The name of the CA in CAA records."""


def is_taken(body: bytes) -> bool:
    """Tell whether a request asks to validate a challenge: without a payload, it reads it (RFC 8555, section 7.5.1)."""
    return bool(json.loads(body)["payload"])


def offered(authorization: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """Return the name and the method of each challenge of an authorization, by its URL."""
    star = "*." if authorization.get("wildcard") else ""
    name = star + authorization["identifier"]["value"]
    return {challenge["url"]: (name, challenge["type"]) for challenge in authorization["challenges"]}


def refusal(account: str, names: Iterable[str], method: str | None = None) -> dict[str, Any] | None:
    """Return the problem document (RFC 8555, section 6.7) of a request that CAA forbids.

    Args:
        account: The account that requests a certificate.
        names: The names of the certificate.
        method: The method of their proof; None while that is open.
    """
    forbidden = [name for name in names if not _allows(name, account, method)]
    if not forbidden:
        return None
    how = f" by {method}" if method else ""
    detail = f"CAA record for {', '.join(forbidden)} prevents issuance{how}"
    return {"type": "urn:ietf:params:acme:error:caa", "detail": detail, "status": 403}


def _allows(name: str, account: str, method: str | None) -> bool:
    owner, wildcard = dns.name.from_text(name.removeprefix("*.")), name.startswith("*.")
    while owner != dns.name.root:
        properties = [(record.tag.decode(), record.value.decode()) for record in records(owner)]
        if properties:
            wild = [value for tag, value in properties if tag == "issuewild"] if wildcard else []
            counting = wild or [value for tag, value in properties if tag == "issue"]
            return not counting or any(_names(value, account, method) for value in counting)
        owner = owner.parent()
    return True


def records(owner: dns.name.Name) -> list[Any]:
    """Return the CAA records of a name."""
    answer = dns.query.udp_with_fallback(dns.message.make_query(owner, "CAA"), network.HOST, timeout=5)[0]
    return [record for records in answer.answer if records.rdtype == dns.rdatatype.CAA for record in records]


def _names(value: str, account: str, method: str | None) -> bool:
    domain, *parameters = (part.strip() for part in value.split(";"))
    options = dict(part.split("=", 1) for part in parameters if part)
    methods = options.get("validationmethods")
    listed = method is None or methods is None or method in methods.split(",")
    return domain == IDENTITY and options.get("accounturi", account) == account and listed
