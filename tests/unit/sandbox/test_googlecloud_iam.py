"""The rights of Pods in the Cloud DNS emulator: it is as strict as Google's IAM."""

from typing import Any

from sandbox.googlecloud.api import make_app
from sandbox.googlecloud.iam import Iam, Identity, metadata_app
from sandbox.googlecloud.zones import Zones

ZONES, ROLES = "/dns/v1/projects/sandbox/managedZones", "/v1/projects/sandbox/roles"
TOKEN = "/computeMetadata/v1/instance/service-accounts/default/token"
TXT = {"name": "_acme-challenge.sandbox.test.", "type": "TXT", "ttl": 60, "rrdatas": ['"proof"']}
PODS = {
    "10.244.1.7": Identity("cert-manager", "cert-manager", "uid-1"),
    "10.244.1.8": Identity("shop", "default", "uid-2"),
}
SOLVER, OTHER = PODS


class Cloud:
    """The emulator with the zones `sandbox` and `other`, and its metadata server."""

    def __init__(self) -> None:
        self.iam = Iam("sandbox", PODS.get)
        zones = Zones("sandbox")
        for name in ("sandbox", "other"):
            zones.create({"name": name, "dnsName": f"{name}.test.", "description": ""})
        self.api = make_app(zones, self.iam).test_client()
        self.metadata = metadata_app(self.iam).test_client()

    def grant(self, *permissions: str, on: str) -> None:
        """Give cert-manager a role with these permissions, as the sandbox does: over plain HTTP."""
        role = {"roleId": "solver", "role": {"includedPermissions": permissions}}
        binding = {"role": "projects/sandbox/roles/solver", "members": [self.iam.principals(PODS[SOLVER])[0]]}
        self.api.post(ROLES, json=role)
        assert self.api.post(f"{on}:setIamPolicy", json={"policy": {"bindings": [binding]}}).status_code == 200

    def pod(self, address: str, method: str, path: str, body: Any = None) -> int:
        """Call as a Pod does, over HTTPS with a token; return the status."""
        token = self.metadata.get(TOKEN, environ_base={"REMOTE_ADDR": address}).get_json()["access_token"]
        headers = {"Authorization": f"Bearer {token}"}
        return self.api.open(path, method=method, json=body, headers=headers, base_url="https://x").status_code


def test_a_pod_has_the_rights_of_its_service_account_on_the_zone_and_no_others() -> None:
    cloud, zone = Cloud(), f"{ZONES}/sandbox"
    change, rrsets = f"{zone}/changes", f"{zone}/rrsets"
    assert cloud.pod(SOLVER, "GET", rrsets) == 403, "nothing is granted yet"
    cloud.grant("dns.resourceRecordSets.list", "dns.resourceRecordSets.create", "dns.changes.create", on=zone)
    assert cloud.pod(SOLVER, "GET", rrsets) == 200
    assert cloud.pod(SOLVER, "POST", change, {"additions": [TXT]}) == 200
    assert cloud.pod(SOLVER, "POST", change, {"deletions": [TXT]}) == 403, "to delete is a right of its own"
    assert cloud.pod(SOLVER, "GET", f"{ZONES}/other/rrsets") == 403, "another zone"
    assert cloud.pod(OTHER, "GET", rrsets) == 403, "another ServiceAccount"
    assert cloud.pod(SOLVER, "POST", f"{zone}:setIamPolicy", {}) == 403, "it cannot grant itself more"
    cloud.api.delete(f"{ROLES}/solver")
    assert cloud.pod(SOLVER, "GET", rrsets) == 403, "a deleted role gives nothing"


def test_https_needs_a_token_and_only_pods_get_one() -> None:
    cloud = Cloud()
    assert cloud.api.get(f"{ZONES}/sandbox/rrsets", base_url="https://x").status_code == 401
    assert cloud.metadata.get(TOKEN).status_code == 404
