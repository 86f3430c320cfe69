"""What this project relies on in pulumi-gcp, through the engine: the real plugin and its stand-in both pass."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.testing import ZONES, cloud_dns
from sandbox.testing.zone import CLOUD_DNS
from tests.sandbox.contract.project import ContractStack

pytestmark = pytest.mark.sandbox

ENDPOINT = f"{CLOUD_DNS}/dns/v1/"
RECORDS = f"{ZONES}/contract/rrsets"

IAM = f"{CLOUD_DNS}/v1/"
CONFIG = {
    "gcp:project": "sandbox",
    "gcp:dnsCustomEndpoint": ENDPOINT,
    "gcp:iamCustomEndpoint": IAM,
    "gcp:resourceManagerCustomEndpoint": IAM,
    "gcp:computeCustomEndpoint": f"{CLOUD_DNS}/compute/v1/",
    "gcp:containerCustomEndpoint": IAM,
    "gcp:accessToken": "x",
}

PROGRAM = """\
import json
import pathlib
import pulumi
import pulumi_gcp as gcp

spec = json.loads(pathlib.Path("spec.json").read_text())
for name, args in spec.get("zones", {}).items():
    zone = gcp.dns.ManagedZone(name, **args)
    pulumi.export(name, zone.name)
    if args.get("description") == "with a record":
        gcp.dns.RecordSet(
            f"in-{name}", managed_zone=zone.name, name=zone.dns_name, type="A", ttl=60, rrdatas=["203.0.113.1"]
        )
for name, args in spec.get("records", {}).items():
    gcp.dns.RecordSet(name, **args)
for name, args in spec.get("roles", {}).items():
    role = gcp.projects.IAMCustomRole(name, **args)
    for member in spec["members"]:
        gcp.dns.DnsManagedZoneIamMember(member, managed_zone="contract", role=role.name, member=member)
for name, args in spec.get("addresses", {}).items():
    gcp.compute.Address(name, **args)
for name in spec.get("lookups", []):
    pulumi.export(name, gcp.dns.get_managed_zone(name=name).__dict__)
for name, args in spec.get("record lookups", {}).items():
    found = gcp.dns.get_record_sets(**args)
    keys = ("name", "type", "ttl", "rrdatas")
    pulumi.export(name, [{key: getattr(each, key) for key in keys} for each in found.rrsets])
for name in spec.get("clusters", []):
    found = gcp.container.get_cluster(name=name, location="europe-west1")
    blocks = found.master_auths, found.control_plane_endpoints_configs, found.private_cluster_configs
    pulumi.export(name, [found.id, found.endpoint, found.enable_autopilot, found.workload_identity_configs, *blocks])
"""


class Stack(ContractStack):
    """A stack of the gcp provider's resources."""

    program = PROGRAM

    def spec(self, **spec: Any) -> None:
        self.write_spec(spec)


def records(zone: str) -> dict[str, Any]:
    """The record sets of a zone but its own, `name type` -> `(ttl, records)`."""
    found = cloud_dns("GET", f"/{zone}/rrsets", below=ZONES)["rrsets"]
    return {
        f"{each['name']} {each['type']}": (each["ttl"], each["rrdatas"])
        for each in found
        if each["type"] not in ("NS", "SOA")
    }


def names(stack: Stack) -> set[str]:
    """The names of the resources in the state."""
    return {each["urn"].rpartition("::")[2] for each in stack.resources()}


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


def shop(*rrdatas: str, **more: Any) -> dict[str, Any]:
    args = {"managed_zone": "contract", "name": "shop.contract.test.", "type": "A", "ttl": 60}
    return args | {"rrdatas": list(rrdatas or ["203.0.113.10"])} | more


ID = "projects/sandbox/managedZones/contract/rrsets/shop.contract.test./A"


def test_a_record_set_lives_from_its_preview_to_its_destruction(stack: Stack, zone: str) -> None:
    stack.spec(records={"shop": shop()})
    assert stack.ops() == {"shop": ["create"]}
    assert records(zone) == {}, "a preview changes nothing"

    stack.up()
    assert records(zone) == {"shop.contract.test. A": (60, ["203.0.113.10"])}
    state = stack.resource("shop")
    assert state["id"] == ID
    wanted = {
        "managedZone": "contract",
        "name": "shop.contract.test.",
        "project": "sandbox",
        "rrdatas": ["203.0.113.10"],
        "ttl": 60,
        "type": "A",
    }
    assert wanted.items() <= state["outputs"].items()
    assert state["inputs"] == {key: wanted[key] for key in wanted if key != "project"} | {"__defaults": []}
    assert stack.ops() == {}, "a second preview is empty"

    stack.spec(records={"shop": shop("203.0.113.11", "203.0.113.12", ttl=300)})
    step = stack.steps()["shop"][-1]
    assert step["op"] == "update"
    assert set(step["detailedDiff"]) == {"rrdatas[0]", "rrdatas[1]", "ttl"}
    stack.up()
    assert records(zone) == {"shop.contract.test. A": (300, ["203.0.113.11", "203.0.113.12"])}
    stack.spec(records={"shop": shop("203.0.113.12", "203.0.113.11", ttl=300)})
    assert stack.ops() == {}, "the order of records means nothing"

    stack.destroy()
    assert records(zone) == {}


def test_a_new_name_replaces_and_a_new_type_updates(stack: Stack, zone: str) -> None:
    stack.spec(records={"shop": shop()})
    stack.up()
    stack.spec(records={"shop": shop(name="new.contract.test.")})
    step = stack.steps()["shop"][-1]
    assert step["op"] in ("replace", "create-replacement", "delete-replaced")
    assert step["replaceReasons"] == ["name"]
    stack.up()
    assert list(records(zone)) == ["new.contract.test. A"], "the old one is gone"
    stack.spec(records={"shop": shop("2001:db8::1", name="new.contract.test.", type="AAAA")})
    assert stack.ops() == {"shop": ["update"]}, "Terraform's schema does not force a new resource here"
    stack.up()
    assert list(records(zone)) == ["new.contract.test. AAAA"]


def test_a_record_set_that_exists_is_taken_over(stack: Stack, zone: str) -> None:
    body = {"name": "shop.contract.test.", "type": "A", "ttl": 1, "rrdatas": ["1.1.1.1"]}
    cloud_dns("POST", body=body, below=RECORDS)
    stack.spec(records={"shop": shop()})
    stack.up()
    assert records(zone) == {"shop.contract.test. A": (60, ["203.0.113.10"])}, "the provider is authoritative"


def test_drift_is_found_by_refresh_and_fixed_by_up(stack: Stack, zone: str) -> None:
    stack.spec(records={"shop": shop()})
    stack.up()
    path = "/shop.contract.test./A"
    cloud_dns("PATCH", path, {"rrdatas": ["198.51.100.1"]}, below=RECORDS)
    assert stack.ops() == {}, "without a refresh, drift is not seen"
    assert "conditionNotMet" in _edit_without_refresh(stack), "and an update of what has drifted is refused"
    stack.refresh()
    assert stack.resource("shop")["inputs"]["rrdatas"] == ["198.51.100.1"]
    assert stack.ops() == {"shop": ["update"]}
    stack.up()
    assert records(zone) == {"shop.contract.test. A": (60, ["203.0.113.10"])}

    cloud_dns("DELETE", path, below=RECORDS)
    stack.refresh()
    assert "shop" not in names(stack), "what is gone leaves the state"
    stack.up()
    assert list(records(zone)) == ["shop.contract.test. A"]
    cloud_dns("DELETE", path, below=RECORDS)  # and the destruction of what is gone succeeds, which the fixture does


def _edit_without_refresh(stack: Stack) -> str:
    stack.spec(records={"shop": shop(ttl=61)})
    said = stack.up(fails=True)
    stack.spec(records={"shop": shop()})
    return said


@pytest.mark.usefixtures("zone")
def test_a_record_set_is_imported_by_its_id(stack: Stack) -> None:
    stack.spec()
    body = {"name": "shop.contract.test.", "type": "A", "ttl": 60, "rrdatas": ["203.0.113.10"]}
    cloud_dns("POST", body=body, below=RECORDS)
    arguments = ("gcp:dns/recordSet:RecordSet", "shop")
    options = ("--yes", "--skip-preview", "--protect=false", "--generate-code=false")
    missing = stack.run("import", *arguments, ID.replace("shop.", "gone."), *options, fails=True)
    assert "does not exist" in missing
    stack.run("import", *arguments, "sandbox/contract/shop.contract.test./A", *options)
    state = stack.resource("shop")
    assert state["id"] == ID, "a short form will do, and the id is the long one"
    stack.spec(records={"shop": shop(project="sandbox")})
    assert stack.ops() == {}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"name": "shop.contract.test"}, "doesn't end with"),
        ({"rrdatas": None}, "rrdatas,routing_policy"),
        ({"rrdatas": []}, "rrdatas"),
    ],
)
def test_inputs_that_are_not_valid_fail_the_preview(stack: Stack, change: Any, says: str) -> None:
    stack.spec(records={"shop": shop() | change})
    said = stack.run("preview", fails=True)
    assert says.split(",")[0] in said
    assert "shop" in said, "the resource is named"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"managed_zone": "nope"}, "googleapi: Error 404: The 'parameters.managedZone' resource named 'nope'"),
        ({"rrdatas": ["x"]}, "googleapi: Error 400: Invalid value for 'entity.change.additions"),
        ({"name": "a.elsewhere.test."}, "googleapi: Error 400: Invalid value for 'entity.change.additions"),
    ],
)
def test_what_the_api_refuses_is_told_in_its_words(stack: Stack, zone: str, change: Any, says: str) -> None:
    stack.spec(records={"shop": shop() | change})
    assert says in stack.up(fails=True)
    assert "shop" not in names(stack)
    assert records(zone) == {}


def test_a_zone_and_its_record_are_made_and_replaced_together(stack: Stack) -> None:
    args = {"name": "made", "dns_name": "made.test.", "description": "with a record", "force_destroy": True}
    stack.spec(zones={"made": args})
    assert stack.ops() == {"made": ["create"], "in-made": ["create"]}, "what the zone makes up is not known yet"
    stack.up()
    state = stack.resource("made")
    assert state["id"] == "projects/sandbox/managedZones/made"
    assert state["outputs"]["nameServers"], "as the service gives out"
    assert stack.ops() == {}
    stack.spec(zones={"made": args | {"dns_name": "other.test.", "name": "other"}})
    ops = {op.partition("-")[0] for ops in stack.ops().values() for op in ops}
    assert ops <= {"replace", "create", "delete"}
    stack.up()
    assert list(records("other")) == ["other.test. A"]
    with pytest.raises(AssertionError, match="404"):
        cloud_dns("GET", "/made", below=ZONES)


def test_a_zone_is_looked_up(stack: Stack, zone: str) -> None:
    stack.spec(lookups=[zone])
    stack.up()
    found = stack.outputs()[zone]
    assert (found["dns_name"], found["id"]) == ("contract.test.", f"projects/sandbox/managedZones/{zone}")
    stack.spec(lookups=["nope"])
    assert "The 'parameters.managedZone' resource named 'nope' does not exist" in stack.up(fails=True)


def test_record_sets_are_looked_up_and_there_may_be_none(stack: Stack, zone: str) -> None:
    made = {"managed_zone": zone, "type": "A", "ttl": 60, "rrdatas": ["203.0.113.7"]}
    stack.spec(records={each: {**made, "name": f"{each}.contract.test."} for each in ("one", "other")})
    stack.up()
    lookups = {
        "all": {}, "of a type": {"type": "A"}, "of a name": {"name": "one.contract.test.", "type": "A"},
        "none": {"name": "nope.contract.test.", "type": "TXT"},
    }  # fmt: skip
    stack.spec(**{"record lookups": {name: {"managed_zone": zone, **given} for name, given in lookups.items()}})
    stack.up()
    found = stack.outputs()
    names = {name: {f"{each['name']} {each['type']}" for each in found[name]} for name in lookups}
    assert names["all"] >= {"contract.test. NS", "contract.test. SOA", "one.contract.test. A", "other.contract.test. A"}
    assert names["of a type"] == {"one.contract.test. A", "other.contract.test. A"}
    assert found["of a name"] == [{"name": "one.contract.test.", "type": "A", "ttl": 60, "rrdatas": ["203.0.113.7"]}]
    assert names["none"] == set(), "that is no error"
    stack.spec(**{"record lookups": {"gone": {"managed_zone": "nope"}}})
    assert "The 'parameters.managedZone' resource named 'nope' does not exist" in stack.up(fails=True)


def test_a_role_and_its_members_on_a_zone_live_beside_those_of_others(stack: Stack, zone: str) -> None:
    theirs = {"role": "roles/dns.reader", "members": ["user:them@sandbox.test"]}
    cloud_dns("POST", f"/{zone}:setIamPolicy", {"policy": {"bindings": [theirs]}}, below=ZONES)
    one, other = "user:one@sandbox.test", "user:other@sandbox.test"
    role = {"role_id": "contract", "title": "Contract", "permissions": ["dns.changes.get", "dns.changes.create"]}
    stack.spec(roles={"role": role}, members=[one, other])
    stack.up()
    name = "projects/sandbox/roles/contract"
    assert bindings(zone) == {"roles/dns.reader": theirs["members"], name: [one, other]}
    assert stack.ops() == {}, "a second preview is empty, whatever order the permissions have"

    ours = {"role": name, "members": [one]}
    cloud_dns("POST", f"/{zone}:setIamPolicy", {"policy": {"bindings": [theirs, ours]}}, below=ZONES)
    stack.refresh()
    assert stack.ops() == {other: ["create"]}, "a member that was taken out is put back"
    stack.spec(roles={"role": role | {"title": "Changed"}}, members=[other])
    assert stack.ops() == {"role": ["update"], one: ["delete"], other: ["create"]}
    stack.up()
    stack.destroy()
    assert bindings(zone) == {"roles/dns.reader": theirs["members"]}, "what others have is left"
    stack.spec(roles={"role": role}, members=[one])
    stack.up()
    assert bindings(zone)[name] == [one], "a role that was deleted keeps its id, and is made again"


def bindings(zone: str) -> dict[str, list[str]]:
    """The members of each role in a zone's IAM policy."""
    policy = cloud_dns("POST", f"/{zone}:getIamPolicy", {}, below=ZONES)
    return {each["role"]: each["members"] for each in policy.get("bindings", [])}


def test_an_endpoint_that_does_not_answer_is_named(tmp_path: Path) -> None:
    stack = Stack(tmp_path, CONFIG | {"gcp:dnsCustomEndpoint": "http://127.0.0.1:1/dns/v1/"})
    stack.spec(records={"shop": shop()})
    said = stack.up(fails=True)
    assert "127.0.0.1:1" in said
    assert "refused" in said


ADDRESSES = "/compute/v1/projects/sandbox/regions/europe-west1/addresses"
ADDRESS = {"name": "contract", "address": "203.0.113.77", "address_type": "EXTERNAL", "region": "europe-west1"}


def test_an_address_in_use_is_reserved_labelled_and_released(stack: Stack) -> None:
    stack.spec(addresses={"ip": ADDRESS})
    assert stack.ops() == {"ip": ["create"]}

    stack.up()
    found = cloud_dns("GET", "/contract", below=ADDRESSES)
    assert found["address"] == "203.0.113.77", "the one that was asked for"
    assert found["labels"] == {"goog-pulumi-provisioned": "true"}, "as the provider labels what it makes"
    state = stack.resource("ip")
    assert state["id"] == "projects/sandbox/regions/europe-west1/addresses/contract"
    assert {"address": "203.0.113.77", "region": "europe-west1", "name": "contract"}.items() <= state["outputs"].items()
    assert stack.ops() == {}, "a second preview is empty"

    stack.spec(addresses={"ip": ADDRESS | {"address": "203.0.113.78"}})
    assert "replace" in stack.ops()["ip"], "an address cannot become another one"

    stack.spec()
    stack.up()
    assert cloud_dns("GET", below=ADDRESSES)["items"] == [], "it is released"


CLUSTERS = "/v1/projects/sandbox/locations/europe-west1/clusters"


@pytest.fixture
def clusters() -> Iterator[list[str]]:
    """An Autopilot with its DNS endpoint open, and a cluster with a private endpoint alone."""
    by_dns = {"dnsEndpointConfig": {"allowExternalTraffic": True}}
    by_ip = {"ipEndpointsConfig": {"enablePublicEndpoint": False}}
    made = {"opened": {"autopilot": {"enabled": True}, "controlPlaneEndpointsConfig": by_dns}}
    made |= {"private": {"controlPlaneEndpointsConfig": by_ip}}
    for name, cluster in made.items():
        cloud_dns("POST", "", {"cluster": {"name": name, **cluster}}, below=CLUSTERS)
    yield [*made]
    for name in made:
        cloud_dns("DELETE", f"/{name}", below=CLUSTERS)


def test_a_cluster_is_looked_up_with_its_endpoints_as_blocks(stack: Stack, clusters: list[str]) -> None:
    stack.spec(clusters=clusters)
    stack.up()
    made = {name: cloud_dns("GET", f"/{name}", below=CLUSTERS) for name in clusters}
    for name, opened in {"opened": True, "private": False}.items():
        its_id, endpoint, autopilot, pools, *blocks = stack.outputs()[name]
        assert its_id == f"projects/sandbox/locations/europe-west1/clusters/{name}"
        assert endpoint == made[name]["endpoint"], "the address"
        assert autopilot is opened
        assert pools == [{"workloadPool": "sandbox.svc.id.goog"}]
        (authority,), (endpoints,), (private,) = blocks
        assert authority["clusterCaCertificate"] == made[name]["masterAuth"]["clusterCaCertificate"], "as base64"
        (by_dns,) = endpoints["dnsEndpointConfigs"]
        assert by_dns["endpoint"] == made[name]["controlPlaneEndpointsConfig"]["dnsEndpointConfig"]["endpoint"]
        assert by_dns["allowExternalTraffic"] is opened
        assert endpoints["ipEndpointsConfigs"] == [{"enabled": True}]
        assert private["enablePrivateEndpoint"] is not opened, "what has no public endpoint is private"

    stack.spec(clusters=["nope"])
    assert "projects/sandbox/locations/europe-west1/clusters/nope not found" in stack.up(fails=True)
