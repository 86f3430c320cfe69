"""Fixtures of the tests of config/ and of the program."""

from typing import Any

import pytest

from components.preflight.mesh import Mesh
from tests.unit import harness
from tests.unit.config.support import IP, program


@pytest.fixture
def gateway_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cluster whose Services have an address."""
    monkeypatch.setattr("components.kube.load_balancer.find_address", lambda *_, **__: [IP])
    monkeypatch.setattr("components.kube.mesh.read", lambda *_, **__: Mesh("istio-system"))
    monkeypatch.setattr("components.kube.credentials.Client", lambda *_: None)


@pytest.fixture
def up(monkeypatch: pytest.MonkeyPatch, gateway_address: None) -> Any:  # noqa: ARG001 - for its effect
    """`up` of a config on that cluster."""
    monkeypatch.setattr("config.gke._obstacles", lambda *_: ())
    return lambda config, **options: harness.run(program, config, **options)
