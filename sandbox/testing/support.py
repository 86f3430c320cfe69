"""What the sandbox tests share: a bounded wait, the cluster through kubectl, the zone through its REST API."""

import datetime
import json
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any, TypeVar

import dns.message
import dns.query

from sandbox.testing import client

CLOUD_DNS = "http://127.0.0.1:8053"
ZONES = "/dns/v1/projects/sandbox/managedZones"
RECORD_SETS = f"{ZONES}/sandbox/rrsets"
TIMEOUT = 60.0
_POLL = 0.1
_LONGEST_POLL = 0.8
"""Seconds between two looks: the first ones, and those of a long wait. A look is often a process of its own."""

T = TypeVar("T")


def eventually(
    what: str, look: Callable[[], T | None], timeout: float = TIMEOUT, *, until: Callable[[T], object] = bool
) -> T:
    """Return what `look` sees, once it is what is waited for; it looks again until then.

    Args:
        what: What is waited for, in words.
        look: Looks; what it raises ends the wait.
        timeout: Seconds.
        until: Says whether that is it; without it, whatever is true is.

    Raises:
        AssertionError: It did not come within `timeout`; says what was waited for and what was seen last.
    """
    deadline, pause = time.monotonic() + timeout, _POLL
    while True:
        seen = look()
        if seen is not None and until(seen):
            return seen
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout:.0f} s in vain until {what}; last seen: {seen!r}")
        time.sleep(pause)
        pause = min(pause * 1.3, _LONGEST_POLL)


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


def live(kind: str, name: str, namespace: str | None = None) -> dict[str, Any]:
    """An object of the cluster that must be there."""
    found = get(kind, name, namespace)
    assert found is not None, f"there is a {kind} {name}"
    return found


def items(kind: str, namespace: str | None = None) -> list[dict[str, Any]]:
    """Every object of a kind, of one namespace or of all."""
    where = ["--namespace", namespace] if namespace else ["--all-namespaces"]
    found: list[dict[str, Any]] = json.loads(kubectl("get", kind, *where, "--output=json"))["items"]
    return found


def names(kind: str, namespace: str | None = None) -> set[str]:
    """The names of every object of a kind."""
    return {item["metadata"]["name"] for item in items(kind, namespace)}


@contextmanager
def secrets_removed(*secrets: str, namespace: str = "istio-system") -> Iterator[None]:
    """Remove Secrets in the end, which cert-manager leaves: a Certificate that names one would be Ready at once."""
    try:
        yield
    finally:
        kubectl("delete", "secret", *secrets, "--namespace", namespace, "--ignore-not-found")


def renew(name: str, namespace: str = "istio-system") -> None:
    """Have a Certificate issued anew, in the way of `cmctl renew`: by the condition Issuing."""
    status, since = live("certificate", name, namespace)["status"], datetime.datetime.now(datetime.UTC)
    if failed := status.get("lastFailureTime"):
        # An attempt that did not fail before this time counts as this one's, and the API has whole seconds.
        since = max(since, datetime.datetime.fromisoformat(failed) + datetime.timedelta(seconds=1))
    condition = {
        "type": "Issuing", "status": "True", "reason": "ManuallyTriggered", "message": "renewed by a test",
        "lastTransitionTime": since.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }  # fmt: skip
    conditions = [each for each in status["conditions"] if each["type"] != "Issuing"]
    patch = json.dumps({"status": {"conditions": [*conditions, condition]}})
    kubectl("patch", "certificate", name, "-n", namespace, "--subresource=status", "--type=merge", f"--patch={patch}")


def cloud_dns(method: str, path: str = "", body: Any = None, *, below: str = RECORD_SETS) -> Any:
    """Call Cloud DNS: `path` is below the record sets of the sandbox's zone, or of what `below` names.

    Raises:
        AssertionError: the answer was an error; carries it.
    """
    host, _, port = CLOUD_DNS.removeprefix("http://").partition(":")
    content = json.dumps(body).encode() if body else None
    request = client.Request(below + path, method, content, {"Content-Type": "application/json"})
    answer = client.plain(host, request, port=int(port))
    assert answer.status < HTTPStatus.BAD_REQUEST, f"{method} {below}{path} was answered {answer.status}: {answer.body}"
    return answer.json() if answer.content.strip() else None


def a_records() -> dict[str, tuple[list[str], int]]:
    """The zone's A records: addresses and TTL by name, without the trailing dot."""
    sets = cloud_dns("GET")["rrsets"]
    return {item["name"].rstrip("."): (item["rrdatas"], item["ttl"]) for item in sets if item["type"] == "A"}


def resolve(host: str) -> list[str]:
    """The addresses that the sandbox's DNS server answers for a name."""
    answer = dns.query.udp(dns.message.make_query(host, "A"), "10.244.0.1", timeout=5)
    return [str(address) for found in answer.answer for address in found]
