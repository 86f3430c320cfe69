"""Compute Engine's reserved addresses through the emulator's REST API."""

from typing import Any

import pytest

from sandbox.googlecloud.rest import make_app
from sandbox.googlecloud.zones import Zones

REGION = "/compute/v1/projects/sandbox/regions/europe-west1"
BODY = {"name": "gateway", "address": "203.0.113.10", "addressType": "EXTERNAL"}


@pytest.fixture
def call() -> Any:
    client = make_app(Zones("sandbox")).test_client()

    def send(method: str, path: str, body: Any = None) -> tuple[int, Any]:
        response = client.open(REGION + path, method=method, json=body)
        return response.status_code, response.get_json(silent=True)

    return send


def test_an_address_is_reserved_labelled_and_released(call: Any) -> None:
    code, operation = call("POST", "/addresses", BODY)
    assert (code, operation["status"]) == (200, "DONE"), "what changes something answers with an operation"
    assert call("GET", f"/operations/{operation['name']}")[1]["status"] == "DONE", "which can be asked for again"
    _, found = call("GET", "/addresses/gateway")
    assert (found["address"], found["status"]) == ("203.0.113.10", "RESERVED")

    labels = {"labels": {"a": "b"}, "labelFingerprint": found["labelFingerprint"]}
    assert call("POST", "/addresses/gateway/setLabels", labels)[0] == 200
    assert call("POST", "/addresses/gateway/setLabels", labels)[0] == 412, "somebody has changed them since"

    assert call("DELETE", "/addresses/gateway")[0] == 200
    assert call("GET", "/addresses/gateway")[0] == 404


@pytest.mark.parametrize(
    ("body", "code", "reason"),
    [
        ({"name": "gateway", "address": "203.0.113.11"}, 409, "alreadyExists"),
        ({"name": "other", "address": "203.0.113.10"}, 400, "invalidIpAddress"),
        ({"name": "other", "address": "somewhere"}, 400, "invalid"),
        ({"name": "other"}, 400, "required"),
    ],
)
def test_what_cannot_be_reserved_is_refused(call: Any, body: dict[str, str], code: int, reason: str) -> None:
    call("POST", "/addresses", BODY)

    answered, error = call("POST", "/addresses", body)

    assert (answered, error["error"]["errors"][0]["reason"]) == (code, reason)
