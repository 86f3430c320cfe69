"""From the state that a killed `up` leaves to one that a refresh can go on from."""

from typing import Any

import pytest

from tlsctl.recover import settled

PARENT = {
    "urn": "urn:pulumi:dev::p::istio-gateway-tls:index:TlsGateway::tls",
    "type": "istio-gateway-tls:index:TlsGateway",
}


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
