"""Who may do what in a managed zone, the custom role for it, and the project's number.

`gcp:dns/dnsManagedZoneIamMember:DnsManagedZoneIamMember`, `gcp:projects/iAMCustomRole:IAMCustomRole` and
`gcp:organizations/getProject:getProject`.
"""

from __future__ import annotations

import threading
from typing import Any, ClassVar

from sandbox.providers.gcp.api import CloudDns, GoogleError, Json
from sandbox.providers.gcp.resource import NotFoundError, Problem, Properties, Resource, missing, zone_name
from sandbox.providers.values import UNKNOWN, Unknown, contains

_POLICIES = threading.Lock()
"""A policy is read, changed and written as a whole; the real provider has one mutex for each policy."""


class ZoneMember(Resource):
    """One member with one role in a zone's IAM policy, whatever else is in it."""

    required = ("managedZone", "member", "role")
    optional = ("project",)
    replacing = frozenset({"managedZone", "member", "project", "role"})
    ids = (r"projects/(?P<project>[^ /]+)/managedZones/(?P<managedZone>[^ /]+) (?P<role>[^ ]+) (?P<member>[^ ]+)",)

    def check(self, inputs: Properties) -> list[Problem]:
        """Require all there is."""
        problems = [missing(name) for name in self.required if inputs.get(name) is None]
        if "condition" in inputs:
            reason = "The sandbox's stand-in of the gcp provider has no conditions."
            problems.append(Problem("condition", reason))
        return problems

    def planned(self, api: CloudDns, inputs: Properties, old: Properties) -> Json:
        """Return the outputs to expect; the API chooses the etag."""
        project = inputs.get("project")
        outputs = {key: inputs[key] for key in self.required}
        outputs["project"] = UNKNOWN if isinstance(project, Unknown) else api.project(inputs)
        outputs["etag"] = old.get("etag", UNKNOWN)
        outputs["id"] = UNKNOWN if contains(list(outputs.values()), Unknown) or not old else self.id(outputs)
        return outputs

    def same(self, key: str, old: Any, new: Any, inputs: Properties) -> bool:
        """Compare a zone by its name."""
        return bool(zone_name(old) == zone_name(new)) if key == "managedZone" else super().same(key, old, new, inputs)

    def id(self, state: Properties) -> str:
        """Return the id."""
        return "projects/{project}/managedZones/{managedZone}/{role}/{member}".format_map(state)

    def create(self, api: CloudDns, inputs: Properties) -> Json:
        """Add the member to the policy."""
        project, zone = api.project(inputs), zone_name(inputs["managedZone"])
        with _POLICIES:
            policy = api.zone_policy(project, zone)
            bindings = {each["role"]: each["members"] for each in policy.get("bindings", [])}
            bindings[inputs["role"]] = sorted({*bindings.get(inputs["role"], []), inputs["member"]})
            self._write(api, project, zone, bindings)
        return self.read(api, inputs)

    def read(self, api: CloudDns, state: Properties) -> Json:
        """Read it from the policy."""
        project, zone = api.project(state), zone_name(state["managedZone"])
        try:
            policy = api.zone_policy(project, zone)
        except GoogleError as error:
            if error.code == 404:
                raise NotFoundError(str(error)) from None
            raise
        held = [each for each in policy.get("bindings", []) if each["role"] == state["role"]]
        if not any(state["member"] in each["members"] for each in held):
            raise NotFoundError(f"{state['member']} has not the role {state['role']}")
        outputs = {key: state[key] for key in self.required} | {"project": project, "etag": policy["etag"]}
        return outputs | {"id": self.id(outputs)}

    def update(self, api: CloudDns, old: Properties, inputs: Properties) -> Json:
        """Return what is there: everything is replaced."""
        return self.read(api, {**old, **inputs})

    def delete(self, api: CloudDns, state: Properties) -> None:
        """Take the member out of the policy."""
        with _POLICIES:
            self._remove(api, state)

    def _remove(self, api: CloudDns, state: Properties) -> None:
        project, zone = api.project(state), zone_name(state["managedZone"])
        try:
            policy = api.zone_policy(project, zone)
        except GoogleError as error:
            if error.code == 404:
                return
            raise
        bindings = {each["role"]: list(each["members"]) for each in policy.get("bindings", [])}
        if state["member"] in bindings.get(state["role"], []):
            bindings[state["role"]].remove(state["member"])
            self._write(api, project, zone, bindings)

    @staticmethod
    def _write(api: CloudDns, project: str, zone: str, bindings: dict[str, list[str]]) -> None:
        written = [{"role": role, "members": members} for role, members in bindings.items() if members]
        api.set_zone_policy(project, zone, {"bindings": written})


class CustomRole(Resource):
    """A role of a project's own. One that was deleted is made again by undeleting it, as the real provider does."""

    required = ("permissions", "roleId", "title")
    optional = ("description", "project", "stage")
    replacing = frozenset({"project", "roleId"})
    ids = (r"projects/(?P<project>[^/]+)/roles/(?P<roleId>[^/]+)",)
    defaults: ClassVar[Json] = {"stage": "GA"}

    def check(self, inputs: Properties) -> list[Problem]:
        """Require all there is."""
        return [missing(name) for name in self.required if inputs.get(name) is None]

    def planned(self, api: CloudDns, inputs: Properties, old: Properties) -> Json:
        """Return the outputs to expect."""
        outputs = {key: inputs.get(key) for key in self.inputs} | {"deleted": old.get("deleted", UNKNOWN)}
        project = inputs.get("project")
        outputs["project"] = UNKNOWN if isinstance(project, Unknown) else api.project(inputs)
        known = not contains([outputs["project"], outputs["roleId"]], Unknown) and old
        name = self.id(outputs) if known else UNKNOWN
        return outputs | {"name": name, "id": name}

    def same(self, key: str, old: Any, new: Any, inputs: Properties) -> bool:
        """Compare permissions without their order."""
        if key == "permissions" and isinstance(old, list) and isinstance(new, list) and not contains(new, Unknown):
            return set(old) == set(new)
        return super().same(key, old, new, inputs)

    def id(self, state: Properties) -> str:
        """Return the role's full name."""
        return "projects/{project}/roles/{roleId}".format_map(state)

    def create(self, api: CloudDns, inputs: Properties) -> Json:
        """Make the role, or undelete it."""
        project = api.project(inputs)
        state = {**inputs, "project": project}
        name = self.id(state)
        try:
            found = api.role("GET", name)
        except GoogleError as error:
            if error.code != 404:
                raise
            api.role("POST", f"projects/{project}/roles", {"roleId": inputs["roleId"], "role": _role(inputs)})
        else:
            if not found.get("deleted"):
                raise GoogleError(409, f"Custom project role {name} already exists and must be imported")
            api.role("POST", f"{name}:undelete", {})
            api.role("PATCH", name, _role(inputs))
        return self.read(api, state)

    def read(self, api: CloudDns, state: Properties) -> Json:
        """Read it by its name."""
        outputs = {"project": api.project(state), "roleId": state["roleId"]}
        name = self.id(outputs)
        try:
            found = api.role("GET", name)
        except GoogleError as error:
            if error.code == 404:
                raise NotFoundError(str(error)) from None
            raise
        if found.get("deleted"):
            raise NotFoundError(f"{name} is deleted")
        outputs |= {key: found.get(key) for key in ("title", "description", "stage")}
        outputs |= {"permissions": found.get("includedPermissions", []), "deleted": False}
        return outputs | {"name": name, "id": name}

    def update(self, api: CloudDns, old: Properties, inputs: Properties) -> Json:
        """Change it in place."""
        state = {**inputs, "project": api.project(old)}
        api.role("PATCH", self.id(state), _role(inputs))
        return self.read(api, state)

    def delete(self, api: CloudDns, state: Properties) -> None:
        """Delete it."""
        try:
            api.role("DELETE", self.id({**state, "project": api.project(state)}))
        except GoogleError as error:
            if error.code != 404:
                raise


def project(api: CloudDns, arguments: Properties) -> Json:
    """`gcp:organizations/getProject:getProject`."""
    found = api.project_of(str(arguments.get("projectId") or api.project({})))
    project_id = found["projectId"]
    empty = {"billingAccount": "", "folderId": "", "orgId": "", "deletionPolicy": "PREVENT", "autoCreateNetwork": True}
    labels: Json = {"labels": {}, "effectiveLabels": {}, "pulumiLabels": {}, "tags": {}}
    outputs = {"projectId": project_id, "number": found["projectNumber"], "name": found["name"]}
    return empty | labels | outputs | {"id": f"projects/{project_id}"}


def _role(inputs: Properties) -> Json:
    role = {key: inputs.get(key) for key in ("title", "description", "stage") if inputs.get(key) is not None}
    return {**role, "includedPermissions": list(inputs["permissions"])}
