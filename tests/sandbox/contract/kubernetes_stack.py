"""What this project relies on in pulumi-kubernetes, through the engine: the real plugin and its stand-in both pass."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sandbox.testing import kubectl
from tests.sandbox.contract.project import ContractStack

FILES = Path(__file__).parent
SECRET = "[secret]"

Resource = tuple[str, str, dict[str, Any], dict[str, Any]]
"""Name, type without the package, properties, and options of a resource of the program."""

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


def set_status(widget: str, namespace: str, **status: Any) -> None:
    patch = json.dumps({"status": status})
    kubectl("patch", "widget", widget, "-n", namespace, "--subresource=status", "--type=merge", "--patch", patch)


def ready(status: str, **more: Any) -> dict[str, Any]:
    return {"conditions": [{"type": "Ready", "status": status, "reason": "Test", "message": "", **more}]}


class Stack(ContractStack):
    """A stack of the kubernetes provider's resources."""

    program = PROGRAM

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.spec()

    def spec(self, *resources: Resource) -> None:
        """Set the program's resources: name, type, properties and options of each."""
        self.write_spec(resources)

    def state(self, name: str) -> dict[str, Any]:
        """Return a resource as the state has it, with secrets in the clear."""
        return self.resource(name, secrets=True)


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
