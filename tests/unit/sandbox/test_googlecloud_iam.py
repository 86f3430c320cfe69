"""The rights of Pods in the Cloud DNS emulator: by their tokens and by IAM policies."""

from typing import Any

import pytest
from flask.testing import FlaskClient

from sandbox.googlecloud.api import make_app
from sandbox.googlecloud.iam import Iam, metadata_app
from sandbox.googlecloud.zones import Zones

ZONE = "/dns/v1/projects/sandbox/managedZones/sandbox"
ROLES = "/v1/projects/sandbox/roles"
TXT = {"name": "_acme-challenge.sandbox.test.", "type": "TXT", "ttl": 60, "rrdatas": ['"proof"']}
PODS = {"10.244.1.7": ("cert-manager", "cert-manager"), "10.244.1.8": ("shop", "default")}
SOLVER = ["dns.resourceRecordSets.list", "dns.resourceRecordSets.create", "dns.changes.create"]


class Cloud:
    """The emulator and its metadata server."""

    def __init__(self) -> None:
        self.iam = Iam("sandbox", PODS.get)
        zones = Zones("sandbox")
        for name in ("sandbox", "other"):
            zones.create({"name": name, "dnsName": f"{name}.test.", "description": ""})
        self.api: FlaskClient = make_app(zones, self.iam).test_client()
        self.metadata: FlaskClient = metadata_app(self.iam).test_client()

    def owner(self, method: str, path: str, body: Any = None) -> Any:
        """Call as the sandbox itself does, in plain."""
        answer = self.api.open(path, method=method, json=body)
        assert answer.status_code < 400, answer.text
        return answer.get_json(silent=True)

    def grant(self, *permissions: str, on: str = ZONE) -> None:
        """Give cert-manager a role with these permissions on the zone, or the project."""
        self.owner("POST", ROLES, {"roleId": "solver", "role": {"includedPermissions": permissions}})
        members = [self.iam.principal(*PODS["10.244.1.7"])]
        binding = {"role": "projects/sandbox/roles/solver", "members": members}
        self.owner("POST", f"{on}:setIamPolicy", {"policy": {"bindings": [binding]}})

    def pod(self, address: str, method: str, path: str, body: Any = None) -> int:
        """Call as a Pod does, over HTTPS with a token; return the status."""
        path_of_token = "/computeMetadata/v1/instance/service-accounts/default/token"
        token = self.metadata.get(path_of_token, environ_base={"REMOTE_ADDR": address}).get_json()["access_token"]
        headers = {"Authorization": f"Bearer {token}"}
        return self.api.open(path, method=method, json=body, headers=headers, base_url="https://x").status_code


@pytest.fixture
def cloud() -> Cloud:
    return Cloud()


def test_a_pod_has_the_rights_of_its_service_account_on_the_zone_and_no_others(cloud: Cloud) -> None:
    change, rrsets = f"{ZONE}/changes", f"{ZONE}/rrsets"
    assert cloud.pod("10.244.1.7", "GET", rrsets) == 403, "nothing is granted yet"
    cloud.grant(*SOLVER)
    assert cloud.pod("10.244.1.7", "GET", rrsets) == 200
    assert cloud.pod("10.244.1.7", "POST", change, {"additions": [TXT]}) == 200
    assert cloud.pod("10.244.1.7", "POST", change, {"deletions": [TXT]}) == 403, "to delete is a right of its own"
    assert cloud.pod("10.244.1.7", "GET", rrsets.replace("Zones/sandbox", "Zones/other")) == 403, "of this zone alone"
    assert cloud.pod("10.244.1.8", "GET", rrsets) == 403, "and of this ServiceAccount"
    assert cloud.pod("10.244.1.7", "POST", f"{ZONE}:setIamPolicy", {}) == 403, "it cannot grant itself more"
    cloud.owner("DELETE", f"{ROLES}/solver")
    assert cloud.pod("10.244.1.7", "GET", rrsets) == 403, "a deleted role gives nothing"


def test_a_grant_on_the_project_covers_its_zones(cloud: Cloud) -> None:
    zones = ZONE.rpartition("/")[0]
    assert cloud.pod("10.244.1.7", "GET", zones) == 403, "nothing is granted yet"
    cloud.grant("dns.managedZones.list", "dns.resourceRecordSets.list", on="/v1/projects/sandbox")
    for path in (zones, f"{ZONE}/rrsets", f"{zones}/other/rrsets"):
        assert cloud.pod("10.244.1.7", "GET", path) == 200, path
    assert cloud.pod("10.244.1.8", "GET", zones) == 403, "of this ServiceAccount alone"


def test_https_needs_a_token_and_only_pods_get_one(cloud: Cloud) -> None:
    assert cloud.api.get(f"{ZONE}/rrsets", base_url="https://x").status_code == 401
    answer = cloud.metadata.get("/computeMetadata/v1/instance/service-accounts/default/token")
    assert answer.status_code == 404


def test_a_custom_role_that_was_deleted_keeps_its_id(cloud: Cloud) -> None:
    cloud.grant(*SOLVER)
    cloud.owner("DELETE", f"{ROLES}/solver")
    taken = cloud.api.post(ROLES, json={"roleId": "solver", "role": {}})
    assert taken.status_code == 409, "it can only be undeleted"
    binding = {"role": "projects/sandbox/roles/solver", "members": ["user:a@b.test"]}
    refused = cloud.api.post(f"{ZONE}:setIamPolicy", json={"policy": {"bindings": [binding]}})
    assert refused.status_code == 400, "a policy cannot bind it"
    cloud.owner("POST", f"{ROLES}/solver:undelete", {})
    assert not cloud.owner("GET", f"{ROLES}/solver")["deleted"]
