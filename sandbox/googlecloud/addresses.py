"""Reserved addresses of Compute Engine v1 (https://cloud.google.com/compute/docs/reference/rest/v1/addresses).

An address is reserved as requested. Whether a load balancer uses it is unknown here: the status is always RESERVED and
`users` is empty. Operations are done when they are answered.
"""

import threading
from typing import Any

from flask import Flask

from sandbox.googlecloud.errors import ApiError, already_exists, json_body, not_found

_REGION = "/compute/v1/projects/<project>/regions/<region>"
_ADDRESS = f"{_REGION}/addresses/<name>"


def add_addresses(app: Flask, project: str) -> None:
    """Serve the addresses of a project's regions."""
    lock = threading.Lock()
    addresses: dict[tuple[str, str], dict[str, Any]] = {}

    def find(region: str, name: str) -> dict[str, Any]:
        if (region, name) not in addresses:
            raise not_found("parameters.address", f"projects/{project}/regions/{region}/addresses/{name}")
        return addresses[region, name]

    @app.get(f"{_REGION}/addresses")
    def list_addresses(region: str) -> dict[str, Any]:
        return {"kind": "compute#addressList", "items": [item for key, item in addresses.items() if key[0] == region]}

    @app.post(f"{_REGION}/addresses")
    def create_address(region: str) -> dict[str, Any]:
        body = json_body("resource")
        name, ip = body["name"], body["address"]
        with lock:
            if (region, name) in addresses:
                raise already_exists("resource", f"projects/{project}/regions/{region}/addresses/{name}")
            if any(address["address"] == ip for address in addresses.values()):
                raise ApiError(400, "invalidIpAddress", f"Specified IP address is already reserved: {ip}")
            addresses[region, name] = _address(project, region, body)
        return _operation("insert", region)

    @app.get(_ADDRESS)
    def get_address(region: str, name: str) -> dict[str, Any]:
        return find(region, name)

    @app.post(f"{_ADDRESS}/setLabels")
    def label_address(region: str, name: str) -> dict[str, Any]:
        body = json_body("resource")
        with lock:
            address = find(region, name)
            fingerprint = address["labelFingerprint"]
            if body.get("labelFingerprint") != fingerprint:
                message = "Labels fingerprint either invalid or resource labels have changed"
                raise ApiError(412, "conditionNotMet", message)
            address |= {"labels": body.get("labels", {}), "labelFingerprint": str(int(fingerprint) + 1)}
        return _operation("setLabels", region)

    @app.delete(_ADDRESS)
    def delete_address(region: str, name: str) -> dict[str, Any]:
        with lock:
            find(region, name)
            del addresses[region, name]
        return _operation("delete", region)

    @app.get(f"{_REGION}/operations/<name>")
    def get_operation(region: str, name: str) -> dict[str, Any]:
        return _operation(name, region)


def _address(project: str, region: str, body: dict[str, Any]) -> dict[str, Any]:
    link = f"https://www.googleapis.com/compute/v1/projects/{project}/regions/{region}"
    return {
        "kind": "compute#address",
        "id": "1",
        "creationTimestamp": "2026-01-01T00:00:00.000-07:00",
        "name": body["name"],
        "description": body.get("description") or "",
        "address": body["address"],
        "addressType": body.get("addressType") or "EXTERNAL",
        "networkTier": "PREMIUM",
        "status": "RESERVED",
        "region": link,
        "selfLink": f"{link}/addresses/{body['name']}",
        "labelFingerprint": "1",
        "users": [],
    }


def _operation(kind: str, region: str) -> dict[str, Any]:
    operation = {"kind": "compute#operation", "name": kind, "operationType": kind, "region": region}
    return operation | {"status": "DONE", "progress": 100}
