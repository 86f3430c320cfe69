"""A stack and a namespace for each test of the kubernetes provider, and a kind of our own for all of them."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.testing import kubectl
from tests.sandbox.contract.project import FILES, Stack


@pytest.fixture(scope="session")
def definitions() -> None:
    kubectl("apply", "--server-side", "--filename", str(FILES / "widgets.yaml"))
    kubectl("wait", "--for=condition=Established", "crd/widgets.contract.test")


@pytest.fixture
def namespace(definitions: None) -> Iterator[str]:  # noqa: ARG001
    name = f"contract-{uuid.uuid4().hex[:8]}"
    kubectl("create", "namespace", name)
    yield name
    kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture
def stack(tmp_path: Path, namespace: str) -> Iterator[Stack]:  # noqa: ARG001 - it goes before the namespace
    with Stack(tmp_path) as made:
        yield made
