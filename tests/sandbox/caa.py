"""CAA as a CA enforces it (RFC 8659 and RFC 8657), on the sandbox's own DNS: Pebble does not look at it."""

from typing import Any

import dns.message
import dns.name
import dns.query
import dns.rdatatype

from sandbox import network
from tests.sandbox import jws

IDENTITY = "ca.sandbox.test"
"""By which the CA knows itself."""


def order_of(body: bytes) -> tuple[str, list[str]]:
    """Return the account that a new order is signed by, and the names that it is for."""
    return jws.account(body), [each["value"] for each in jws.payload(body)["identifiers"]]


def refusal(account: str, names: list[str]) -> dict[str, Any] | None:
    """Return the problem document (RFC 8555, section 6.7) of an order that CAA forbids."""
    forbidden = [name for name in names if not _allows(name, account)]
    if not forbidden:
        return None
    detail = f"CAA record for {', '.join(forbidden)} prevents issuance"
    return {"type": "urn:ietf:params:acme:error:caa", "detail": detail, "status": 403}


def _allows(name: str, account: str) -> bool:
    owner, wildcard = dns.name.from_text(name.removeprefix("*.")), name.startswith("*.")
    while owner != dns.name.root:
        found = [(each.tag.decode(), each.value.decode()) for each in records(owner)]
        if found:
            wild = [value for tag, value in found if tag == "issuewild"] if wildcard else []
            counting = wild or [value for tag, value in found if tag == "issue"]
            return not counting or any(_names(value, account) for value in counting)
        owner = owner.parent()
    return True


def records(owner: dns.name.Name) -> list[Any]:
    """Return the CAA records of a name."""
    answer = dns.query.udp_with_fallback(dns.message.make_query(owner, "CAA"), network.HOST, timeout=5)[0]
    return [each for found in answer.answer if found.rdtype == dns.rdatatype.CAA for each in found]


def _names(value: str, account: str) -> bool:
    domain, *parameters = (part.strip() for part in value.split(";"))
    given = dict(part.split("=", 1) for part in parameters if part)
    return domain == IDENTITY and given.get("accounturi", account) == account
