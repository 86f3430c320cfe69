"""GKE's clusters through the emulator's REST API, and the names of their DNS endpoints."""

import base64
from pathlib import Path
from typing import Any

import pytest

from sandbox.googlecloud.clusters import Clusters, ControlPlane
from sandbox.googlecloud.rest import make_app
from sandbox.googlecloud.zones import Zones

LOCATION = "/v1/projects/sandbox/locations/europe-west1"
DNS = "controlPlaneEndpointsConfig", "dnsEndpointConfig"


@pytest.fixture
def clusters(tmp_path: Path) -> Clusters:
    (tmp_path / "ca.crt").write_text("the CA")
    return Clusters("sandbox", ControlPlane("10.96.0.1", "10.244.0.99", "europe-west1", tmp_path / "ca.crt"))


@pytest.fixture
def call(clusters: Clusters) -> Any:
    client = make_app(Zones("sandbox"), clusters=clusters).test_client()

    def send(method: str, path: str, body: Any = None, location: str = LOCATION) -> tuple[int, Any]:
        response = client.open(f"{location}/clusters{path}", method=method, json=body)
        return response.status_code, response.get_json(silent=True)

    return send


def ips(**config: bool) -> dict[str, Any]:
    """What asks for endpoints by address."""
    return {"controlPlaneEndpointsConfig": {"ipEndpointsConfig": config}}


def test_a_cluster_is_made_opened_and_deleted(call: Any, clusters: Clusters) -> None:
    assert call("POST", "", {"cluster": {"name": "one"}})[1]["status"] == "DONE"
    code, made = call("GET", "/one")
    assert (code, made["endpoint"]) == (200, "10.96.0.1"), "the public endpoint"
    assert base64.b64decode(made["masterAuth"]["clusterCaCertificate"]) == b"the CA", "base64 of PEM"
    by_dns = made[DNS[0]][DNS[1]]
    assert by_dns["endpoint"].endswith("-123456789012.europe-west1.gke.goog"), "there is always one by DNS"
    assert by_dns["allowExternalTraffic"] is False, "which is closed until it is opened"

    update = {"desiredControlPlaneEndpointsConfig": {DNS[1]: {"allowExternalTraffic": True}}}
    assert call("PUT", "/one", {"update": update})[0] == 200
    opened = call("GET", "/one")[1]
    assert opened[DNS[0]][DNS[1]] == by_dns | {"allowExternalTraffic": True}, "what was asked for, and no more"
    assert opened["endpoint"] == "10.96.0.1"
    (host,) = clusters.hosts
    assert str(host.origin) == f"{by_dns['endpoint']}.", "the name resolves"

    assert call("DELETE", "/one")[0] == 200
    assert call("GET", "/one")[1]["error"]["message"].startswith("Not found: projects/sandbox/locations/")
    assert clusters.hosts == []


@pytest.mark.parametrize(
    ("asked", "endpoint", "private"),
    [
        (ips(), "10.96.0.1", False),
        (ips(enablePublicEndpoint=False), "10.244.0.99", True),
        (ips(enabled=False), "", False),
    ],
)
def test_the_endpoints_by_address_are_those_asked_for(call: Any, asked: Any, endpoint: str, private: bool) -> None:
    call("POST", "", {"cluster": {"name": "one", **asked}})

    made = call("GET", "/one")[1]

    assert made["endpoint"] == endpoint
    assert made["privateClusterConfig"]["enablePrivateEndpoint"] is private


@pytest.mark.parametrize(
    ("body", "location", "code"),
    [
        ({"cluster": {"name": "one"}}, LOCATION, 409),
        ({"cluster": {"name": "One"}}, LOCATION, 400),
        ({"cluster": {}}, LOCATION, 400),
        ({}, LOCATION, 400),
        ({"cluster": {"name": "two"}}, LOCATION.replace("europe-west1", "us-east4"), 400),
        ({"cluster": {"name": "two"}}, LOCATION + "-b", 200),
    ],
)
def test_a_cluster_has_a_name_of_its_own_in_the_sandboxs_region(call: Any, body: Any, location: str, code: int) -> None:
    call("POST", "", {"cluster": {"name": "one"}})

    assert call("POST", "", body, location=location)[0] == code
    assert call("PUT", "/one", {"update": {"desiredNodeVersion": "1"}})[0] == 400, "endpoints alone can be changed"
