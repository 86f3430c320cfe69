"""Who may do what: custom roles, the IAM policies of zones and of the project, and the tokens of the metadata server.

A token belongs to a Pod, known by the address that asks, as on GKE. It stands for the Pod's ServiceAccount, the
principal of Workload Identity Federation. Google's predefined roles are unknown here and allow nothing.

Sources: https://cloud.google.com/compute/docs/metadata/overview, https://cloud.google.com/iam/docs/reference/rest.
"""

import secrets
import threading
from collections.abc import Callable
from typing import Any, NamedTuple

from flask import Blueprint, Flask, request

from sandbox.googlecloud.errors import ApiError, already_exists, invalid, json_body, not_found

Json = dict[str, Any]


class Identity(NamedTuple):
    """A ServiceAccount."""

    namespace: str
    name: str
    uid: str


PodIdentity = Callable[[str], Identity | None]
"""Address of a Pod -> its ServiceAccount."""

PROJECT_NUMBER = "123456789012"
PROJECT = ""
"""The key of the project's policy, beside the names of zones."""

_ZONE = "/dns/v1/projects/<project>/managedZones/<zone>"
_ROLES = "/v1/projects/<project>/roles"
_METADATA = "/computeMetadata/v1"
_FLAVOR = {"Metadata-Flavor": "Google"}
_DELETED = "deleted"
_PERMISSIONS = {
    "list_zones": "dns.managedZones.list",
    "get_zone": "dns.managedZones.get",
    "list_record_sets": "dns.resourceRecordSets.list",
    "create_change": "dns.changes.create",
    "get_change": "dns.changes.get",
    "list_changes": "dns.changes.list",
}
"""The permission of each call (https://cloud.google.com/dns/docs/access-control); Pods may use no other call."""


class Iam:
    """The roles of one project and their bindings."""

    def __init__(self, project: str, pods: PodIdentity = lambda _: None) -> None:
        self.project = project
        self._lock = threading.Lock()
        self._pods = pods
        self._roles: dict[str, Json] = {}
        self._policies: dict[str, Json] = {}
        self._principals: dict[str, tuple[str, str]] = {}

    def principals(self, account: Identity) -> tuple[str, str]:
        """Return a ServiceAccount's principals, by name and by UID.

        Source: https://cloud.google.com/iam/docs/principal-identifiers
        """
        pool = f"projects/{PROJECT_NUMBER}/locations/global/workloadIdentityPools/{self.project}.svc.id.goog"
        by_name = f"subject/ns/{account.namespace}/sa/{account.name}"
        prefix = f"principal://iam.googleapis.com/{pool}"
        return f"{prefix}/{by_name}", f"{prefix}/kubernetes.serviceaccount.uid/{account.uid}"

    def token(self, address: str) -> str:
        """Return a new token for the Pod at an address.

        Raises:
            ApiError: no Pod has the address.
        """
        identity = self._pods(address)
        if identity is None:
            raise ApiError(404, "notFound", f"no Pod has the address {address}")
        token = secrets.token_urlsafe(16)
        self._principals[token] = self.principals(identity)
        return token

    def require(self, token: str, zone: str, *permissions: str) -> None:
        """Return if the token's principal has these permissions on the zone.

        Raises:
            ApiError: the token is unknown, or a permission is missing.
        """
        principals = self._principals.get(token)
        if principals is None:
            raise ApiError(401, "authError", "Request had invalid authentication credentials.")
        granted = self._permissions(principals, zone)
        for permission in permissions:
            if permission not in granted:
                message = f"The caller {principals[0]} does not have permission '{permission}' on '{zone}'"
                raise ApiError(403, "forbidden", message)

    def _permissions(self, principals: tuple[str, str], zone: str) -> set[str]:
        # A grant on the project covers all of its zones.
        bindings = [binding for key in {PROJECT, zone} for binding in self._policy(key).get("bindings", [])]
        roles = [self._roles.get(item["role"], {}) for item in bindings if {*principals} & {*item.get("members", [])}]
        return {name for role in roles if not role.get(_DELETED) for name in role.get("includedPermissions", [])}

    def routes(self) -> Blueprint:
        """Return the calls that grant access: for the sandbox itself, not for Pods."""
        routes = Blueprint("iam", __name__)

        @routes.get("/v1/projects/<project>")
        def get_project() -> Json:
            names = {"projectNumber": PROJECT_NUMBER, "projectId": self.project, "name": self.project}
            return names | {"lifecycleState": "ACTIVE"}

        @routes.post(f"{_ZONE}:getIamPolicy")
        def get_policy(zone: str) -> Json:
            return self._policy(zone)

        @routes.post(f"{_ZONE}:setIamPolicy")
        def set_policy(zone: str) -> Json:
            return self._set_policy(zone)

        @routes.post("/v1/projects/<project>:setIamPolicy")
        def set_project_policy() -> Json:
            return self._set_policy(PROJECT)

        @routes.post(_ROLES)
        def create_role() -> Json:
            body = json_body("role")
            role_id = body["roleId"]
            if not role_id.replace("_", "").replace(".", "").isalnum():
                raise invalid("roleId", role_id)
            name = self._role_name(role_id)
            with self._lock:
                if name in self._roles:  # a deleted one too: it can be undeleted for a week
                    raise already_exists("role", name)
                self._roles[name] = {**(body.get("role") or {}), "name": name, "etag": "ACAB"}
                return self._roles[name]

        @routes.get(f"{_ROLES}/<role>")
        def get_role(role: str) -> Json:
            return self._change_role(role)

        @routes.patch(f"{_ROLES}/<role>")
        def patch_role(role: str) -> Json:
            return self._change_role(role, **json_body("role"))

        @routes.delete(f"{_ROLES}/<role>")
        def delete_role(role: str) -> Json:
            return self._change_role(role, deleted=True)

        @routes.post(f"{_ROLES}/<role>:undelete")
        def undelete_role(role: str) -> Json:
            return self._change_role(role, deleted=False)

        return routes

    def _policy(self, zone: str) -> Json:
        return self._policies.get(zone, {"version": 1, "etag": "ACAB"})

    def _set_policy(self, zone: str) -> Json:
        bindings = list(json_body("policy", "policy").get("bindings", []))
        for binding in bindings:
            role = binding["role"]
            if role.startswith("projects/") and self._roles.get(role, {_DELETED: True}).get(_DELETED):
                raise ApiError(400, "invalid", f"Role {role} does not exist.")
        self._policies[zone] = {"version": 1, "etag": "ACAB", "bindings": bindings}
        return self._policies[zone]

    def _role_name(self, role_id: str) -> str:
        return f"projects/{self.project}/roles/{role_id}"

    def _change_role(self, role_id: str, **changes: Any) -> Json:
        """Return a custom role, even a deleted one, after changes."""
        name = self._role_name(role_id)
        with self._lock:
            if name not in self._roles:
                raise not_found("name", name)
            self._roles[name] = {**self._roles[name], **changes, "name": name}
            return self._roles[name]


def guard(app: Flask, iam: Iam) -> None:
    """Check the tokens of calls over HTTPS, which Pods use; over plain HTTP the sandbox itself has every right."""

    @app.before_request
    def check_token() -> None:
        if request.is_secure:
            token = request.headers.get("Authorization", "").removeprefix("Bearer ")
            iam.require(token, (request.view_args or {}).get("zone", ""), *_required_permissions())


def _required_permissions() -> list[str]:
    permission = _PERMISSIONS.get(request.endpoint or "")
    if permission is None:
        raise ApiError(403, "forbidden", f"{request.method} {request.path} is not open to Pods in the sandbox")
    if request.endpoint != "create_change":
        return [permission]
    body = request.get_json(force=True, silent=True) or {}
    added, deleted = (
        {(item.get("name"), item.get("type")) for item in body.get(part) or []} for part in ("additions", "deletions")
    )
    verbs = {"update": added & deleted, "create": added - deleted, "delete": deleted - added}
    return [permission, *(f"dns.resourceRecordSets.{verb}" for verb, record_sets in verbs.items() if record_sets)]


def metadata_app(iam: Iam) -> Flask:
    """Return the metadata server."""
    app = Flask(__name__)

    @app.errorhandler(ApiError)
    def refuse(error: ApiError) -> tuple[str, int]:
        return str(error), error.code

    @app.get(f"{_METADATA}/instance/service-accounts/default/token")
    def token() -> tuple[Json, dict[str, str]]:
        issued = iam.token(request.remote_addr or "")
        return {"access_token": issued, "expires_in": 3600, "token_type": "Bearer"}, _FLAVOR

    @app.get(f"{_METADATA}/project/project-id")
    def project() -> tuple[str, dict[str, str]]:
        return iam.project, _FLAVOR | {"Content-Type": "text/plain"}

    return app
