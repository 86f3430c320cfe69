"""Who may do what in a managed zone, and the custom role for it.

`gcp:dns/dnsManagedZoneIamMember:DnsManagedZoneIamMember` and `gcp:projects/iAMCustomRole:IAMCustomRole`.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

from sandbox.providers.gcp.api import GoogleError, Json, NotFoundError
from sandbox.providers.gcp.resource import Resource
from sandbox.providers.values import Unknown, contains

_POLICIES = threading.Lock()
"""A policy is read, changed and written as a whole; the real provider has one mutex for each policy."""


class ZoneMember(Resource):
    """One member with one role in a zone's IAM policy, whatever else is in it."""

    kind = "DnsManagedZoneIamMember"
    required = ("managedZone", "member", "role")
    optional = ("project",)
    replacing = frozenset({*required, *optional})
    computed = ("etag",)
    id_format = "projects/{project}/managedZones/{managedZone}/{role}/{member}"

    def insert(self, inputs: Json) -> None:
        """Add the member to the policy."""
        with self._members(inputs) as members:
            members.add(inputs["member"])

    def get(self, state: Json) -> Json:
        """Return the member as the policy has it."""
        project = self.api.project(state)
        policy = self.api.zone_policy(project, state["managedZone"])
        if state["member"] not in _bindings(policy).get(state["role"], ()):
            raise NotFoundError(f"{state['member']} does not have the role {state['role']}")
        return {key: state[key] for key in self.required} | {"project": project, "etag": policy["etag"]}

    def remove(self, state: Json) -> None:
        """Take the member out of the policy."""
        with self._members(state) as members:
            members.discard(state["member"])

    @contextmanager
    def _members(self, state: Json) -> Iterator[set[str]]:
        """Yield the members of the role, and write the policy if the block has changed them."""
        project, zone, role = self.api.project(state), state["managedZone"], state["role"]
        with _POLICIES:
            bindings = _bindings(self.api.zone_policy(project, zone))
            before = set(bindings.setdefault(role, set()))
            yield bindings[role]
            if bindings[role] != before:
                written = [{"role": role, "members": sorted(held)} for role, held in bindings.items() if held]
                self.api.set_zone_policy(project, zone, {"bindings": written})


class CustomRole(Resource):
    """A role of a project's own. One that was deleted is made again by undeleting it, as the real provider does."""

    kind = "IAMCustomRole"
    required = ("permissions", "roleId", "title")
    optional = ("description", "project")
    replacing = frozenset({"project", "roleId"})
    computed = ("deleted", "name")
    id_format = "projects/{project}/roles/{roleId}"

    def same(self, key: str, old: Any, new: Any, inputs: Json) -> bool:
        """Compare permissions without their order."""
        if key == "permissions" and isinstance(old, list) and isinstance(new, list) and not contains(new, Unknown):
            return set(old) == set(new)
        return super().same(key, old, new, inputs)

    def insert(self, inputs: Json) -> None:
        """Make the role, or undelete it."""
        name = self.id(inputs)
        try:
            live = self._role("GET", name)
        except NotFoundError:
            body = {"roleId": inputs["roleId"], "role": _role(inputs)}
            self._role("POST", f"projects/{inputs['project']}/roles", body)
            return
        if not live.get("deleted"):
            raise GoogleError(f"Custom project role {name} already exists and must be imported")
        self._role("POST", f"{name}:undelete", {})
        self._role("PATCH", name, _role(inputs))

    def get(self, state: Json) -> Json:
        """Return the role that has the id."""
        outputs = {"project": self.api.project(state), "roleId": state["roleId"]}
        name = self.id(outputs)
        live = self._role("GET", name)
        if live.get("deleted"):
            raise NotFoundError(f"{name} is deleted")
        outputs |= {key: live.get(key) for key in ("title", "description")}
        return outputs | {"permissions": live.get("includedPermissions", []), "deleted": False, "name": name}

    def change(self, _old: Json, inputs: Json) -> None:
        """Change it in place."""
        self._role("PATCH", self.id(inputs), _role(inputs))

    def remove(self, state: Json) -> None:
        """Delete it."""
        self._role("DELETE", self.id(state))

    def _role(self, method: str, name: str, body: Json | None = None) -> Json:
        return self.api.call("iam", method, quote(name, safe="/:"), body)


def _bindings(policy: Json) -> dict[str, set[str]]:
    return {binding["role"]: set(binding["members"]) for binding in policy.get("bindings", [])}


def _role(inputs: Json) -> Json:
    role = {key: inputs[key] for key in ("title", "description") if inputs.get(key) is not None}
    return {**role, "stage": "GA", "includedPermissions": list(inputs["permissions"])}
