"""What the sandbox tests share: a bounded wait, the cluster through kubectl, the zone through its REST API."""

import http.client
import json
import subprocess
import time
from collections.abc import Callable
from typing import Any, TypeVar

import dns.message
import dns.query

ZONES = "/dns/v1/projects/sandbox/managedZones"
RECORD_SETS = f"{ZONES}/sandbox/rrsets"
TIMEOUT = 60.0
_POLL = 0.2

T = TypeVar("T")


def eventually(what: str, look: Callable[[], T | None], timeout: float = TIMEOUT) -> T:
    """The first truthy answer of `look`, which is asked again until then.

    Raises:
        AssertionError: there was none within `timeout` seconds; says `what` was waited for and the last answer.
    """
    deadline = time.monotonic() + timeout
    while True:
        answer = look()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout:.0f} s for this in vain: {what}; last seen: {answer!r}")
        time.sleep(_POLL)


def kubectl(*arguments: str, manifest: Any = None) -> str:
    """What kubectl prints; `manifest` is given to it as a file (``-f -``).

    Raises:
        AssertionError: it failed; carries its own words.
    """
    given, file = (json.dumps(manifest), ["-f", "-"]) if manifest is not None else (None, [])
    done = subprocess.run(
        ["kubectl", *arguments, *file], input=given, capture_output=True, text=True, timeout=TIMEOUT, check=False
    )
    assert done.returncode == 0, f"kubectl {' '.join(arguments)} failed: {done.stderr.strip()}"
    return done.stdout


def get(kind: str, name: str, namespace: str | None = None) -> dict[str, Any] | None:
    """An object of the cluster, or None where there is none."""
    where = ["--namespace", namespace] if namespace else []
    answer = kubectl("get", kind, name, *where, "--ignore-not-found", "--output=json")
    found: dict[str, Any] | None = json.loads(answer) if answer else None
    return found


def items(kind: str, namespace: str | None = None) -> list[dict[str, Any]]:
    """Every object of a kind, of one namespace or of all."""
    where = ["--namespace", namespace] if namespace else ["--all-namespaces"]
    found: list[dict[str, Any]] = json.loads(kubectl("get", kind, *where, "--output=json"))["items"]
    return found


def names(kind: str, namespace: str | None = None) -> set[str]:
    """The names of every object of a kind."""
    return {item["metadata"]["name"] for item in items(kind, namespace)}


def cloud_dns(method: str, path: str = "", body: Any = None, *, below: str = RECORD_SETS) -> Any:
    """Call Cloud DNS: `path` is below the record sets of the sandbox's zone, or of what `below` names.

    Raises:
        AssertionError: the answer was an error; carries it.
    """
    connection = http.client.HTTPConnection("127.0.0.1", 8053, timeout=10)
    connection.request(method, below + path, json.dumps(body) if body else None, {"Content-Type": "application/json"})
    response = connection.getresponse()
    text = response.read().decode()
    connection.close()
    assert response.status < http.client.BAD_REQUEST, f"{method} {below}{path} was answered {response.status}: {text}"
    return json.loads(text) if text.strip() else None


def a_records() -> dict[str, tuple[list[str], int]]:
    """The zone's A records: addresses and TTL by name, without the trailing dot."""
    sets = cloud_dns("GET")["rrsets"]
    return {item["name"].rstrip("."): (item["rrdatas"], item["ttl"]) for item in sets if item["type"] == "A"}


def resolve(host: str) -> list[str]:
    """The addresses that the sandbox's DNS server answers for a name."""
    answer = dns.query.udp(dns.message.make_query(host, "A"), "10.244.0.1", timeout=5)
    return [str(address) for found in answer.answer for address in found]
