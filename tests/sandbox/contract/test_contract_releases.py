"""Helm releases."""

from __future__ import annotations

import pytest

from sandbox.testing import get, live
from tests.sandbox.contract.project import Stack, api_object, release

pytestmark = pytest.mark.sandbox


def test_a_release_lives_from_its_preview_to_its_destruction(stack: Stack, namespace: str) -> None:
    stack.spec(release(namespace, values={"color": "blue"}))
    assert stack.ops() == {"release": ["create"]}
    assert not get("configmap", "demo", namespace), "a preview changes nothing"

    stack.up()
    assert live("configmap", "demo", namespace)["data"] == {"color": "blue"}
    state = stack.state("release")
    assert state["id"] == f"{namespace}/demo"
    assert state["inputs"]["version"] == "1.2.3", "the chart's version is resolved"
    assert state["inputs"]["timeout"] == 300
    outputs = state["outputs"]
    assert outputs["status"] == {
        "appVersion": "4.5.6",
        "chart": "contract",
        "name": "demo",
        "namespace": namespace,
        "revision": 1,
        "status": "deployed",
        "version": "1.2.3",
    }
    assert outputs["resourceNames"] == {"ConfigMap/v1": ["demo"]}
    assert stack.ops() == {}
    assert stack.ops("--refresh") == {}

    stack.spec(release(namespace, values={"color": "green"}))
    steps = stack.steps()
    assert [step["op"] for step in steps["release"]] == ["update"]
    assert list(steps["release"][0]["detailedDiff"]) == ["values.color"]
    stack.up()
    assert live("configmap", "demo", namespace)["data"] == {"color": "green"}
    assert stack.state("release")["outputs"]["status"]["revision"] == 2

    stack.spec(release(namespace, name="other"))
    assert "replace" in stack.ops()["release"], "a release cannot be renamed"
    stack.destroy()
    assert not get("configmap", "demo", namespace)


def test_the_scope_of_a_kind_that_a_release_brings_is_known_in_the_same_preview(stack: Stack, namespace: str) -> None:
    group = f"{namespace}.test"
    gauge = api_object(f"{group}/v1", "Gauge", {"name": "g"})
    stack.spec(
        release(namespace, name=namespace, values={"crds": True}),
        ("g", f"kubernetes:{group}/v1:Gauge", gauge, {"depends_on": ["release"]}),
    )
    steps = stack.steps()
    assert "namespace" not in steps["g"][0]["newState"]["inputs"]["metadata"]
    stack.up()
    assert stack.state("g")["id"] == "g"


def test_a_release_that_does_not_become_ready_is_kept_and_fixed_by_the_next_up(stack: Stack, namespace: str) -> None:
    stack.spec(release(namespace, values={"job": "no-such-image"}, timeout=3))
    output = stack.up(fails=True)
    assert "failed to initialize completely" in output
    state = stack.state("release")
    assert state["id"] == f"{namespace}/demo"
    assert state["initErrors"]
    stack.spec(release(namespace, timeout=3))
    stack.up()
    assert stack.state("release")["outputs"]["status"]["status"] == "deployed"
