"""The Cloud DNS emulator through its REST API: shapes, codes and reasons of the real service."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.googlecloud.api import make_app
from sandbox.googlecloud.zones import Zones

PROJECT = "/dns/v1/projects/sandbox"
ZONE = f"{PROJECT}/managedZones/sandbox"
Call = Callable[..., tuple[int, Any]]


def make_call() -> Call:
    zones = Zones("sandbox")
    zones.create({"name": "sandbox", "dnsName": "sandbox.test.", "description": ""})
    client = make_app(zones).test_client()

    def call(method: str, path: str, body: Any = None, **query: Any) -> tuple[int, Any]:
        response = client.open(path, method=method, json=body, query_string=query)
        return response.status_code, response.get_json(silent=True)

    return call


@pytest.fixture
def call() -> Call:
    return make_call()


def a_record(name: str = "shop.sandbox.test.", *addresses: str, ttl: int = 60) -> dict[str, Any]:
    return {"name": name, "type": "A", "ttl": ttl, "rrdatas": list(addresses or ["203.0.113.10"])}


def reason(answer: tuple[int, Any]) -> tuple[int, str]:
    code, body = answer
    assert body["error"]["code"] == code, "the body repeats the status, which googleapi clients read"
    return code, body["error"]["errors"][0]["reason"]


def test_a_record_set_is_created_read_changed_and_deleted(call: Call) -> None:
    code, created = call("POST", f"{ZONE}/rrsets", a_record())
    assert code == 200, created
    assert created == a_record() | {"kind": "dns#resourceRecordSet", "signatureRrdatas": []}
    path = f"{ZONE}/rrsets/shop.sandbox.test./A"
    assert call("GET", path) == (200, created), "what was created is what is read"
    code, patched = call("PATCH", path, {"ttl": 300})
    assert (code, patched["ttl"], patched["rrdatas"]) == (200, 300, ["203.0.113.10"]), "a patch keeps the rest"
    assert call("DELETE", path) == (200, {})
    assert reason(call("GET", path)) == (404, "notFound")


def test_creating_what_exists_is_a_conflict_in_the_services_words(call: Call) -> None:
    call("POST", f"{ZONE}/rrsets", a_record())
    code, body = call("POST", f"{ZONE}/rrsets", a_record())
    assert code == 409
    assert body["error"]["message"] == ("The resource 'entity.rrset' named 'shop.sandbox.test. (A)' already exists"), (
        "clients match on this text"
    )


def test_a_change_is_pending_when_made_and_done_when_read(call: Call) -> None:
    code, change = call("POST", f"{ZONE}/changes", {"additions": [a_record()]})
    assert (code, change["kind"], change["status"]) == (200, "dns#change", "pending")
    assert call("GET", f"{ZONE}/changes/{change['id']}")[1]["status"] == "done"
    listed = call("GET", f"{ZONE}/changes")[1]["changes"]
    assert [change["id"] for change in listed] == ["1", "0"], "the newest first; 0 made the zone itself"


def test_a_deletion_must_match_exactly_and_changes_nothing_when_it_does_not(call: Call) -> None:
    call("POST", f"{ZONE}/rrsets", a_record())
    call("POST", f"{ZONE}/rrsets", a_record("two.sandbox.test.", "203.0.113.1", "203.0.113.2"))
    swapped = {"deletions": [a_record("two.sandbox.test.", "203.0.113.2", "203.0.113.1")]}
    assert call("POST", f"{ZONE}/changes", swapped)[0] == 200, "in any order of the records"
    for wrong in (a_record(ttl=61), a_record("shop.sandbox.test.", "203.0.113.11")):
        body = {"deletions": [wrong], "additions": [a_record("new.sandbox.test.")]}
        assert reason(call("POST", f"{ZONE}/changes", body)) == (412, "conditionNotMet")
    names = {record["name"] for record in call("GET", f"{ZONE}/rrsets")[1]["rrsets"]}
    assert "new.sandbox.test." not in names, "a change is all or nothing"
    missing = {"deletions": [a_record("gone.sandbox.test.")]}
    assert reason(call("POST", f"{ZONE}/changes", missing)) == (404, "notFound")


@pytest.mark.parametrize(
    ("body", "want"),
    [
        (a_record("shop.sandbox.test"), "invalid"),
        (a_record("shop.elsewhere.test."), "invalid"),
        (a_record("a..sandbox.test."), "invalid"),
        (a_record("a.*.sandbox.test."), "invalid"),
        (a_record("shop.sandbox.test.", "not-an-address"), "invalid"),
        (a_record(ttl=-1), "invalid"),
        (a_record() | {"type": "NOPE"}, "invalid"),
        (a_record() | {"rrdatas": []}, "invalid"),
        ({"type": "A", "ttl": 60, "rrdatas": ["203.0.113.10"]}, "required"),
        ({"name": "m.sandbox.test.", "type": "MX", "ttl": 1, "rrdatas": ["10 mail"]}, "invalid"),
        (
            {"name": "c.sandbox.test.", "type": "CNAME", "ttl": 1, "rrdatas": ["a.test.", "b.test."]},
            "invalidRecordCount",
        ),
        ({"name": "*.sandbox.test.", "type": "NS", "ttl": 1, "rrdatas": ["a.test."]}, "wildcardNotAllowed"),
        (
            {"name": "sandbox.test.", "type": "CNAME", "ttl": 1, "rrdatas": ["a.test."]},
            "cnameResourceRecordSetConflict",
        ),
    ],
)
def test_an_invalid_record_set_is_refused(call: Call, body: Any, want: str) -> None:
    assert reason(call("POST", f"{ZONE}/rrsets", body)) == (400, want)
    refused = call("POST", f"{ZONE}/changes", {"additions": [a_record("good.sandbox.test."), body]})
    assert reason(refused) == (400, want)
    assert "entity.change.additions[1]" in refused[1]["error"]["message"], "the path names the invalid record set"


def test_a_cname_stands_alone(call: Call) -> None:
    cname = {"name": "shop.sandbox.test.", "type": "CNAME", "ttl": 60, "rrdatas": ["a.test."]}
    call("POST", f"{ZONE}/rrsets", a_record())
    assert reason(call("POST", f"{ZONE}/rrsets", cname)) == (400, "cnameResourceRecordSetConflict")
    swap = {"deletions": [a_record()], "additions": [cname]}
    assert call("POST", f"{ZONE}/changes", swap)[0] == 200, "one may take the other's place in one change"


def test_the_zones_own_records_exist_and_are_protected(call: Call) -> None:
    own = {record["type"]: record for record in call("GET", f"{ZONE}/rrsets", name="sandbox.test.")[1]["rrsets"]}
    assert sorted(own) == ["NS", "SOA"]
    assert own["NS"]["rrdatas"] == call("GET", ZONE)[1]["nameServers"]
    for rrset in own.values():
        assert reason(call("POST", f"{ZONE}/changes", {"deletions": [rrset]})) == (400, "invalidZoneApex")
    replaced = {"deletions": [own["NS"]], "additions": [own["NS"] | {"ttl": 60}]}
    assert call("POST", f"{ZONE}/changes", replaced)[0] == 200, "they may be edited"


def test_lists_are_filtered_and_paged(call: Call) -> None:
    for i in range(5):
        call("POST", f"{ZONE}/rrsets", a_record(f"h{i}.sandbox.test."))
    assert reason(call("GET", f"{ZONE}/rrsets", type="A")) == (400, "required"), "a type needs a name"
    one = call("GET", f"{ZONE}/rrsets", name="h3.sandbox.test.", type="A")[1]["rrsets"]
    assert [record["name"] for record in one] == ["h3.sandbox.test."]
    seen, token, pages = [], "", 0
    while pages == 0 or token:
        code, page = call("GET", f"{ZONE}/rrsets", maxResults=3, **({"pageToken": token} if token else {}))
        assert code == 200, page
        seen += page["rrsets"]
        token, pages = page.get("nextPageToken", ""), pages + 1
    assert (len(seen), pages) == (7, 3), "five and the zone's own two, three a page"
    assert reason(call("GET", f"{ZONE}/rrsets", pageToken="!")) == (400, "invalid")


def test_zones_are_created_found_and_deleted_when_empty(call: Call) -> None:
    zone = {"name": "other", "dnsName": "other.test.", "description": "x"}
    code, created = call("POST", f"{PROJECT}/managedZones", zone)
    assert (code, created["kind"], created["dnsName"]) == (200, "dns#managedZone", "other.test.")
    assert reason(call("POST", f"{PROJECT}/managedZones", zone)) == (409, "alreadyExists")
    matching = call("GET", f"{PROJECT}/managedZones", dnsName="other.test.")[1]["managedZones"]
    assert [item["name"] for item in matching] == ["other"], "this filter is how cert-manager finds its zone"
    assert call("GET", f"{PROJECT}/managedZones/{created['id']}")[1] == created, "a zone has two names"
    other = f"{PROJECT}/managedZones/other"
    call("POST", f"{other}/rrsets", a_record("a.other.test."))
    assert reason(call("DELETE", other)) == (400, "containerNotEmpty")
    call("DELETE", f"{other}/rrsets/a.other.test./A")
    assert call("DELETE", other)[0] == 204
    assert reason(call("GET", other)) == (404, "notFound")


@pytest.mark.parametrize(
    ("change", "want"),
    [({"name": "No"}, "invalid"), ({"dnsName": "a.test"}, "invalid"), ({"dnsName": "."}, "invalid")],
)
def test_a_zone_that_is_not_valid_is_refused(call: Call, change: Any, want: str) -> None:
    body = {"name": "new", "dnsName": "new.test.", "description": ""} | change
    assert reason(call("POST", f"{PROJECT}/managedZones", body)) == (400, want)


def test_other_projects_zones_and_paths_are_refused_as_json(call: Call) -> None:
    assert reason(call("GET", "/dns/v1/projects/other/managedZones")) == (403, "forbidden")
    assert reason(call("GET", f"{PROJECT}/managedZones/nope/rrsets")) == (404, "notFound")
    assert reason(call("GET", "/dns/v2/nothing")) == (404, "notFound")
    assert reason(call("POST", f"{ZONE}/changes", {})) == (400, "required")


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(["A", "AAAA", "CAA", "CNAME", "MX", "NS", "TXT", "SRV", "SOA"]), st.text(max_size=300))
def test_any_text_is_either_a_record_that_reads_back_or_refused(rdtype: str, text: str) -> None:
    call = make_call()
    body = {"name": "h.sandbox.test.", "type": rdtype, "ttl": 1, "rrdatas": [text]}
    code, answer = call("POST", f"{ZONE}/rrsets", body)
    if code == 200:
        assert call("POST", f"{ZONE}/changes", {"deletions": [answer]})[0] == 200, "its text form reads back"
    else:
        assert code == 400, answer
