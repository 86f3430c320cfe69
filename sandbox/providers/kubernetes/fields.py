"""Field managers of server-side apply: who owns which field of an object.

https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sandbox.providers.kubernetes.apiserver import Object
from sandbox.providers.kubernetes.objects import FIELD_MANAGER, unique_name
from sandbox.providers.kubernetes.waits import PATCH_FIELD_MANAGER, annotation

CREATOR: Final = "pulumi-kubernetes"

_CREATORS: Final = (CREATOR, "pulumi-kubernetes.exe", "pulumi-resource-kubernetes")
_TAKEN_OVER: Final = {"Apply": ("kubectl",), "Update": ("kubectl", "before-first-apply", *_CREATORS)}


def manager_of(inputs: Object, state: Mapping[str, Any]) -> str:
    """Return the field manager of a resource: one of its own, kept in its state."""
    return (
        annotation(inputs, PATCH_FIELD_MANAGER)
        or str(state.get(FIELD_MANAGER, ""))
        or unique_name("pulumi-kubernetes-")
    )


def made_by_create(live: Object) -> bool:
    """Say whether fields are still owned by the request that created the object."""
    return any(
        entry.get("operation") == "Update" and entry.get("manager") in _CREATORS
        for entry in live["metadata"].get("managedFields", [])
    )


def adopted(live: Object, manager: str) -> list[Object] | None:
    """Return the JSON patch that hands the fields of kubectl and of the creating request to a manager.

    Without it an apply by that manager would leave its removed fields to their earlier owners.
    """
    entries = live["metadata"].get("managedFields", [])
    taken = [entry for entry in entries if _is_taken_over(entry)]
    if not taken:
        return None
    own = [entry for entry in entries if entry["manager"] == manager and entry["operation"] == "Apply"]
    merged: Object = {}
    for entry in (*own, *taken):
        merged = _union(merged, entry.get("fieldsV1", {}))
    result = (own or taken)[0] | {"manager": manager, "operation": "Apply", "fieldsV1": merged}
    rest = [entry for entry in entries if entry not in own and entry not in taken]
    return [
        {"op": "replace", "path": "/metadata/managedFields", "value": [*rest, result]},
        {
            "op": "replace",
            "path": "/metadata/resourceVersion",
            "value": live["metadata"]["resourceVersion"],
        },
    ]


def conflict(manager: str, message: str) -> str:
    """Return what to say about a field that somebody else owns."""
    return (
        "server-side apply field conflict detected, see https://www.pulumi.com/registry/packages/kubernetes/"
        "how-to-guides/managing-resources-with-server-side-apply/#handle-field-conflicts-on-existing-resources "
        f'for troubleshooting help\nThe resource managed by field manager "{manager}" had an apply conflict: '
        f"{message}"
    )


def _is_taken_over(entry: Object) -> bool:
    prefixes = _TAKEN_OVER.get(entry.get("operation", ""), ())
    return not entry.get("subresource") and str(entry.get("manager", "")).startswith(prefixes)


def _union(one: Object, other: Object) -> Object:
    return {key: _union(one.get(key, {}), other.get(key, {})) for key in {**one, **other}}
