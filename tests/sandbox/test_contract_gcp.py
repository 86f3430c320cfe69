"""What this project relies on in pulumi-gcp, through the engine: the real plugin and its stand-in both pass."""

from __future__ import annotations

import json
import os
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.sandbox

ENDPOINT = "http://127.0.0.1:8053/dns/v1/"
ZONES = f"{ENDPOINT}projects/sandbox/managedZones"
TIMEOUT = 120  # seconds, for one command of the engine

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
for name in spec.get("lookups", []):
    pulumi.export(name, gcp.dns.get_managed_zone(name=name).__dict__)
"""


def rest(method: str, url: str, body: Any = None) -> Any:
    """Calls Cloud DNS behind the engine's back."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, method=method)  # noqa: S310
    with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310
        return json.loads(response.read() or "null")


def records(zone: str) -> dict[str, Any]:
    """The record sets of a zone but its own, `name type` -> `(ttl, records)`."""
    found = rest("GET", f"{ZONES}/{zone}/rrsets")["rrsets"]
    return {
        f"{each['name']} {each['type']}": (each["ttl"], each["rrdatas"])
        for each in found
        if each["type"] not in ("NS", "SOA")
    }


class Stack:
    """A project with a stack of its own, run by the engine on PATH."""

    def __init__(self, folder: Path, **config: str) -> None:
        self.folder = folder
        (folder / "state").mkdir()
        settings = {f"gcp:{key}": value for key, value in config.items()}
        (folder / "Pulumi.yaml").write_text("name: contract\nruntime: python\n")
        (folder / "Pulumi.test.yaml").write_text(json.dumps({"config": settings}))
        (folder / "__main__.py").write_text(PROGRAM)
        self.run("stack", "init", "test")

    def run(self, *arguments: str, fails: bool = False) -> str:
        env = os.environ | {
            "PULUMI_BACKEND_URL": f"file://{self.folder}/state",
            "PULUMI_CONFIG_PASSPHRASE": "",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
        }
        done = subprocess.run(
            ["pulumi", *arguments, "--non-interactive"],
            cwd=self.folder,
            env=env,
            capture_output=True,
            text=True,
            check=False,
            timeout=TIMEOUT,
        )
        assert (done.returncode != 0) == fails, f"{arguments}\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr

    def spec(self, **spec: Any) -> None:
        (self.folder / "spec.json").write_text(json.dumps(spec))

    def up(self, *, fails: bool = False) -> str:
        return self.run("up", "--yes", "--skip-preview", fails=fails)

    def plan(self, *arguments: str) -> dict[str, Any]:
        """The steps of a preview, by the resource's name; what stays the same is not in it."""
        output = self.run("preview", "--json", *arguments)
        steps = json.loads(output[output.index("{") : output.rindex("}") + 1])["steps"]
        return {step["urn"].rpartition("::")[2]: step for step in steps}

    def ops(self, *arguments: str) -> dict[str, str]:
        plan = self.plan(*arguments)
        return {name: step["op"] for name, step in plan.items() if not name.startswith(("contract", "default"))}

    def state(self) -> dict[str, Any]:
        exported = json.loads(self.run("stack", "export"))
        return {each["urn"].rpartition("::")[2]: each for each in exported["deployment"].get("resources", [])}


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    made = Stack(tmp_path, project="sandbox", dnsCustomEndpoint=ENDPOINT, accessToken="x")
    yield made
    made.run("destroy", "--yes", "--skip-preview")


@pytest.fixture
def zone() -> Iterator[str]:
    """An empty zone `contract`, with the DNS name `contract.test.`."""
    rest("POST", ZONES, {"name": "contract", "dnsName": "contract.test.", "description": ""})
    yield "contract"
    for each in rest("GET", f"{ZONES}/contract/rrsets")["rrsets"]:
        if each["type"] not in ("NS", "SOA"):
            rest("DELETE", f"{ZONES}/contract/rrsets/{each['name']}/{each['type']}")
    rest("DELETE", f"{ZONES}/contract")


def shop(*rrdatas: str, **more: Any) -> dict[str, Any]:
    args = {"managed_zone": "contract", "name": "shop.contract.test.", "type": "A", "ttl": 60}
    return args | {"rrdatas": list(rrdatas or ["203.0.113.10"])} | more


ID = "projects/sandbox/managedZones/contract/rrsets/shop.contract.test./A"


def test_a_record_set_lives_from_its_preview_to_its_destruction(stack: Stack, zone: str) -> None:
    stack.spec(records={"shop": shop()})
    assert stack.ops() == {"shop": "create"}
    assert records(zone) == {}, "a preview changes nothing"

    stack.up()
    assert records(zone) == {"shop.contract.test. A": (60, ["203.0.113.10"])}
    state = stack.state()["shop"]
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
    step = stack.plan()["shop"]
    assert step["op"] == "update"
    assert set(step["detailedDiff"]) == {"rrdatas[0]", "rrdatas[1]", "ttl"}
    stack.up()
    assert records(zone) == {"shop.contract.test. A": (300, ["203.0.113.11", "203.0.113.12"])}
    stack.spec(records={"shop": shop("203.0.113.12", "203.0.113.11", ttl=300)})
    assert stack.ops() == {}, "the order of records means nothing"

    stack.run("destroy", "--yes", "--skip-preview")
    assert records(zone) == {}


def test_a_new_name_replaces_and_a_new_type_updates(stack: Stack, zone: str) -> None:
    stack.spec(records={"shop": shop()})
    stack.up()
    stack.spec(records={"shop": shop(name="new.contract.test.")})
    step = stack.plan()["shop"]
    assert step["op"] in ("replace", "create-replacement", "delete-replaced")
    assert step["replaceReasons"] == ["name"]
    stack.up()
    assert list(records(zone)) == ["new.contract.test. A"], "the old one is gone"
    stack.spec(records={"shop": shop("2001:db8::1", name="new.contract.test.", type="AAAA")})
    assert stack.ops() == {"shop": "update"}, "Terraform's schema does not force a new resource here"
    stack.up()
    assert list(records(zone)) == ["new.contract.test. AAAA"]


def test_a_record_set_that_exists_is_taken_over(stack: Stack, zone: str) -> None:
    rest(
        "POST", f"{ZONES}/{zone}/rrsets", {"name": "shop.contract.test.", "type": "A", "ttl": 1, "rrdatas": ["1.1.1.1"]}
    )
    stack.spec(records={"shop": shop()})
    stack.up()
    assert records(zone) == {"shop.contract.test. A": (60, ["203.0.113.10"])}, "the provider is authoritative"


def test_drift_is_found_by_refresh_and_mended_by_up(stack: Stack, zone: str) -> None:
    stack.spec(records={"shop": shop()})
    stack.up()
    path = f"{ZONES}/{zone}/rrsets/shop.contract.test./A"
    rest("PATCH", path, {"rrdatas": ["198.51.100.1"]})
    assert stack.ops() == {}, "without a refresh, drift is not seen"
    assert "conditionNotMet" in _edit_without_refresh(stack), "and an update of what has drifted is refused"
    stack.run("refresh", "--yes", "--skip-preview")
    assert stack.state()["shop"]["inputs"]["rrdatas"] == ["198.51.100.1"]
    assert stack.ops() == {"shop": "update"}
    stack.up()
    assert records(zone) == {"shop.contract.test. A": (60, ["203.0.113.10"])}

    rest("DELETE", path)
    stack.run("refresh", "--yes", "--skip-preview")
    assert "shop" not in stack.state(), "what is gone leaves the state"
    stack.up()
    assert list(records(zone)) == ["shop.contract.test. A"]
    rest("DELETE", path)  # and the destruction of what is gone succeeds, which the fixture does


def _edit_without_refresh(stack: Stack) -> str:
    stack.spec(records={"shop": shop(ttl=61)})
    said = stack.up(fails=True)
    stack.spec(records={"shop": shop()})
    return said


def test_a_record_set_is_imported_by_its_id(stack: Stack, zone: str) -> None:
    stack.spec()
    body = {"name": "shop.contract.test.", "type": "A", "ttl": 60, "rrdatas": ["203.0.113.10"]}
    rest("POST", f"{ZONES}/{zone}/rrsets", body)
    arguments = ("gcp:dns/recordSet:RecordSet", "shop")
    options = ("--yes", "--skip-preview", "--protect=false", "--generate-code=false")
    missing = stack.run("import", *arguments, ID.replace("shop.", "gone."), *options, fails=True)
    assert "does not exist" in missing
    stack.run("import", *arguments, "sandbox/contract/shop.contract.test./A", *options)
    state = stack.state()["shop"]
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
    assert "shop" not in stack.state()
    assert records(zone) == {}


def test_a_zone_and_its_record_are_made_and_replaced_together(stack: Stack) -> None:
    args = {"name": "made", "dns_name": "made.test.", "description": "with a record", "force_destroy": True}
    stack.spec(zones={"made": args})
    assert stack.ops() == {"made": "create", "in-made": "create"}, "what the zone makes up is not known yet"
    stack.up()
    state = stack.state()["made"]
    assert state["id"] == "projects/sandbox/managedZones/made"
    assert state["outputs"]["nameServers"], "as the service gives out"
    assert stack.ops() == {}
    stack.spec(zones={"made": args | {"dns_name": "other.test.", "name": "other"}})
    assert {each.partition("-")[0] for each in stack.ops().values()} <= {"replace", "create", "delete"}
    stack.up()
    assert list(records("other")) == ["other.test. A"]
    with pytest.raises(urllib.error.HTTPError, match="404"):
        rest("GET", f"{ZONES}/made")


def test_a_zone_is_looked_up(stack: Stack, zone: str) -> None:
    stack.spec(lookups=[zone])
    stack.up()
    found = json.loads(stack.run("stack", "output", "--json"))[zone]
    assert (found["dns_name"], found["id"]) == ("contract.test.", f"projects/sandbox/managedZones/{zone}")
    stack.spec(lookups=["nope"])
    assert "The 'parameters.managedZone' resource named 'nope' does not exist" in stack.up(fails=True)


def test_an_endpoint_that_does_not_answer_is_named(tmp_path: Path) -> None:
    stack = Stack(tmp_path, project="sandbox", dnsCustomEndpoint="http://127.0.0.1:1/dns/v1/", accessToken="x")
    stack.spec(records={"shop": shop()})
    said = stack.up(fails=True)
    assert "127.0.0.1:1" in said
    assert "refused" in said
