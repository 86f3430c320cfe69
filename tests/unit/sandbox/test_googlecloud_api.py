"""The Cloud DNS emulator's REST API refuses what the real service refuses; contract tests have what it accepts."""

from collections.abc import Callable
from typing import Any

import pytest

from sandbox.googlecloud.api import make_app
from sandbox.googlecloud.zones import Zones

PROJECT = "/dns/v1/projects/sandbox"
ZONES = f"{PROJECT}/managedZones"
ZONE, RRSETS, CHANGES = f"{ZONES}/sandbox", f"{ZONES}/sandbox/rrsets", f"{ZONES}/sandbox/changes"
Call = Callable[..., tuple[int, Any]]


def record_set(name: str = "shop", type_: str = "A", *rrdatas: str, ttl: int = 60) -> dict[str, Any]:
    name = name if name.endswith(".") else f"{name}.sandbox.test."
    return {"name": name, "type": type_, "ttl": ttl, "rrdatas": list(rrdatas or ["203.0.113.10"])}


def make_call() -> Call:
    """Return an emulator whose zone `sandbox` has the record set `shop`."""
    zones = Zones("sandbox")
    zones.create({"name": "sandbox", "dnsName": "sandbox.test.", "description": ""})
    client = make_app(zones).test_client()

    def call(method: str, path: str, body: Any = None) -> tuple[int, Any]:
        response = client.open(path, method=method, json=body)
        return response.status_code, response.get_json(silent=True)

    assert call("POST", RRSETS, record_set())[0] == 200
    return call


@pytest.fixture
def call() -> Call:
    return make_call()


def reason(answer: tuple[int, Any]) -> tuple[int, str]:
    code, body = answer
    return code, body["error"]["errors"][0]["reason"]


CNAME = record_set("shop", "CNAME", "a.test.")
REFUSED: list[tuple[str, str, Any, int, str]] = [
    ("POST", RRSETS, record_set(), 409, "alreadyExists"),
    ("POST", RRSETS, CNAME, 400, "cnameResourceRecordSetConflict"),
    ("POST", CHANGES, {}, 400, "required"),
    ("POST", CHANGES, {"deletions": [record_set("gone")]}, 404, "notFound"),
    ("POST", CHANGES, {"deletions": [record_set(ttl=61)]}, 412, "conditionNotMet"),
    ("GET", f"{RRSETS}?type=A", None, 400, "required"),
    ("DELETE", ZONE, None, 400, "containerNotEmpty"),
    ("GET", "/dns/v1/projects/other/managedZones", None, 403, "forbidden"),
    ("GET", "/dns/v2/nothing", None, 404, "notFound"),
]


@pytest.mark.parametrize(("method", "path", "body", "code", "why"), REFUSED)
def test_a_call_is_refused_with_the_services_code_and_reason(
    call: Call, method: str, path: str, body: Any, code: int, why: str
) -> None:
    assert reason(call(method, path, body)) == (code, why)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (record_set() | {"name": "shop.sandbox.test"}, "invalid"),
        (record_set("a.*"), "invalid"),
        (record_set("new", ttl=-1), "invalid"),
        (record_set("new", "NOPE"), "invalid"),
        (record_set("new") | {"rrdatas": []}, "invalid"),
        ({"type": "A", "ttl": 60, "rrdatas": ["203.0.113.10"]}, "required"),
        (record_set("m", "MX", "10 mail"), "invalid"),
        (record_set("c", "CNAME", "a.test.", "b.test."), "invalidRecordCount"),
        (record_set("sandbox.test.", "CNAME", "a.test."), "cnameResourceRecordSetConflict"),
    ],
)
def test_an_invalid_record_set_is_refused_and_a_change_is_all_or_nothing(call: Call, body: Any, why: str) -> None:
    assert reason(call("POST", RRSETS, body)) == (400, why)
    refused = call("POST", CHANGES, {"additions": [record_set("good"), body]})
    assert reason(refused) == (400, why)
    assert "entity.change.additions[1]" in refused[1]["error"]["message"], "the path names the invalid record set"
    names = {item["name"] for item in call("GET", RRSETS)[1]["rrsets"]}
    assert names == {"sandbox.test.", "shop.sandbox.test."}


def test_a_change_deletes_records_in_any_order_and_may_put_a_cname_in_their_place(call: Call) -> None:
    call("POST", RRSETS, record_set("two", "A", "203.0.113.1", "203.0.113.2"))
    swapped = record_set("two", "A", "203.0.113.2", "203.0.113.1")
    assert call("POST", CHANGES, {"deletions": [swapped, record_set()], "additions": [CNAME]})[0] == 200


def test_the_zones_own_records_may_be_edited_but_not_deleted(call: Call) -> None:
    own = {item["type"]: item for item in call("GET", f"{RRSETS}?name=sandbox.test.")[1]["rrsets"]}
    assert sorted(own) == ["NS", "SOA"]
    for rrset in own.values():
        assert reason(call("POST", CHANGES, {"deletions": [rrset]})) == (400, "invalidZoneApex")
    replaced = {"deletions": [own["NS"]], "additions": [own["NS"] | {"ttl": 60}]}
    assert call("POST", CHANGES, replaced)[0] == 200


def test_lists_are_paged(call: Call) -> None:
    names, token, pages = [], "", 0
    while pages == 0 or token:
        _, page = call("GET", f"{RRSETS}?maxResults=2" + (f"&pageToken={token}" if token else ""))
        names += [(item["name"], item["type"]) for item in page["rrsets"]]
        token, pages = page.get("nextPageToken", ""), pages + 1
    assert (len(set(names)), pages) == (3, 2), "the zone's own two and `shop`, two a page"
