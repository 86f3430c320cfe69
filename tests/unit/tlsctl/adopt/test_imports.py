"""The import file: of what a preview would create, what is there already, below the parents that it needs."""

from typing import Any

from tlsctl.adopt.imports import completed, planned

URN = "urn:pulumi:prod::istio-gateway-tls"
GATEWAY = "kubernetes:networking.istio.io/v1:Gateway"
RECORD = "gcp:dns/recordSet:RecordSet"


def step(type_: str, name: str, inputs: dict[str, Any], op: str = "create", custom: bool = True) -> dict[str, Any]:
    return {"op": op, "newState": {"urn": f"{URN}::{type_}::{name}", "type": type_, "custom": custom, "inputs": inputs}}


def named(name: str) -> dict[str, Any]:
    return {"metadata": {"namespace": "istio-system", "name": name}}


FILE = {
    "resources": [
        {"type": "pulumi:providers:kubernetes", "name": "cluster", "inputs": {"kubeconfig": "x"}},
        {"type": "istio-gateway-tls:index:TlsGateway", "name": "tls", "component": True},
        {"type": "istio-gateway-tls:index:HttpGateway", "name": "http", "component": True},
        {"type": GATEWAY, "name": "tls-gateway", "id": "<PLACEHOLDER>", "parent": "tls", "provider": "cluster"},
        {"type": GATEWAY, "name": "http-gateway", "id": "<PLACEHOLDER>", "parent": "http", "provider": "cluster"},
        {
            "type": RECORD, "name": "dns-shopRecordSet", "logicalName": "dns-shop", "id": "<PLACEHOLDER>",
        },
    ]
}  # fmt: skip
STEPS = [
    step("pulumi:providers:kubernetes", "cluster", {}),
    step("istio-gateway-tls:index:TlsGateway", "tls", {}, custom=False),
    step(GATEWAY, "tls-gateway", named("tls-prod")),
    step(GATEWAY, "http-gateway", named("http-prod")),
    step(RECORD, "dns-shop", {"managedZone": "acme", "name": "shop.acme.dev.", "type": "A"}),
    step(GATEWAY, "old", named("old"), op="same"),
]


def test_what_exists_gets_its_id_and_keeps_its_parent_and_provider() -> None:
    existing = {"tls-gateway", "dns-shop"}
    file, taken, created = completed(FILE, planned(STEPS, "project"), lambda resource: resource.name in existing)

    record_set = "projects/project/managedZones/acme/rrsets/shop.acme.dev./A"
    assert [(entry["name"], entry.get("id")) for entry in file["resources"]] == [
        ("cluster", None),
        ("tls", None),
        ("tls-gateway", "istio-system/tls-prod"),
        ("dns-shopRecordSet", record_set),
    ], "the component of what is created is created with it"
    assert [resource.label for resource in taken] == [
        "Gateway istio-system/tls-prod",
        "record set shop.acme.dev. A",
    ]
    assert [resource.name for resource in created] == ["http-gateway"]
