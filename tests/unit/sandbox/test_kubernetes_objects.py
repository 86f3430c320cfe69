"""The kubernetes stand-in's objects: what of them is an input."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from sandbox.providers.kubernetes.objects import importable, is_builtin

LIVE: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {
        "name": "mine",
        "namespace": "web",
        "uid": "1",
        "resourceVersion": "2",
        "managedFields": [],
        "creationTimestamp": "2026-01-01T00:00:00Z",
        "labels": {"app": "web"},
        "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}", "note": "kept"},
    },
    "data": {"a": "1"},
    "status": {"phase": "Active"},
}
KNOWN = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "mine", "namespace": "web"}}


def test_an_imported_object_of_the_apis_own_kinds_has_all_but_its_status_as_inputs() -> None:
    before = copy.deepcopy(LIVE)
    metadata = {"name": "mine", "namespace": "web", "labels": {"app": "web"}, "annotations": {"note": "kept"}}
    assert importable(LIVE, KNOWN) == KNOWN | {"metadata": metadata, "data": {"a": "1"}}, "kubectl's own note apart"
    assert before == LIVE, "the object itself goes into the state as it is"


def test_an_imported_custom_resource_has_its_identity_alone_as_inputs() -> None:
    kind = {"apiVersion": "networking.istio.io/v1", "kind": "Gateway"}
    assert importable(LIVE | kind, KNOWN | kind) == KNOWN | kind, "no schema says what else is an input"


@pytest.mark.parametrize(
    ("api_version", "builtin"),
    [
        ("v1", True),
        ("apps/v1", True),
        ("rbac.authorization.k8s.io/v1", True),
        ("gateway.networking.k8s.io/v1", False),
        ("cert-manager.io/v1", False),
    ],
)
def test_kinds_that_crds_make_are_not_the_apis_own(api_version: str, *, builtin: bool) -> None:
    assert is_builtin({"apiVersion": api_version}) == builtin, f"{api_version} is in the schema, or is not"
