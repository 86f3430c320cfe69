"""What the emulator refuses of GKE's clusters and Compute Engine's addresses; the suite has what it accepts."""

from pathlib import Path
from typing import Any

import pytest

from sandbox.googlecloud.api import make_app
from sandbox.googlecloud.gke import Clusters
from sandbox.googlecloud.zones import Zones

CLUSTERS = "/v1/projects/sandbox/locations/europe-west1/clusters"
ZONAL, ELSEWHERE = CLUSTERS.replace("west1", "west1-b"), CLUSTERS.replace("europe-west1", "us-east4")
ADDRESSES = "/compute/v1/projects/sandbox/regions/europe-west1/addresses"


@pytest.fixture
def call(tmp_path: Path) -> Any:
    """An emulator with the cluster `one` and the address `gateway`."""
    (tmp_path / "ca.crt").write_text("the CA")
    clusters = Clusters("sandbox", tmp_path / "ca.crt")
    client = make_app(Zones("sandbox"), clusters=clusters).test_client()

    def send(method: str, path: str, body: Any) -> tuple[int, str]:
        response = client.open(path, method=method, json=body)
        errors = (response.get_json(silent=True) or {}).get("error", {}).get("errors", [{}])
        return response.status_code, errors[0].get("reason", "")

    assert send("POST", CLUSTERS, {"cluster": {"name": "one"}})[0] == 200
    assert send("POST", ADDRESSES, {"name": "gateway", "address": "203.0.113.10", "addressType": "EXTERNAL"})[0] == 200
    return send


@pytest.mark.parametrize(
    ("method", "path", "body", "code"),
    [
        ("POST", CLUSTERS, {"cluster": {"name": "one"}}, 409),
        ("POST", CLUSTERS, {"cluster": {"name": "One"}}, 400),
        ("POST", CLUSTERS, {"cluster": {}}, 400),
        ("POST", CLUSTERS, {}, 400),
        ("POST", ELSEWHERE, {"cluster": {"name": "two"}}, 400),
        ("POST", ZONAL, {"cluster": {"name": "two"}}, 200),
        ("PUT", f"{CLUSTERS}/one", {"update": {"desiredNodeVersion": "1"}}, 400),
    ],
)
def test_a_cluster_needs_a_free_name_and_the_sandboxs_region(
    call: Any, method: str, path: str, body: Any, code: int
) -> None:
    assert call(method, path, body)[0] == code


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
    assert call("POST", ADDRESSES, body) == (code, reason)
