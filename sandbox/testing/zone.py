"""The sandbox's managed zone, through Cloud DNS's REST API and through DNS."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

import dns.message
import dns.query

from sandbox import network
from sandbox.testing import client

CLOUD_DNS = "http://127.0.0.1:8053"
ZONES = "/dns/v1/projects/sandbox/managedZones"
RECORD_SETS = f"{ZONES}/sandbox/rrsets"


def google(method: str, path: str, body: Any = None) -> Any:
    """Call the emulated Google Cloud and return the decoded answer, None if it is empty.

    Raises:
        AssertionError: The answer is an error; the message has it.
    """
    host, _, port = CLOUD_DNS.removeprefix("http://").partition(":")
    content = json.dumps(body).encode() if body else None
    request = client.Request(path, method, content, {"Content-Type": "application/json"})
    answer = client.plain(host, request, port=int(port))
    assert answer.status < HTTPStatus.BAD_REQUEST, f"{method} {path} was answered {answer.status}: {answer.body}"
    return answer.json() if answer.content.strip() else None


def cloud_dns(method: str, path: str = "", body: Any = None, *, below: str = RECORD_SETS) -> Any:
    """Call Cloud DNS at a path below the record sets of the sandbox's zone, or below `below`.

    Raises:
        AssertionError: The answer is an error; the message has it.
    """
    return google(method, below + path, body)


@contextmanager
def record_sets(*records: dict[str, Any], zone: str = "sandbox") -> Iterator[None]:
    """Create record sets in a zone while the block runs; one that is deleted in the block stays deleted.

    Args:
        records: Each with ``name`` (with its trailing dot), ``type``, ``ttl`` and ``rrdatas``.
        zone: The managed zone.
    """
    below = f"{ZONES}/{zone}/rrsets"
    for record in records:
        google("POST", below, record)
    try:
        yield
    finally:
        present = {(record["name"], record["type"]) for record in google("GET", below)["rrsets"]}
        for name, kind in {(record["name"], record["type"]) for record in records} & present:
            google("DELETE", f"{below}/{name}/{kind}")


@contextmanager
def managed_zone(name: str, domain: str, **more: str) -> Iterator[None]:
    """Create a managed zone for a domain while the block runs; it has to be empty at the end."""
    google("POST", ZONES, {"name": name, "dnsName": f"{domain}.", "description": "", **more})
    try:
        yield
    finally:
        google("DELETE", f"{ZONES}/{name}")


def a_records() -> dict[str, tuple[list[str], int]]:
    """Return the zone's A records: addresses and TTL by name, without the trailing dot."""
    sets = cloud_dns("GET")["rrsets"]
    return {record["name"].rstrip("."): (record["rrdatas"], record["ttl"]) for record in sets if record["type"] == "A"}


def txt_records(zone: str = "sandbox") -> dict[str, str]:
    """Return the first value of each TXT record set of a zone, by name without the trailing dot."""
    sets = google("GET", f"{ZONES}/{zone}/rrsets")["rrsets"]
    return {record["name"].rstrip("."): record["rrdatas"][0] for record in sets if record["type"] == "TXT"}


def changes(zone: str = "sandbox") -> list[dict[str, Any]]:
    """Return every change that was ever made in a zone, the oldest first."""
    path = f"{ZONES}/{zone}/changes?maxResults=1000&sortOrder=ascending"
    history: list[dict[str, Any]] = google("GET", path)["changes"]
    return history


def resolve(host: str, kind: str = "A") -> list[str]:
    """Return the addresses that the sandbox's DNS server answers for a name."""
    answer = dns.query.udp(dns.message.make_query(host, kind), network.HOST, timeout=5)
    return [str(address) for record_set in answer.answer for address in record_set]
