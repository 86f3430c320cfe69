"""A project of a contract test: its program registers what the test lists, so that no test needs one of its own.

Contract tests hold what this project relies on in a provider. The real plugin and its stand-in both pass them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sandbox.testing import Engine, kubectl

FILES = Path(__file__).parent

Resource = tuple[str, str, dict[str, Any], dict[str, Any]]
"""Name, type token, properties and options of a resource; a function's token makes an output of the stack."""

# Beside JSON, properties may hold {"$secret": value} and {"$of": [resource, output, key...]}.
PROGRAM = """\
import importlib.metadata
import json
import pathlib

import pulumi

made = {}


def value(spec):
    if isinstance(spec, list):
        return [value(item) for item in spec]
    if not isinstance(spec, dict):
        return spec
    if "$secret" in spec:
        return pulumi.Output.secret(spec["$secret"])
    if "$of" in spec:
        resource, attribute, *keys = spec["$of"]
        output = getattr(made[resource], attribute)
        for key in keys:
            output = output[key]
        return output
    return {key: value(item) for key, item in spec.items()}


class Provider(pulumi.ProviderResource):
    pass


for name, token, props, options in json.loads(pathlib.Path("spec.json").read_text()):
    package = token.removeprefix("pulumi:providers:").partition(":")[0]
    version = importlib.metadata.version(f"pulumi-{package}")
    if "/get" in token:
        pulumi.export(name, pulumi.runtime.invoke(token, props, pulumi.InvokeOptions(version=version)).value)
        continue
    if token.startswith("pulumi:providers:"):
        made[name] = Provider(package, name, value(props), pulumi.ResourceOptions(version=version))
        continue
    if "custom_timeouts" in options:
        options["custom_timeouts"] = pulumi.CustomTimeouts(**options["custom_timeouts"])
    if "provider" in options:
        options["provider"] = made[options["provider"]]
    if "depends_on" in options:
        options["depends_on"] = [made[other] for other in options["depends_on"]]
    props = dict.fromkeys(options.pop("outputs", [])) | value(props)
    made[name] = pulumi.CustomResource(token, name, props, pulumi.ResourceOptions(version=version, **options))
"""


class Stack(Engine):
    """A stack of resources that a test lists, with a backend in the test's own folder."""

    def __init__(self, folder: Path, config: Mapping[str, str] | None = None) -> None:
        environment = {
            "PULUMI_BACKEND_URL": f"file://{folder}/state",
            "PULUMI_CONFIG_PASSPHRASE": "",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
        }
        super().__init__("test", folder, environment=environment)
        (folder / "state").mkdir()
        (folder / "Pulumi.yaml").write_text("name: contract\nruntime: python\n")
        (folder / "Pulumi.test.yaml").write_text(json.dumps({"config": dict(config or {})}))
        (folder / "__main__.py").write_text(PROGRAM)
        self.spec()
        self.run("stack", "select", "--create")

    def spec(self, *resources: Resource) -> None:
        """Set the program's resources."""
        (self.folder / "spec.json").write_text(json.dumps(resources))

    def state(self, name: str) -> dict[str, Any]:
        """Return a resource as the state has it, with secrets in the clear."""
        return self.resource(name, secrets=True)

    def names(self) -> set[str]:
        """Return the names of the resources in the state."""
        return {resource["urn"].rpartition("::")[2] for resource in self.resources()}

    def ops(self, *options: str) -> dict[str, list[str]]:
        """Return what an `up` would do to the test's resources, by name, without those that stay the same."""
        steps = self.steps(*options)
        own = [name for name in steps if not name.startswith(("contract-", "default"))]
        return {name: [step["op"] for step in steps[name]] for name in own}

    def import_resource(self, *arguments: str, fails: bool = False) -> str:
        """Import a resource from the command line: type, name, id."""
        options = ("--yes", "--skip-preview", "--protect=false", "--generate-code=false")
        return self.run("import", *arguments, *options, fails=fails)


def api_object(api_version: str, kind: str, metadata: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **more}


def widget(
    namespace: str,
    spec: dict[str, Any],
    annotations: dict[str, str] | None = None,
    name: str = "w",
    **options: Any,
) -> Resource:
    metadata = {"name": name, "namespace": namespace} | ({"annotations": annotations} if annotations else {})
    obj = api_object("contract.test/v1", "Widget", metadata, spec=spec)
    return name, "kubernetes:contract.test/v1:Widget", obj, options


def config_map(metadata: dict[str, Any], data: dict[str, Any], **options: Any) -> Resource:
    return "cm", "kubernetes:core/v1:ConfigMap", api_object("v1", "ConfigMap", metadata, data=data), options


def release(namespace: str, *, name: str = "demo", values: dict[str, Any] | None = None, **more: Any) -> Resource:
    props = {"chart": str(FILES / "chart"), "name": name, "namespace": namespace, "values": values or {}}
    return "release", "kubernetes:helm.sh/v3:Release", props | more, {}


def set_status(widget: str, namespace: str, **status: Any) -> None:
    patch = json.dumps({"status": status})
    kubectl("patch", "widget", widget, "-n", namespace, "--subresource=status", "--type=merge", "--patch", patch)


def ready(status: str, **more: Any) -> dict[str, Any]:
    return {"conditions": [{"type": "Ready", "status": status, "reason": "Test", "message": "", **more}]}
