"""GKE's clusters and Compute Engine's reserved addresses through the emulator's REST API."""

import base64
from pathlib import Path
from typing import Any

import pytest

from sandbox.googlecloud.api import make_app
from sandbox.googlecloud.gke import Clusters, ControlPlane
from sandbox.googlecloud.zones import Zones

LOCATION = "/v1/projects/sandbox/locations/europe-west1"
REGION = "/compute/v1/projects/sandbox/regions/europe-west1"
ADDRESS = {"name": "gateway", "address": "203.0.113.10", "addressType": "EXTERNAL"}


@pytest.fixture
def clusters(tmp_path: Path) -> Clusters:
    (tmp_path / "ca.crt").write_text("the CA")
    return Clusters("sandbox", ControlPlane("10.96.0.1", "10.244.0.99", "europe-west1", tmp_path / "ca.crt"))


@pytest.fixture
def call(clusters: Clusters) -> Any:
    client = make_app(Zones("sandbox"), clusters=clusters).test_client()

    def send(method: str, path: str, body: Any = None) -> tuple[int, Any]:
        response = client.open(path, method=method, json=body)
        return response.status_code, response.get_json(silent=True)

    return send


def test_a_cluster_is_created_opened_and_deleted(call: Any, clusters: Clusters) -> None:
    path = f"{LOCATION}/clusters/one"
    assert call("POST", f"{LOCATION}/clusters", {"cluster": {"name": "one"}})[1]["status"] == "DONE"
    code, created = call("GET", path)
    assert (code, created["endpoint"]) == (200, "10.96.0.1"), "the public endpoint"
    assert base64.b64decode(created["masterAuth"]["clusterCaCertificate"]) == b"the CA", "base64 of PEM"
    by_dns = created["controlPlaneEndpointsConfig"]["dnsEndpointConfig"]
    assert by_dns["endpoint"].endswith("-123456789012.europe-west1.gke.goog"), "every cluster has a DNS endpoint"
    assert by_dns["allowExternalTraffic"] is False, "which is closed at first"

    update = {"desiredControlPlaneEndpointsConfig": {"dnsEndpointConfig": {"allowExternalTraffic": True}}}
    assert call("PUT", path, {"update": update})[0] == 200
    opened = call("GET", path)[1]
    assert opened["controlPlaneEndpointsConfig"]["dnsEndpointConfig"] == by_dns | {"allowExternalTraffic": True}
    assert opened["endpoint"] == "10.96.0.1", "the other endpoint is unchanged"
    assert [str(host.origin) for host in clusters.hosts] == [f"{by_dns['endpoint']}."], "the name resolves"

    assert call("PUT", path, {"update": {"desiredNodeVersion": "1"}})[0] == 400, "only endpoints can be changed"
    assert call("DELETE", path)[0] == 200
    assert call("GET", path)[1]["error"]["message"].startswith("Not found: projects/sandbox/locations/")
    assert clusters.hosts == [], "nor does the name resolve"


@pytest.mark.parametrize(
    ("ips", "endpoint", "private"),
    [
        ({}, "10.96.0.1", False),
        ({"enablePublicEndpoint": False}, "10.244.0.99", True),
        ({"enabled": False}, "", False),
    ],
)
def test_a_cluster_has_the_requested_endpoints(call: Any, ips: Any, endpoint: str, private: bool) -> None:
    cluster = {"name": "one", "controlPlaneEndpointsConfig": {"ipEndpointsConfig": ips}}
    call("POST", f"{LOCATION}/clusters", {"cluster": cluster})

    created = call("GET", f"{LOCATION}/clusters/one")[1]

    assert created["endpoint"] == endpoint
    assert created["privateClusterConfig"]["enablePrivateEndpoint"] is private


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
def test_a_cluster_needs_a_free_name_and_the_sandboxs_region(call: Any, body: Any, location: str, code: int) -> None:
    call("POST", f"{LOCATION}/clusters", {"cluster": {"name": "one"}})

    assert call("POST", f"{location}/clusters", body)[0] == code


def test_an_address_is_reserved_labelled_and_released(call: Any) -> None:
    code, operation = call("POST", f"{REGION}/addresses", ADDRESS)
    assert (code, operation["status"]) == (200, "DONE"), "every change answers with an operation"
    assert call("GET", f"{REGION}/operations/{operation['name']}")[1]["status"] == "DONE"
    path = f"{REGION}/addresses/gateway"
    _, address = call("GET", path)
    assert (address["address"], address["status"]) == ("203.0.113.10", "RESERVED")

    labels = {"labels": {"a": "b"}, "labelFingerprint": address["labelFingerprint"]}
    assert call("POST", f"{path}/setLabels", labels)[0] == 200
    assert call("POST", f"{path}/setLabels", labels)[0] == 412, "the labels have changed since"

    assert call("DELETE", path)[0] == 200
    assert call("GET", path)[0] == 404


@pytest.mark.parametrize(
    ("body", "code", "reason"),
    [
        ({"name": "gateway", "address": "203.0.113.11"}, 409, "alreadyExists"),
        ({"name": "other", "address": "203.0.113.10"}, 400, "invalidIpAddress"),
        ({"name": "other", "address": "somewhere"}, 400, "invalid"),
        ({"name": "other"}, 400, "required"),
    ],
)
def test_an_invalid_reservation_is_refused(call: Any, body: dict[str, str], code: int, reason: str) -> None:
    call("POST", f"{REGION}/addresses", ADDRESS)

    answered, error = call("POST", f"{REGION}/addresses", body)

    assert (answered, error["error"]["errors"][0]["reason"]) == (code, reason)
