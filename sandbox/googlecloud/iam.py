"""Who may do what: custom roles, the IAM policy of each managed zone, and the tokens of the metadata server.

A token is its Pod's, known by the address that asks, as on GKE. It stands for the Pod's ServiceAccount, the principal
of Workload Identity Federation. Roles of Google's own are not known here: they allow nothing.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Mapping
from typing import Any

from sandbox.googlecloud.errors import ApiError, already_exists, invalid, not_found

Json = dict[str, Any]
PodIdentity = Callable[[str], tuple[str, str] | None]
"""Address of a Pod -> namespace and name of its ServiceAccount."""

PROJECT_NUMBER = "123456789012"
PROJECT = ""
"""In the place of a zone: the policy of the project."""
_DELETED = "deleted"


class Iam:
    """The roles of one project, and what they are bound to. Hold `lock` around what reads and then writes."""

    def __init__(self, project: str, pods: PodIdentity = lambda _: None) -> None:
        self.project = project
        self.lock = threading.RLock()
        self._pods = pods
        self._roles: dict[str, Json] = {}
        self._policies: dict[str, Json] = {}
        self._principals: dict[str, str] = {}

    def principal(self, namespace: str, service_account: str) -> str:
        """Return a ServiceAccount's principal (https://cloud.google.com/iam/docs/principal-identifiers)."""
        pool = f"projects/{PROJECT_NUMBER}/locations/global/workloadIdentityPools/{self.project}.svc.id.goog"
        return f"principal://iam.googleapis.com/{pool}/subject/ns/{namespace}/sa/{service_account}"

    def token(self, address: str) -> str:
        """Return a token of the Pod at an address.

        Raises:
            ApiError: no Pod is there.
        """
        identity = self._pods(address)
        if identity is None:
            raise ApiError(404, "notFound", f"no Pod has the address {address}")
        token = secrets.token_urlsafe(16)
        self._principals[token] = self.principal(*identity)
        return token

    def require(self, token: str, zone: str, *permissions: str) -> None:
        """Let a call pass whose principal has these permissions on the zone.

        Raises:
            ApiError: the token is nobody's, or a permission is missing.
        """
        principal = self._principals.get(token)
        if principal is None:
            raise ApiError(401, "authError", "Request had invalid authentication credentials.")
        held = self._held(principal, zone)
        for permission in permissions:
            if permission not in held:
                message = f"The caller {principal} does not have permission '{permission}' on '{zone}'"
                raise ApiError(403, "forbidden", message)

    def _held(self, principal: str, zone: str) -> set[str]:
        # What is granted on the project holds for each of its zones.
        bindings = [each for where in {PROJECT, zone} for each in self.policy(where).get("bindings", [])]
        roles = [self._roles.get(each["role"], {}) for each in bindings if principal in each.get("members", [])]
        return {each for role in roles if not role.get(_DELETED) for each in role.get("includedPermissions", [])}

    def policy(self, zone: str) -> Json:
        """Return a zone's policy."""
        return self._policies.get(zone, {"version": 1, "etag": "ACAB"})

    def set_policy(self, zone: str, policy: Mapping[str, Any]) -> Json:
        """Replace a zone's policy.

        Raises:
            ApiError: it binds a custom role that there is not.
        """
        for each in policy.get("bindings", []):
            if each["role"].startswith("projects/") and self._roles.get(each["role"], {_DELETED: True}).get(_DELETED):
                raise ApiError(400, "invalid", f"Role {each['role']} does not exist.")
        self._policies[zone] = {"version": 1, "etag": "ACAB", "bindings": list(policy.get("bindings", []))}
        return self._policies[zone]

    def role(self, name: str) -> Json:
        """Return a custom role, also one that is deleted: it can be undeleted for a week.

        Raises:
            ApiError: there never was one.
        """
        if name not in self._roles:
            raise not_found("name", name)
        return self._roles[name]

    def create_role(self, role_id: object, role: Mapping[str, Any]) -> Json:
        """Make a custom role.

        Raises:
            ApiError: its id is taken, also by one that is deleted.
        """
        if not isinstance(role_id, str) or not role_id.replace("_", "").replace(".", "").isalnum():
            raise invalid("roleId", role_id)
        name = f"projects/{self.project}/roles/{role_id}"
        if name in self._roles:
            raise already_exists("role", name)
        self._roles[name] = {**role, "name": name, "etag": "ACAB"}
        return self._roles[name]

    def change_role(self, name: str, **changes: Any) -> Json:
        """Change a custom role, or mark it as deleted."""
        self._roles[name] = {**self.role(name), **changes, "name": name}
        return self._roles[name]
