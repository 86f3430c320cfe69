"""What this project relies on in pulumi-kubernetes, through the engine: the real plugin and its stand-in both pass."""

from __future__ import annotations

import json
import os
import subprocess
import time
import uuid
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml
from support import eventually, get, kubectl

pytestmark = pytest.mark.sandbox

FILES = Path(__file__).parent / "contract"
TIMEOUT = 120  # seconds, for one command of the engine
SECRET = "[secret]"

# Registers the resources of spec.json in their order, so that no test needs a program of its own.
PROGRAM = """\
import importlib.metadata
import json
import pathlib

import pulumi

VERSION = importlib.metadata.version("pulumi-kubernetes")
made = {}


def value(given):
    if isinstance(given, list):
        return [value(each) for each in given]
    if not isinstance(given, dict):
        return given
    if "$secret" in given:
        return pulumi.Output.secret(given["$secret"])
    if "$uid" in given:
        return made[given["$uid"]].metadata["uid"]
    return {key: value(each) for key, each in given.items()}


class Provider(pulumi.ProviderResource):
    def __init__(self, name, **props):
        super().__init__("kubernetes", name, props, pulumi.ResourceOptions(version=VERSION))


for name, type_, props, options in json.loads(pathlib.Path("spec.json").read_text()):
    if type_ == "provider":
        made[name] = Provider(name, **value(props))
        continue
    if "custom_timeouts" in options:
        options["custom_timeouts"] = pulumi.CustomTimeouts(**options["custom_timeouts"])
    if "provider" in options:
        options["provider"] = made[options["provider"]]
    if "depends_on" in options:
        options["depends_on"] = [made[each] for each in options["depends_on"]]
    props = {"metadata": None} | value(props) if "id" in options else value(props)
    made[name] = pulumi.CustomResource(
        f"kubernetes:{type_}", name, props, pulumi.ResourceOptions(version=VERSION, **options)
    )
    if "id" in options:
        pulumi.export(name, {"metadata": made[name].metadata})
"""


def live(kind: str, name: str, namespace: str) -> dict[str, Any]:
    """An object that must be there."""
    found = get(kind, name, namespace)
    assert found is not None, f"there is no {kind} {name}"
    return found


def set_status(widget: str, namespace: str, **status: Any) -> None:
    patch = json.dumps({"status": status})
    kubectl("patch", "widget", widget, "-n", namespace, "--subresource=status", "--type=merge", "--patch", patch)


def ready(status: str, **more: Any) -> dict[str, Any]:
    return {"conditions": [{"type": "Ready", "status": status, "reason": "Test", "message": "", **more}]}


class Stack:
    """A project with a stack of its own, run by the engine on PATH."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "state").mkdir()
        (folder / "Pulumi.yaml").write_text("name: contract\nruntime: python\n")
        (folder / "__main__.py").write_text(PROGRAM)
        self.spec()
        self.run("stack", "init", "test")

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        env = os.environ | {
            "PULUMI_BACKEND_URL": f"file://{self.folder}/state",
            "PULUMI_CONFIG_PASSPHRASE": "",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
        }
        return subprocess.Popen(
            ["pulumi", *arguments, "--non-interactive"],
            cwd=self.folder,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *arguments: str, fails: bool = False) -> str:
        return self.finish(self.start(*arguments), fails=fails)

    def finish(self, process: subprocess.Popen[str], *, fails: bool = False) -> str:
        output, _ = process.communicate(timeout=TIMEOUT)
        assert (process.returncode != 0) == fails, f"{process.args!r}\n{output}"
        return output

    def spec(self, *resources: tuple[str, str, dict[str, Any], dict[str, Any]]) -> None:
        """Sets the program's resources: name, type, properties and options of each."""
        (self.folder / "spec.json").write_text(json.dumps(resources))

    def up(self, *, fails: bool = False) -> str:
        return self.run("up", "--yes", "--skip-preview", fails=fails)

    def plan(self, *arguments: str) -> dict[str, list[dict[str, Any]]]:
        """The steps of a preview, by the resource's name; what stays the same is not in it."""
        output = self.run("preview", "--json", *arguments)
        steps = json.loads(output[output.index("{") : output.rindex("}") + 1])["steps"]
        plan: dict[str, list[dict[str, Any]]] = {}
        for step in steps:
            name = step["urn"].rpartition("::")[2]
            if not name.startswith(("contract-", "default")) and step["op"] not in ("same", "read", "refresh"):
                plan.setdefault(name, []).append(step)
        return plan

    def ops(self, *arguments: str) -> dict[str, list[str]]:
        return {name: [step["op"] for step in steps] for name, steps in self.plan(*arguments).items()}

    def state(self, name: str) -> dict[str, Any]:
        deployment = json.loads(self.run("stack", "export", "--show-secrets"))["deployment"]
        found: dict[str, Any] = next(
            each for each in deployment["resources"] if each["urn"].rpartition("::")[2] == name
        )
        return found


@pytest.fixture
def namespace() -> Iterator[str]:
    name = f"contract-{uuid.uuid4().hex[:8]}"
    kubectl("create", "namespace", name)
    yield name
    kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture
def stack(tmp_path: Path, namespace: str) -> Iterator[Stack]:  # noqa: ARG001 - it goes before the namespace
    made = Stack(tmp_path)
    yield made
    made.run("destroy", "--yes", "--skip-preview")


@pytest.fixture(scope="session", autouse=True)
def definitions() -> None:
    kubectl("apply", "--server-side", "--filename", str(FILES / "widgets.yaml"))
    kubectl("wait", "--for=condition=Established", "crd/widgets.contract.test", "crd/gauges.contract.test")


Resource = tuple[str, str, dict[str, Any], dict[str, Any]]


def widget(
    namespace: str,
    spec: dict[str, Any],
    annotations: dict[str, str] | None = None,
    name: str = "w",
    **options: Any,
) -> Resource:
    metadata = {"name": name, "namespace": namespace} | ({"annotations": annotations} if annotations else {})
    return name, "contract.test/v1:Widget", _object("contract.test/v1", "Widget", metadata, spec=spec), options


def config_map(metadata: dict[str, Any], data: dict[str, Any], **options: Any) -> Resource:
    return "cm", "core/v1:ConfigMap", _object("v1", "ConfigMap", metadata, data=data), options


def release(namespace: str, *, name: str = "demo", values: dict[str, Any] | None = None, **more: Any) -> Resource:
    props = {"chart": str(FILES / "chart"), "name": name, "namespace": namespace, "values": values or {}}
    return "release", "helm.sh/v3:Release", props | more, {}


def _object(api_version: str, kind: str, metadata: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **more}


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

    stack.run("destroy", "--yes", "--skip-preview")
    assert not get("widget", "w", namespace)


def test_a_cluster_scoped_object_has_no_namespace(stack: Stack) -> None:
    gauge: Resource = ("g", "contract.test/v1:Gauge", _object("contract.test/v1", "Gauge", {"name": "g"}), {})
    stack.spec(gauge)
    stack.up()
    state = stack.state("g")
    assert state["id"] == "g"
    assert "namespace" not in state["inputs"]["metadata"]
    assert stack.ops() == {}


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
    steps = stack.plan()["cm"]
    assert [step["op"] for step in steps] == ["replace"]
    assert steps[0]["replaceReasons"] == ["metadata.name"]


def test_a_diff_names_the_properties_that_change(stack: Stack, namespace: str) -> None:
    parts = [{"a.b": 1, "keep": True}, {"c": [1, 2]}]
    stack.spec(widget(namespace, {"parts": parts, "color": "red"}, {"x/y": "1"}))
    stack.up()
    changed = [{"keep": True, "new": 1}, {"c": [1, 3]}, {}]
    stack.spec(widget(namespace, {"parts": changed}, {"x/y": "2"}))
    detailed = stack.plan()["w"][0]["detailedDiff"]
    assert {path: change["kind"] for path, change in detailed.items()} == {
        "metadata.annotations.x/y": "update",
        "spec.color": "delete",
        'spec.parts[0]["a.b"]': "delete",
        "spec.parts[0].new": "add",
        "spec.parts[1].c[1]": "update",
        "spec.parts[2]": "add",
    }


def test_what_is_secret_is_masked(stack: Stack, namespace: str) -> None:
    metadata = {"namespace": namespace, "name": "s"}
    stack.spec(
        ("s", "core/v1:Secret", _object("v1", "Secret", metadata, stringData={"token": "hunter2"}), {}),
        config_map(metadata, {"open": "seen", "hidden": {"$secret": "swordfish"}}),
    )
    output = stack.run("preview", "--diff")
    assert SECRET in output
    assert not {"hunter2", "aHVudGVyMg==", "swordfish"} & set(output.split('"'))
    assert "seen" in output
    stack.up()
    stored = json.dumps(json.loads(stack.run("stack", "export"))["deployment"]["resources"])
    assert "aHVudGVyMg==" not in stored
    assert "swordfish" not in stored
    assert '"open": "seen"' in stored
    assert stack.ops() == {}


def test_a_preview_passes_while_the_kind_does_not_exist_and_an_up_waits_for_it(stack: Stack, namespace: str) -> None:
    group = f"{namespace}.test"
    late = _object(f"{group}/v1", "Late", {"name": "l", "namespace": namespace}, spec={"a": 1})
    stack.spec(("l", f"{group}/v1:Late", late, {}))
    plan = stack.plan()
    assert plan["l"][0]["newState"]["inputs"]["spec"] == {"a": 1}

    definition = yaml.safe_load((FILES / "widgets.yaml").read_text().partition("---")[0])
    definition["metadata"]["name"] = f"lates.{group}"
    definition["spec"] |= {"group": group, "names": {"kind": "Late", "plural": "lates"}}
    process = stack.start("up", "--yes", "--skip-preview")
    time.sleep(4)  # the engine has tried once by then; nothing tells when
    kubectl("create", manifest=definition)
    try:
        stack.finish(process)
        stack.run("destroy", "--yes", "--skip-preview")
    finally:
        kubectl("delete", "crd", f"lates.{group}")


def test_a_value_that_is_not_known_yet_previews_as_unknown(stack: Stack, namespace: str) -> None:
    owner = config_map({"namespace": namespace, "name": "owner"}, {"a": "1"})
    dependent = ("d", *widget(namespace, {"color": {"$uid": "cm"}})[1:])
    stack.spec(owner, dependent)
    assert stack.ops() == {"cm": ["create"], "d": ["create"]}
    stack.up()
    uid = live("configmap", "owner", namespace)["metadata"]["uid"]
    assert live("widget", "w", namespace)["spec"]["color"] == uid
    assert stack.ops() == {}


def test_an_object_that_exists_is_not_taken_over(stack: Stack, namespace: str) -> None:
    kubectl("create", "configmap", "taken", "-n", namespace, "--from-literal=a=theirs")
    stack.spec(config_map({"namespace": namespace, "name": "taken"}, {"a": "ours"}))
    assert stack.ops() == {"cm": ["create"]}, "a preview does not know better"
    output = stack.up(fails=True)
    assert 'configmaps "taken" already exists' in output
    assert "pulumi import" in output
    assert live("configmap", "taken", namespace)["data"] == {"a": "theirs"}


# Annotation, a status that must not satisfy it, and one that must.
WAITS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("condition=Ready", ready("False"), ready("True")),
    ("condition=ready=false", ready("True"), ready("False")),
    ("condition=Ready", ready("True", observedGeneration=0), ready("True", observedGeneration=1)),
    ("jsonpath={.status.phase}=Up", {"phase": "Down"}, {"phase": "Up"}),
    ('jsonpath={.status.list[?(@.n=="x")].ok}=true', {"list": []}, {"list": [{"n": "x", "ok": True}]}),
    ('["condition=Ready", "jsonpath={.status.phase}"]', ready("True"), ready("True") | {"phase": "any"}),
]


def test_wait_for_ends_when_the_status_says_so(stack: Stack, namespace: str) -> None:
    stack.spec(
        *(widget(namespace, {}, {"pulumi.com/waitFor": wait}, name=f"w{i}") for i, (wait, _, _) in enumerate(WAITS)),
        widget(namespace, {}, {"pulumi.com/waitFor": "condition=Ready", "pulumi.com/skipAwait": "true"}, name="skips"),
    )
    process = stack.start("up", "--yes", "--skip-preview")
    for index, (_, not_yet, _) in enumerate(WAITS):
        eventually(f"widget w{index}", partial(get, "widget", f"w{index}", namespace))
        set_status(f"w{index}", namespace, **not_yet)
    for index, (_, _, satisfying) in enumerate(WAITS):
        assert process.poll() is None, "it waits for every one"
        set_status(f"w{index}", namespace, **satisfying)
    stack.finish(process)
    for index, (wait, _, satisfying) in enumerate(WAITS):
        status = stack.state(f"w{index}")["outputs"]["status"]
        assert status == satisfying, f"{wait}: outputs are those of the object that satisfies it"
    assert stack.ops() == {}


def test_a_wait_that_times_out_keeps_the_object_and_the_next_up_waits_again(stack: Stack, namespace: str) -> None:
    annotations = {"pulumi.com/waitFor": "condition=Ready", "pulumi.com/timeoutSeconds": "100"}
    waiting = widget(namespace, {"size": 2}, annotations, custom_timeouts={"create": "2s", "update": "60s"})
    stack.spec(waiting)
    started = time.monotonic()
    output = stack.up(fails=True)
    assert time.monotonic() - started < 30, "customTimeouts goes before the annotation"
    assert "failed to fully initialize or become live: timed out waiting for the condition" in output
    state = stack.state("w")
    assert state["id"] == f"{namespace}/w"
    assert state["initErrors"]
    uid = state["outputs"]["metadata"]["uid"]

    process = stack.start("up", "--yes", "--skip-preview")
    time.sleep(3)
    set_status("w", namespace, **ready("True"))
    stack.finish(process)
    assert stack.state("w")["outputs"]["metadata"]["uid"] == uid, "it is the same object"
    assert stack.ops() == {}


def test_refresh_finds_drift_and_the_next_up_repairs_it(stack: Stack, namespace: str) -> None:
    stack.spec(widget(namespace, {"color": "red"}))
    stack.up()
    kubectl("patch", "widget", "w", "-n", namespace, "--type=merge", "--patch", '{"spec": {"color": "blue"}}')
    kubectl("label", "widget", "w", "-n", namespace, "added=by-a-controller", "--field-manager=controller")
    assert stack.ops() == {}, "a preview alone looks at the state"
    stack.run("refresh", "--yes", "--skip-preview")
    assert stack.state("w")["outputs"]["spec"]["color"] == "blue"
    plan = stack.plan()
    assert [step["op"] for step in plan["w"]] == ["update"]
    assert list(plan["w"][0]["detailedDiff"]) == ["spec.color"], "what the program does not set is no drift"
    stack.up()
    found = live("widget", "w", namespace)
    assert found["spec"]["color"] == "red"
    assert found["metadata"]["labels"] == {"added": "by-a-controller"}

    kubectl("delete", "widget", "w", "-n", namespace)
    assert stack.ops("--refresh") == {"w": ["create"]}


def test_a_field_that_another_manager_took_is_a_conflict(stack: Stack, namespace: str) -> None:
    stack.spec(widget(namespace, {"color": "red"}))
    stack.up()
    stack.spec(widget(namespace, {"color": "green"}))
    stack.up()
    theirs = _object("contract.test/v1", "Widget", {"name": "w", "namespace": namespace}, spec={"color": "blue"})
    kubectl("apply", "--server-side", "--force-conflicts", "--field-manager=other", manifest=theirs)
    stack.spec(widget(namespace, {"color": "red"}))
    output = stack.up(fails=True)
    assert "server-side apply field conflict detected" in output
    assert 'conflict with "other"' in output
    stack.spec(widget(namespace, {"color": "red"}, {"pulumi.com/patchForce": "true"}))
    stack.up()
    assert live("widget", "w", namespace)["spec"]["color"] == "red"


def test_get_reads_what_is_not_ours_without_waiting(stack: Stack, namespace: str) -> None:
    kubectl("create", "service", "loadbalancer", "lb", "-n", namespace, "--tcp=443:8443")
    stack.spec(("lb", "core/v1:Service", {}, {"id": f"{namespace}/lb"}))
    stack.up()
    outputs = json.loads(stack.run("stack", "output", "--json"))
    assert outputs["lb"]["metadata"]["name"] == "lb"
    assert stack.state("lb")["outputs"]["spec"]["ports"][0]["port"] == 443
    stack.run("destroy", "--yes", "--skip-preview")
    assert get("service", "lb", namespace), "what is only read is not deleted"


def test_an_import_takes_an_object_that_is_there(stack: Stack, namespace: str) -> None:
    kubectl("create", "configmap", "mine", "-n", namespace, "--from-literal=a=1")
    identity = {"namespace": namespace, "name": "mine"}
    stack.spec(config_map(identity, {"a": "1"}, import_=f"{namespace}/mine"))
    assert stack.ops() == {"cm": ["import"]}
    stack.up()
    state = stack.state("cm")
    assert state["id"] == f"{namespace}/mine"
    assert state["inputs"]["data"] == {"a": "1"}
    assert stack.ops() == {}


def test_an_import_of_nothing_fails(stack: Stack, namespace: str) -> None:
    identity = {"namespace": namespace, "name": "none"}
    stack.spec(config_map(identity, {"a": "1"}, import_=f"{namespace}/none"))
    assert "does not exist" in stack.up(fails=True)


def test_a_destroy_waits_until_the_object_is_gone(stack: Stack, namespace: str) -> None:
    stack.spec(widget(namespace, {}, custom_timeouts={"delete": "3s"}))
    stack.up()
    hold = '{"metadata": {"finalizers": ["contract.test/hold"]}}'
    kubectl("patch", "widget", "w", "-n", namespace, "--type=merge", "--patch", hold)
    output = stack.run("destroy", "--yes", "--skip-preview", fails=True)
    assert "finalizers might be preventing deletion" in output
    assert "contract.test/hold" in output
    assert "timed out waiting for the condition" in output
    let_go = '{"metadata": {"finalizers": null}}'
    kubectl("patch", "widget", "w", "-n", namespace, "--type=merge", "--patch", let_go)
    stack.run("destroy", "--yes", "--skip-preview")


def kubeconfig(**cluster: Any) -> str:
    """The ambient kubeconfig as contents, with its cluster changed."""
    config = yaml.safe_load(Path(os.environ["KUBECONFIG"]).read_text())
    config["clusters"][0]["cluster"] |= cluster
    return json.dumps(config)


def test_a_provider_follows_its_kubeconfig(stack: Stack, namespace: str) -> None:
    def through(config: str, **more: str) -> None:
        cm = config_map({"namespace": namespace, "name": "cm"}, {"a": "1"}, provider="k8s")
        stack.spec(("k8s", "provider", {"kubeconfig": config} | more, {}), cm)

    through(kubeconfig())
    stack.up()
    through(kubeconfig(), namespace="elsewhere")
    assert stack.ops() == {"k8s": ["update"]}, "what does not move the cluster replaces nothing"
    through(kubeconfig(server="https://127.0.0.1:1"))
    assert stack.ops()["k8s"] == ["replace"]


def test_a_cluster_that_cannot_be_reached_fails_only_where_it_is_needed(stack: Stack, namespace: str) -> None:
    cm = config_map({"namespace": namespace, "name": "cm"}, {"a": "1"}, provider="k8s")
    stack.spec(("k8s", "provider", {"kubeconfig": kubeconfig(server="https://127.0.0.1:1")}, {}), cm)
    assert stack.ops()["cm"] == ["create"], "a preview shows the inputs"
    assert "configured Kubernetes cluster is unreachable" in stack.up(fails=True)


def test_a_release_lives_from_its_preview_to_its_destruction(stack: Stack) -> None:
    namespace = f"contract-{uuid.uuid4().hex[:8]}"
    stack.spec(release(namespace, createNamespace=True, values={"color": "blue"}))
    assert stack.ops() == {"release": ["create"]}
    assert not get("namespace", namespace), "a preview changes nothing"

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

    stack.spec(release(namespace, createNamespace=True, values={"color": "green"}))
    plan = stack.plan()
    assert [step["op"] for step in plan["release"]] == ["update"]
    assert list(plan["release"][0]["detailedDiff"]) == ["values.color"]
    stack.up()
    assert live("configmap", "demo", namespace)["data"] == {"color": "green"}
    assert stack.state("release")["outputs"]["status"]["revision"] == 2

    stack.spec(release(namespace, name="other", createNamespace=True))
    assert "replace" in stack.ops()["release"], "a release cannot be renamed"
    stack.run("destroy", "--yes", "--skip-preview")
    assert not get("configmap", "demo", namespace)
    kubectl("delete", "namespace", namespace, "--wait=false")


def test_the_scope_of_a_kind_that_a_release_brings_is_known_in_the_same_preview(stack: Stack, namespace: str) -> None:
    group = f"{namespace}.test"
    gauge = _object(f"{group}/v1", "Gauge", {"name": "g"})
    stack.spec(
        release(namespace, name=namespace, values={"crds": True}),
        ("g", f"{group}/v1:Gauge", gauge, {"depends_on": ["release"]}),
    )
    plan = stack.plan()
    assert "namespace" not in plan["g"][0]["newState"]["inputs"]["metadata"]
    stack.up()
    assert stack.state("g")["id"] == "g"


def test_a_chart_that_is_not_there_is_refused_in_the_preview(stack: Stack, namespace: str) -> None:
    stack.spec(release(namespace, chart="./nowhere"))
    output = stack.run("preview", fails=True)
    assert "check the chart name and repository configuration" in output


def test_a_release_that_does_not_become_ready_is_kept_and_mended_by_the_next_up(stack: Stack, namespace: str) -> None:
    stack.spec(release(namespace, values={"job": "no-such-image"}, timeout=3))
    output = stack.up(fails=True)
    assert "failed to initialize completely" in output
    state = stack.state("release")
    assert state["id"] == f"{namespace}/demo"
    assert state["initErrors"]
    stack.spec(release(namespace, timeout=3))
    stack.up()
    assert stack.state("release")["outputs"]["status"]["status"] == "deployed"
