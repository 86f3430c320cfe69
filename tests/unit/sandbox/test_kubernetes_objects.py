"""The kubernetes stand-in's objects: which kinds the real provider's schema has."""

from __future__ import annotations

import pytest

from sandbox.providers.kubernetes.objects import is_builtin


@pytest.mark.parametrize("api_version", ["v1", "apps/v1", "rbac.authorization.k8s.io/v1"])
def test_the_apis_own_kinds_are_imported_with_all_fields(api_version: str) -> None:
    assert is_builtin({"apiVersion": api_version})


@pytest.mark.parametrize("api_version", ["gateway.networking.k8s.io/v1", "cert-manager.io/v1"])
def test_kinds_of_crds_are_imported_with_their_identity_alone(api_version: str) -> None:
    assert not is_builtin({"apiVersion": api_version}), "no schema says what else is an input"
