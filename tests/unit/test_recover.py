"""From the state that a killed `up` leaves to one that a refresh can go on from."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.unit.runner import Machine
from tlsctl.__main__ import main
from tlsctl.recover import settled

PARENT = {
    "urn": "urn:pulumi:dev::p::istio-gateway-tls:index:TlsGateway::tls",
    "type": "istio-gateway-tls:index:TlsGateway",
}


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def deployment(operation: str, type_: str, inputs: dict[str, Any]) -> dict[str, Any]:
    resource = {"urn": f"urn:pulumi:dev::p::{type_}::x", "type": type_, "custom": True, "inputs": inputs}
    return {"resources": [PARENT], "pending_operations": [{"type": operation, "resource": resource}]}


@pytest.mark.parametrize(
    ("type_", "inputs", "expected"),
    [
        (
            "kubernetes:cert-manager.io/v1:Certificate",
            {"metadata": {"namespace": "istio-system", "name": "gateway"}},
            "istio-system/gateway",
        ),
        ("kubernetes:cert-manager.io/v1:ClusterIssuer", {"metadata": {"name": "letsencrypt"}}, "letsencrypt"),
        ("kubernetes:helm.sh/v3:Release", {"namespace": "cert-manager", "name": "release"}, "cert-manager/release"),
        (
            "gcp:dns/recordSet:RecordSet",
            {"project": "dns", "managedZone": "zone", "name": "shop.sandbox.test.", "type": "A"},
            "projects/dns/managedZones/zone/rrsets/shop.sandbox.test./A",
        ),
    ],
)
def test_what_was_being_created_becomes_a_resource_with_its_providers_id(
    type_: str, inputs: dict[str, Any], expected: str
) -> None:
    result = settled(deployment("creating", type_, inputs))

    assert [each.get("id") for each in result["resources"]] == [None, expected], "it comes after what it depends on"
    assert result["resources"][1]["inputs"] == inputs, "its inputs stay, so that the next up compares with them"
    assert "pending_operations" not in result, "nothing is pending any more"


@pytest.mark.parametrize(
    ("operation", "type_", "inputs"),
    [
        ("updating", "kubernetes:core/v1:Namespace", {"metadata": {"name": "x"}}),
        ("deleting", "kubernetes:core/v1:Namespace", {"metadata": {"name": "x"}}),
        ("creating", "kubernetes:core/v1:ConfigMap", {"metadata": {"namespace": "x"}}),
        ("creating", "pulumi:providers:kubernetes", {}),
        ("creating", "gcp:dns/recordSet:RecordSet", {"managedZone": "zone", "name": "shop.sandbox.test.", "type": "A"}),
    ],
)
def test_what_is_in_the_state_or_has_no_known_id_is_not_added(
    operation: str, type_: str, inputs: dict[str, Any]
) -> None:
    given = deployment(operation, type_, inputs)
    result = settled(given)

    assert result == {"resources": [PARENT]}, "the refresh finds the rest"
    assert given["pending_operations"], "what was exported stays as it was"


def test_the_command_frees_the_stack_settles_its_state_and_refreshes_it(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    exported = {"version": 3, "deployment": deployment("creating", "kubernetes:core/v1:Namespace", {})}
    machine.state(prints={"pulumi": json.dumps(exported)})
    monkeypatch.setenv("PATH", str(machine.folder), prepend=os.pathsep)
    monkeypatch.setenv("FAKES", str(machine.folder / "state.json"))

    assert main(["recover", "--stack", "dev", "--config-file", "dev.yaml"]) == 0

    called = machine.calls("pulumi")
    assert [" ".join(call.split()[:2]) for call in called] == [
        "cancel --yes",
        "stack export",
        "stack import",
        "refresh --yes",
    ]
    assert all("--stack dev" in call for call in called)
    assert called[-1].endswith("--config-file dev.yaml")


def test_a_command_that_fails_ends_the_recovery(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.state(fail=["pulumi"])
    monkeypatch.setenv("PATH", str(machine.folder), prepend=os.pathsep)
    monkeypatch.setenv("FAKES", str(machine.folder / "state.json"))

    assert main(["recover", "--stack", "dev"]) == 1
    assert len(machine.calls("pulumi")) == 1, "the state is left as it is"
