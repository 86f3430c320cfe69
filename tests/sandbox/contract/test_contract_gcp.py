"""Google Cloud: record sets, the IAM policy of a zone, and addresses. Every stack of the suite looks up the rest."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.testing import ZONES, cloud_dns
from sandbox.testing.zone import CLOUD_DNS
from tests.sandbox.contract.project import Resource, Stack

pytestmark = pytest.mark.sandbox

RECORDS = f"{ZONES}/contract/rrsets"
ADDRESSES = "/compute/v1/projects/sandbox/regions/europe-west1/addresses"
CONFIG = {
    "gcp:project": "sandbox",
    "gcp:dnsCustomEndpoint": f"{CLOUD_DNS}/dns/v1/",
    "gcp:iamCustomEndpoint": f"{CLOUD_DNS}/v1/",
    "gcp:resourceManagerCustomEndpoint": f"{CLOUD_DNS}/v1/",
    "gcp:computeCustomEndpoint": f"{CLOUD_DNS}/compute/v1/",
    "gcp:accessToken": "x",
}
NAME, PATH = "shop.contract.test.", "/shop.contract.test./A"
ID = f"projects/sandbox/managedZones/contract/rrsets/{NAME}/A"
NO_ZONE = "The 'parameters.managedZone' resource named 'nope'"


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    with Stack(tmp_path, CONFIG) as made:
        yield made


@pytest.fixture
def zone() -> Iterator[str]:
    """An empty zone `contract`, with the DNS name `contract.test.`."""
    cloud_dns("POST", "", {"name": "contract", "dnsName": "contract.test.", "description": ""}, below=ZONES)
    yield "contract"
    for key in records("contract"):
        cloud_dns("DELETE", "/" + key.replace(" ", "/"), below=RECORDS)
    cloud_dns("DELETE", "/contract", below=ZONES)


def records(zone: str) -> dict[str, Any]:
    """The record sets of a zone but its own, `name type` -> `(ttl, records)`."""
    record_sets = cloud_dns("GET", f"/{zone}/rrsets", below=ZONES)["rrsets"]
    return {
        f"{record_set['name']} {record_set['type']}": (record_set["ttl"], record_set["rrdatas"])
        for record_set in record_sets
        if record_set["type"] not in ("NS", "SOA")
    }


def bindings(zone: str) -> dict[str, list[str]]:
    """The members of each role in a zone's IAM policy."""
    policy = cloud_dns("POST", f"/{zone}:getIamPolicy", {}, below=ZONES)
    return {binding["role"]: binding["members"] for binding in policy.get("bindings", [])}


def shop(*rrdatas: str, resource: str = "shop", **more: Any) -> Resource:
    props = {"managedZone": "contract", "name": NAME, "type": "A", "ttl": 60}
    props |= {"rrdatas": list(rrdatas or ["203.0.113.10"])} | more
    return resource, "gcp:dns/recordSet:RecordSet", props, {}


def test_a_record_set_lives_from_its_preview_to_its_destruction(stack: Stack, zone: str) -> None:
    stack.spec(shop())
    assert stack.ops() == {"shop": ["create"]}
    assert records(zone) == {}, "a preview changes nothing"

    stack.up()
    assert records(zone) == {f"{NAME} A": (60, ["203.0.113.10"])}
    state, (_, _, props, _) = stack.state("shop"), shop()
    assert state["id"] == ID
    assert (props | {"project": "sandbox"}).items() <= state["outputs"].items()
    assert state["inputs"] == props | {"__defaults": []}
    assert stack.ops() == {}, "a second preview is empty"

    stack.spec(shop("203.0.113.11", "203.0.113.12", ttl=300))
    step = stack.steps()["shop"][-1]
    assert step["op"] == "update"
    assert set(step["detailedDiff"]) == {"rrdatas[0]", "rrdatas[1]", "ttl"}
    stack.up()
    assert records(zone) == {f"{NAME} A": (300, ["203.0.113.11", "203.0.113.12"])}
    stack.spec(shop("203.0.113.12", "203.0.113.11", ttl=300))
    assert stack.ops() == {}, "the order of records means nothing"

    stack.destroy()
    assert records(zone) == {}


def test_a_new_name_replaces_and_a_new_type_updates(stack: Stack, zone: str) -> None:
    stack.spec(shop())
    stack.up()
    stack.spec(shop(name="new.contract.test."))
    step = stack.steps()["shop"][-1]
    assert step["op"] in ("replace", "create-replacement", "delete-replaced")
    assert step["replaceReasons"] == ["name"]
    stack.up()
    assert list(records(zone)) == ["new.contract.test. A"], "the old one is gone"
    stack.spec(shop("2001:db8::1", name="new.contract.test.", type="AAAA"))
    assert stack.ops() == {"shop": ["update"]}, "Terraform's schema does not force a new resource here"
    stack.up()
    assert list(records(zone)) == ["new.contract.test. AAAA"]


def test_a_record_set_that_exists_is_taken_over(stack: Stack, zone: str) -> None:
    cloud_dns("POST", body={"name": NAME, "type": "A", "ttl": 1, "rrdatas": ["1.1.1.1"]}, below=RECORDS)
    stack.spec(shop())
    stack.up()
    assert records(zone) == {f"{NAME} A": (60, ["203.0.113.10"])}, "the provider is authoritative"

    cloud_dns("PATCH", PATH, {"rrdatas": ["198.51.100.1"]}, below=RECORDS)
    stack.spec(shop(ttl=61))
    assert "conditionNotMet" in stack.up(fails=True), "an update of what has drifted is refused"
    cloud_dns("DELETE", PATH, below=RECORDS)
    stack.destroy()  # of what is gone succeeds


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"managedZone": "nope"}, f"googleapi: Error 404: {NO_ZONE}"),
        ({"rrdatas": ["x"]}, "googleapi: Error 400: Invalid value for 'entity.change.additions"),
        ({"name": "a.elsewhere.test."}, "googleapi: Error 400: Invalid value for 'entity.change.additions"),
    ],
)
def test_a_refusal_has_the_words_of_the_api(stack: Stack, zone: str, change: Any, says: str) -> None:
    stack.spec(shop(**change))
    assert says in stack.up(fails=True)
    assert "shop" not in stack.names()
    assert records(zone) == {}


def test_an_endpoint_that_does_not_answer_is_named(tmp_path: Path) -> None:
    stack = Stack(tmp_path, CONFIG | {"gcp:dnsCustomEndpoint": "http://127.0.0.1:1/dns/v1/"})
    stack.spec(shop())
    output = stack.up(fails=True)
    assert "127.0.0.1:1" in output
    assert "refused" in output


def test_record_sets_are_looked_up_and_there_may_be_none(stack: Stack, zone: str) -> None:
    token, name = "gcp:dns/getRecordSets:getRecordSets", {"name": "one.contract.test.", "type": "A"}
    for owner in ("one", "other"):
        body = {"name": f"{owner}.contract.test.", "type": "A", "ttl": 60, "rrdatas": ["203.0.113.7"]}
        cloud_dns("POST", body=body, below=RECORDS)
    lookups = {"all": {}, "of a type": {"type": "A"}, "of a name": name, "none": name | {"name": "nope.contract.test."}}
    stack.spec(*((key, token, {"managedZone": zone, **query}, {}) for key, query in lookups.items()))
    stack.up()
    answers = {key: output["rrsets"] for key, output in stack.outputs().items()}
    owners = {key: {f"{item['name']} {item['type']}" for item in items} for key, items in answers.items()}
    both = {"one.contract.test. A", "other.contract.test. A"}
    assert owners["all"] == both | {"contract.test. NS", "contract.test. SOA"}
    assert owners["of a type"] == both
    assert answers["of a name"] == [name | {"ttl": 60, "rrdatas": ["203.0.113.7"]}]
    assert answers["none"] == [], "that is no error"
    stack.spec(("gone", token, {"managedZone": "nope"}, {}))
    assert f"{NO_ZONE} does not exist" in stack.up(fails=True)


def test_a_role_and_its_members_on_a_zone_live_beside_those_of_others(stack: Stack, zone: str) -> None:
    theirs = {"role": "roles/dns.reader", "members": ["user:them@sandbox.test"]}
    cloud_dns("POST", f"/{zone}:setIamPolicy", {"policy": {"bindings": [theirs]}}, below=ZONES)
    one, other = "user:one@sandbox.test", "user:other@sandbox.test"
    permissions = ["dns.changes.get", "dns.changes.create"]

    def granted(*members: str, title: str = "Contract") -> list[Resource]:
        role = {"roleId": "contract", "title": title, "permissions": permissions}
        made: list[Resource] = [("role", "gcp:projects/iAMCustomRole:IAMCustomRole", role, {"outputs": ["name"]})]
        token = "gcp:dns/dnsManagedZoneIamMember:DnsManagedZoneIamMember"
        props = {"managedZone": zone, "role": {"$of": ["role", "name"]}}
        return made + [(member, token, props | {"member": member}, {}) for member in members]

    stack.spec(*granted(one, other))
    stack.up()
    name = "projects/sandbox/roles/contract"
    assert bindings(zone) == {"roles/dns.reader": theirs["members"], name: [one, other]}
    assert stack.ops() == {}, "a second preview is empty, whatever order the permissions have"

    ours = {"role": name, "members": [one]}
    cloud_dns("POST", f"/{zone}:setIamPolicy", {"policy": {"bindings": [theirs, ours]}}, below=ZONES)
    stack.refresh()
    assert stack.ops() == {other: ["create"]}, "a member that was taken out is put back"
    stack.spec(*granted(other, title="Changed"))
    assert stack.ops() == {"role": ["update"], one: ["delete"], other: ["create"]}
    stack.up()
    stack.destroy()
    assert bindings(zone) == {"roles/dns.reader": theirs["members"]}, "what others have is left"
    stack.spec(*granted(one))
    stack.up()
    assert bindings(zone)[name] == [one], "a role that was deleted keeps its id, and is made again"


def test_an_address_in_use_is_reserved_and_released(stack: Stack) -> None:
    props = {"name": "contract", "address": "203.0.113.77", "addressType": "EXTERNAL", "region": "europe-west1"}
    stack.spec(("ip", "gcp:compute/address:Address", props, {}))
    assert stack.ops() == {"ip": ["create"]}

    stack.up()
    assert cloud_dns("GET", "/contract", below=ADDRESSES)["address"] == "203.0.113.77", "the one in the program"
    state = stack.state("ip")
    assert state["id"] == "projects/sandbox/regions/europe-west1/addresses/contract"
    assert props.items() <= state["outputs"].items()
    assert stack.ops() == {}, "a second preview is empty"

    stack.spec(("ip", "gcp:compute/address:Address", props | {"address": "203.0.113.78"}, {}))
    assert "replace" in stack.ops()["ip"], "an address cannot become another one"

    stack.spec()
    stack.up()
    assert cloud_dns("GET", below=ADDRESSES)["items"] == [], "it is released"
