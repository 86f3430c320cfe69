"""REST for what a Pod's access to a zone stands on: tokens, IAM policies of zones, custom roles, the project.

Sources: https://cloud.google.com/compute/docs/metadata/overview, https://cloud.google.com/iam/docs/reference/rest.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Flask, request

from sandbox.googlecloud.errors import ApiError
from sandbox.googlecloud.iam import PROJECT, PROJECT_NUMBER, Iam

_ZONE = "/dns/v1/projects/<project>/managedZones/<zone>"
_ROLES = "/v1/projects/<project>/roles"
_FLAVOR = {"Metadata-Flavor": "Google"}
_PERMISSIONS = {
    "list_zones": "dns.managedZones.list",
    "get_zone": "dns.managedZones.get",
    "list_record_sets": "dns.resourceRecordSets.list",
    "get_record_set": "dns.resourceRecordSets.get",
    "create_change": "dns.changes.create",
    "get_change": "dns.changes.get",
    "list_changes": "dns.changes.list",
}
"""What each call asks for (https://cloud.google.com/dns/docs/access-control); no other call is open to Pods."""


def guard(app: Flask, iam: Iam) -> None:
    """Check the token of whoever comes over HTTPS, as Pods do; the sandbox itself comes in plain, with every right."""

    @app.before_request
    def check_token() -> None:
        if not request.is_secure:
            return
        zone = (request.view_args or {}).get("zone", "")
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        iam.require(token, zone, *_needed())


def _needed() -> list[str]:
    permission = _PERMISSIONS.get(request.endpoint or "")
    if permission is None:
        raise ApiError(403, "forbidden", f"{request.method} {request.path} is not open to Pods in the sandbox")
    if request.endpoint != "create_change":
        return [permission]
    body = request.get_json(force=True, silent=True) or {}
    added, deleted = (
        {(each.get("name"), each.get("type")) for each in body.get(part) or []} for part in ("additions", "deletions")
    )
    needed = {"update": added & deleted, "create": added - deleted, "delete": deleted - added}
    return [permission, *(f"dns.resourceRecordSets.{verb}" for verb, names in needed.items() if names)]


def metadata_app(iam: Iam) -> Flask:
    """Return the metadata server's application."""
    app = Flask(__name__)
    base = "/computeMetadata/v1"

    @app.errorhandler(ApiError)
    def refuse(error: ApiError) -> tuple[str, int]:
        return str(error), error.code

    @app.get(f"{base}/instance/service-accounts/default/token")
    def token() -> tuple[dict[str, Any], dict[str, str]]:
        issued = iam.token(request.remote_addr or "")
        return {"access_token": issued, "expires_in": 3600, "token_type": "Bearer"}, _FLAVOR

    @app.get(f"{base}/project/project-id")
    def project() -> tuple[str, dict[str, str]]:
        return iam.project, _FLAVOR | {"Content-Type": "text/plain"}

    @app.get(f"{base}/project/numeric-project-id")
    def number() -> tuple[str, dict[str, str]]:
        return PROJECT_NUMBER, _FLAVOR | {"Content-Type": "text/plain"}

    return app


def iam_routes(iam: Iam) -> Blueprint:
    """Return the calls that grant: for the sandbox itself, not for Pods."""
    routes = Blueprint("iam", __name__)

    @routes.get("/v1/projects/<project>")
    def get_project() -> dict[str, Any]:
        found = {"projectNumber": PROJECT_NUMBER, "projectId": iam.project, "name": iam.project}
        return found | {"lifecycleState": "ACTIVE"}

    @routes.post(f"{_ZONE}:getIamPolicy")
    def get_policy(zone: str) -> dict[str, Any]:
        return iam.policy(zone)

    @routes.post(f"{_ZONE}:setIamPolicy")
    def set_policy(zone: str) -> dict[str, Any]:
        return iam.set_policy(zone, _body().get("policy") or {})

    @routes.post("/v1/projects/<project>:setIamPolicy")
    def set_project_policy() -> dict[str, Any]:
        return iam.set_policy(PROJECT, _body().get("policy") or {})

    @routes.post(_ROLES)
    def create_role() -> dict[str, Any]:
        body = _body()
        with iam.lock:
            return iam.create_role(body.get("roleId"), body.get("role") or {})

    @routes.get(f"{_ROLES}/<role>")
    def get_role(role: str) -> dict[str, Any]:
        return iam.role(_name(role))

    @routes.patch(f"{_ROLES}/<role>")
    def patch_role(role: str) -> dict[str, Any]:
        with iam.lock:
            return iam.change_role(_name(role), **_body())

    @routes.delete(f"{_ROLES}/<role>")
    def delete_role(role: str) -> dict[str, Any]:
        with iam.lock:
            return iam.change_role(_name(role), deleted=True)

    @routes.post(f"{_ROLES}/<role>:undelete")
    def undelete_role(role: str) -> dict[str, Any]:
        with iam.lock:
            return iam.change_role(_name(role), deleted=False)

    def _name(role: str) -> str:
        return f"projects/{iam.project}/roles/{role}"

    return routes


def _body() -> dict[str, Any]:
    found = request.get_json(force=True, silent=True)
    return found if isinstance(found, dict) else {}
