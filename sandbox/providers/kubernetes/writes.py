"""Writes objects by server-side apply, and says which field manager owns which field.

https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

from sandbox.providers.kubernetes.apiserver import ApiError, ApiServer, NoMatchError, Object

RETRY_SECONDS: Final = (1, 2, 4, 8, 16)

_CREATOR: Final = "pulumi-kubernetes"
_CREATORS: Final = (_CREATOR, "pulumi-kubernetes.exe", "pulumi-resource-kubernetes")
_TAKEN_OVER: Final = {"Apply": ("kubectl",), "Update": ("kubectl", "before-first-apply", *_CREATORS)}


def create(
    server: ApiServer, inputs: Object, cancelled: threading.Event, report: Callable[[str], None], *, dry_run: bool
) -> Object:
    """Create an object, again while its namespace or CRD is missing: another resource may be making it.

    Raises:
        ApiError: The server refused it, for instance because it exists.
        NoMatchError: Its kind did not appear.
    """
    for attempt, seconds in enumerate((*RETRY_SECONDS, None)):
        try:
            return server.create(inputs, manager=_CREATOR, dry_run=dry_run)
        except (ApiError, NoMatchError) as error:
            if seconds is None or cancelled.is_set() or not _may_pass(error, dry_run=dry_run):
                raise
            report(f"Retry #{attempt}; creation failed: {error}")
            cancelled.wait(seconds)
    raise AssertionError("the last attempt returns or raises")


def apply(server: ApiServer, inputs: Object, old: Object, manager: str, *, force: bool, dry_run: bool) -> Object:
    """Apply inputs to an object that exists, and that the state has as `old`.

    Raises:
        ApiError: The server refused it, for instance because another manager owns a field.
    """
    live = server.get(old)
    if not dry_run and (operations := _takeover(live, manager)):
        server.patch(live, operations)
    try:
        return server.apply(inputs, manager=manager, force=force or (dry_run and _is_created(live)), dry_run=dry_run)
    except ApiError as error:
        if error.reason == "Conflict":
            error.args = (
                "server-side apply field conflict detected, see https://www.pulumi.com/registry/packages/kubernetes/"
                "how-to-guides/managing-resources-with-server-side-apply/"
                "#handle-field-conflicts-on-existing-resources for troubleshooting help\n"
                f'The resource managed by field manager "{manager}" had an apply conflict: {error}',
            )
        raise


def preview_must_guess(error: ApiError) -> bool:
    """Say whether a refused dry run says nothing about the real run."""
    return (
        error.code == 403
        or error.reason == "AlreadyExists"
        or (error.code == 404 and error.kind == "namespaces")
        or "does not support dry run" in str(error)
    )


def _may_pass(error: ApiError | NoMatchError, *, dry_run: bool) -> bool:
    """Say whether a retry can help: what is missing may appear, but in a preview no namespace does."""
    if isinstance(error, NoMatchError):
        return True
    return error.code == 404 and not (dry_run and error.kind == "namespaces")


def _is_created(live: Object) -> bool:
    """Say whether fields are still owned by the request that created the object."""
    return any(
        entry.get("operation") == "Update" and entry.get("manager") in _CREATORS
        for entry in live["metadata"].get("managedFields", [])
    )


def _takeover(live: Object, manager: str) -> list[Object]:
    """Return the JSON patch that hands the fields of kubectl and of the creating request to a manager.

    Without it an apply by that manager would leave its removed fields to their earlier owners.
    """
    entries = live["metadata"].get("managedFields", [])
    taken = [entry for entry in entries if _is_taken_over(entry)]
    if not taken:
        return []
    own = [entry for entry in entries if entry["manager"] == manager and entry["operation"] == "Apply"]
    merged: Object = {}
    for entry in (*own, *taken):
        merged = _union(merged, entry.get("fieldsV1", {}))
    result = (own or taken)[0] | {"manager": manager, "operation": "Apply", "fieldsV1": merged}
    rest = [entry for entry in entries if entry not in own and entry not in taken]
    version = live["metadata"]["resourceVersion"]
    return [
        {"op": "replace", "path": "/metadata/managedFields", "value": [*rest, result]},
        {"op": "replace", "path": "/metadata/resourceVersion", "value": version},
    ]


def _is_taken_over(entry: Object) -> bool:
    prefixes = _TAKEN_OVER.get(entry.get("operation", ""), ())
    return not entry.get("subresource") and str(entry.get("manager", "")).startswith(prefixes)


def _union(one: Object, other: Object) -> Object:
    return {key: _union(one.get(key, {}), other.get(key, {})) for key in {**one, **other}}
