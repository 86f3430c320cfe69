"""Objects of the Kubernetes API: previews, diffs, replacements, secrets, drift and imports."""

from __future__ import annotations

import pytest

from sandbox.testing import get, kubectl, live
from tests.sandbox.contract.project import Resource, Stack, api_object, config_map, widget

pytestmark = pytest.mark.sandbox


def test_an_object_lives_from_its_preview_to_its_destruction(stack: Stack, namespace: str) -> None:
    stack.spec(widget(namespace, {"color": "red"}))
    assert stack.ops() == {"w": ["create"]}
    assert not get("widget", "w", namespace), "a preview changes nothing"

    stack.up()
    state = stack.state("w")
    assert state["id"] == f"{namespace}/w"
    assert state["inputs"]["spec"] == {"color": "red"}
    outputs = state["outputs"]
    assert outputs["spec"] == {"color": "red", "size": 1}, "outputs have the server's defaults"
    assert outputs["metadata"]["uid"] == live("widget", "w", namespace)["metadata"]["uid"]
    assert outputs["__inputs"] == state["inputs"]
    assert outputs["__initialApiVersion"] == "contract.test/v1"
    assert outputs["__fieldManager"].startswith("pulumi-kubernetes-")
    assert stack.ops() == {}, "defaults of the server are no drift"

    stack.spec(widget(namespace, {"color": "blue", "size": 3}))
    assert stack.ops() == {"w": ["update"]}
    stack.up()
    stack.spec(widget(namespace, {"size": 3}))
    stack.up()
    assert live("widget", "w", namespace)["spec"] == {"size": 3}, "a removed field is removed"

    stack.destroy()
    assert not get("widget", "w", namespace)


def test_a_nameless_object_is_named_after_its_resource(stack: Stack, namespace: str) -> None:
    stack.spec(config_map({"namespace": namespace}, {"a": "1"}))
    stack.up()
    name = stack.state("cm")["inputs"]["metadata"]["name"]
    assert name.startswith("cm-")
    assert len(name) == len("cm-") + 8
    assert stack.ops() == {}, "the name is kept"
    stack.spec(config_map({"namespace": namespace}, {"a": "2"}))
    assert stack.ops() == {"cm": ["replace"]}, "data cannot be changed in place"
    old = stack.state("cm")["id"]
    output = stack.up()
    assert output.index("created replacement") < output.index("deleted original"), "the new one comes first"
    assert stack.state("cm")["id"] != old


def test_a_named_object_that_must_be_replaced_is_deleted_first(stack: Stack, namespace: str) -> None:
    stack.spec(config_map({"namespace": namespace, "name": "a"}, {"a": "1"}))
    stack.up()
    stack.spec(config_map({"namespace": namespace, "name": "a"}, {"a": "2"}))
    assert stack.ops() == {"cm": ["replace"]}
    output = stack.up()
    assert output.index("deleted original") < output.index("created replacement"), "both cannot have the name"
    stack.spec(config_map({"namespace": namespace, "name": "b"}, {"a": "2"}))
    steps = stack.steps()["cm"]
    assert [step["op"] for step in steps] == ["replace"]
    assert steps[0]["replaceReasons"] == ["metadata.name"]


def test_a_diff_names_the_properties_that_change(stack: Stack, namespace: str) -> None:
    parts = [{"a.b": 1, "keep": True}, {"c": [1, 2]}]
    stack.spec(widget(namespace, {"parts": parts, "color": "red"}, {"x/y": "1"}))
    stack.up()
    changed = [{"keep": True, "new": 1}, {"c": [1, 3]}, {}]
    stack.spec(widget(namespace, {"parts": changed}, {"x/y": "2"}))
    detailed = stack.steps()["w"][0]["detailedDiff"]
    assert {path: change["kind"] for path, change in detailed.items()} == {
        "metadata.annotations.x/y": "update",
        "spec.color": "delete",
        'spec.parts[0]["a.b"]': "delete",
        "spec.parts[0].new": "add",
        "spec.parts[1].c[1]": "update",
        "spec.parts[2]": "add",
    }


def test_a_value_that_is_not_known_yet_previews_as_unknown(stack: Stack, namespace: str) -> None:
    owner = config_map({"namespace": namespace, "name": "owner"}, {"a": "1"})
    dependent = ("d", *widget(namespace, {"color": {"$of": ["cm", "metadata", "uid"]}})[1:])
    stack.spec(owner, dependent)
    assert stack.ops() == {"cm": ["create"], "d": ["create"]}
    stack.up()
    uid = live("configmap", "owner", namespace)["metadata"]["uid"]
    assert live("widget", "w", namespace)["spec"]["color"] == uid
    assert stack.ops() == {}


def test_a_field_that_another_manager_took_is_a_conflict(stack: Stack, namespace: str) -> None:
    stack.spec(widget(namespace, {"color": "red"}))
    stack.up()
    stack.spec(widget(namespace, {"color": "green"}))
    stack.up()
    theirs = widget(namespace, {"color": "blue"})[2]
    kubectl("apply", "--server-side", "--force-conflicts", "--field-manager=other", manifest=theirs)
    stack.spec(widget(namespace, {"color": "red"}))
    output = stack.up(fails=True)
    assert "server-side apply field conflict detected" in output
    assert 'conflict with "other"' in output
    provider: Resource = ("k8s", "pulumi:providers:kubernetes", {"enablePatchForce": True}, {})
    stack.spec(provider, widget(namespace, {"color": "red"}, provider="k8s"))
    stack.up()
    assert live("widget", "w", namespace)["spec"]["color"] == "red"


def test_an_import_of_a_custom_resource_knows_its_identity_alone(stack: Stack, namespace: str) -> None:
    kubectl("create", manifest=widget(namespace, {"color": "red"}, {"note": "theirs"})[2])
    stack.spec(widget(namespace, {"color": "red"}, import_=f"{namespace}/w"))
    assert stack.ops() == {"w": ["import", "update"]}, "so what the program says differs from what is imported"
    stack.import_resource("kubernetes:contract.test/v1:Widget", "w", f"{namespace}/w")
    state = stack.state("w")
    identity = api_object("contract.test/v1", "Widget", {"name": "w", "namespace": namespace})
    assert state["inputs"] == identity, "the provider's schema does not have the kind, so it cannot tell inputs"
    assert state["outputs"]["spec"] == {"color": "red", "size": 1}, "the state has it as it is"
    stack.spec(widget(namespace, {"color": "red"}))
    steps = stack.steps()
    assert [step["op"] for step in steps["w"]] == ["update"], "what the program says comes to it as an update"
    assert list(steps["w"][0]["detailedDiff"]) == ["spec"], "of all that is not its identity"
