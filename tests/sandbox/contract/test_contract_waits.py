"""What the provider waits for: the CRD, the condition, the deletion."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import yaml

from sandbox.testing import eventually, get, kubectl
from tests.sandbox.contract.project import FILES, Stack, api_object, ready, set_status, widget

pytestmark = pytest.mark.sandbox


def test_a_preview_passes_while_the_kind_does_not_exist_and_an_up_waits_for_it(stack: Stack, namespace: str) -> None:
    group = f"{namespace}.test"
    late = api_object(f"{group}/v1", "Late", {"name": "l", "namespace": namespace}, spec={"a": 1})
    stack.spec(("l", f"kubernetes:{group}/v1:Late", late, {}))
    steps = stack.steps()
    assert steps["l"][0]["newState"]["inputs"]["spec"] == {"a": 1}

    definition = yaml.safe_load((FILES / "widgets.yaml").read_text())
    definition["metadata"]["name"] = f"lates.{group}"
    definition["spec"] |= {"group": group, "names": {"kind": "Late", "plural": "lates"}}
    with stack.start_up() as up:
        eventually("the provider tries again", lambda: "Retry #0; creation failed" in up.printed)
        kubectl("create", manifest=definition)
        try:
            up.finish()
            stack.destroy()
        finally:
            kubectl("delete", "crd", f"lates.{group}")


# Annotation, a status that must not satisfy it, and one that must.
WAITS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("condition=Ready", ready("False"), ready("True")),
    ("condition=ready=false", ready("True"), ready("False")),
    ("condition=Ready", ready("True", observedGeneration=0), ready("True", observedGeneration=1)),
]


def test_wait_for_ends_when_the_status_says_so(stack: Stack, namespace: str) -> None:
    stack.spec(
        *(widget(namespace, {}, {"pulumi.com/waitFor": wait}, name=f"w{i}") for i, (wait, _, _) in enumerate(WAITS)),
    )
    with stack.start_up() as up:
        for index, (_, not_yet, _) in enumerate(WAITS):
            eventually(f"widget w{index}", partial(get, "widget", f"w{index}", namespace))
            set_status(f"w{index}", namespace, **not_yet)
        for index, (_, _, satisfying) in enumerate(WAITS):
            assert up.runs, "it waits for every one"
            set_status(f"w{index}", namespace, **satisfying)
        up.finish()
    for index, (wait, _, satisfying) in enumerate(WAITS):
        status = stack.state(f"w{index}")["outputs"]["status"]
        assert status == satisfying, f"{wait}: outputs are those of the object that satisfies it"
    assert stack.ops() == {}


def test_a_wait_that_times_out_keeps_the_object_and_the_next_up_waits_again(stack: Stack, namespace: str) -> None:
    annotations = {"pulumi.com/waitFor": "condition=Ready"}
    stack.spec(widget(namespace, {"size": 2}, annotations, custom_timeouts={"create": "2s", "update": "60s"}))
    output = stack.up(fails=True)
    assert "failed to fully initialize or become live: timed out waiting for the condition" in output
    state = stack.state("w")
    assert state["id"] == f"{namespace}/w"
    assert state["initErrors"]
    uid = state["outputs"]["metadata"]["uid"]

    with stack.start_up() as up:
        eventually("it waits again", lambda: "Has no .status.conditions" in up.printed)
        set_status("w", namespace, **ready("True"))
        up.finish()
    assert stack.state("w")["outputs"]["metadata"]["uid"] == uid, "it is the same object"
    assert stack.ops() == {}


def test_a_destroy_waits_until_the_object_is_gone(stack: Stack, namespace: str) -> None:
    stack.spec(widget(namespace, {}, custom_timeouts={"delete": "3s"}))
    stack.up()
    hold = '{"metadata": {"finalizers": ["contract.test/hold"]}}'
    kubectl("patch", "widget", "w", "-n", namespace, "--type=merge", "--patch", hold)
    output = stack.destroy(fails=True)
    assert "finalizers might be preventing deletion" in output
    assert "contract.test/hold" in output
    assert "timed out waiting for the condition" in output
    let_go = '{"metadata": {"finalizers": null}}'
    kubectl("patch", "widget", "w", "-n", namespace, "--type=merge", "--patch", let_go)
    stack.destroy()
