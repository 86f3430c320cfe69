"""What this project relies on in pulumi-kubernetes, through the engine: the real plugin and its stand-in both pass.

This module runs the engine on a project whose program registers whatever resources a test lists.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from tests.sandbox.support import get, kubectl

FILES = Path(__file__).parent
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


Resource = tuple[str, str, dict[str, Any], dict[str, Any]]


def widget(
    namespace: str,
    spec: dict[str, Any],
    annotations: dict[str, str] | None = None,
    name: str = "w",
    **options: Any,
) -> Resource:
    metadata = {"name": name, "namespace": namespace} | ({"annotations": annotations} if annotations else {})
    return name, "contract.test/v1:Widget", api_object("contract.test/v1", "Widget", metadata, spec=spec), options


def config_map(metadata: dict[str, Any], data: dict[str, Any], **options: Any) -> Resource:
    return "cm", "core/v1:ConfigMap", api_object("v1", "ConfigMap", metadata, data=data), options


def release(namespace: str, *, name: str = "demo", values: dict[str, Any] | None = None, **more: Any) -> Resource:
    props = {"chart": str(FILES / "chart"), "name": name, "namespace": namespace, "values": values or {}}
    return "release", "helm.sh/v3:Release", props | more, {}


def api_object(api_version: str, kind: str, metadata: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **more}
