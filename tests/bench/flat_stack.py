"""The stack of the flat program, whose resources are those of the program's own preview or state."""

import collections
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from pulumi.runtime.rpc import UNKNOWN

from sandbox.testing import Engine
from tests.sandbox.stack import PREFIX, Stack

FOLDER = Path(__file__).parent / "flat"
_INTERNAL = {"__internal", "version", "__defaults"}
"""Inputs that the engine and the SDKs add."""
_EMPTY: tuple[object, ...] = (False, 0, "", [], {})
_RELEASE = "kubernetes:helm.sh/v3:Release"
_STACK = "pulumi:pulumi:Stack"
_DEFAULT = "default"
"""The prefix of the names of providers that the engine makes."""


class FlatStack(Engine):
    """A stack of the flat program."""

    def __init__(self, name: str, folder: Path, ours: Stack) -> None:
        self.file, self.listed = folder / f"Pulumi.{name}.yaml", folder / f"{name}.json"
        document = yaml.safe_load(ours.file.read_text())
        config = {key: value for key, value in document["config"].items() if not key.startswith(PREFIX)}
        self.file.write_text(yaml.safe_dump(document | {"config": config}))
        self.listed.write_text("[]")
        super().__init__(name, FOLDER, config=self.file, environment={"FLAT_RESOURCES": str(self.listed)})
        self.run("stack", "select", "--create", "--cwd", str(folder), config=False)

    def take(self, states: Iterable[Mapping[str, Any]]) -> None:
        """Register the resources of these states."""
        self.listed.write_text(json.dumps(list(raw(states))))

    def take_state(self, ours: Stack) -> None:
        """Register what the program has made, and import its state, so that nothing is left to do."""
        exported = json.loads(ours.run("stack", "export", config=False))
        held = exported["deployment"]["resources"]
        self.take(held)
        exported["deployment"]["resources"] = flattened(held, ours.name, self.name)
        file = self.listed.with_suffix(".state.json")
        file.write_text(json.dumps(exported))
        self.run("stack", "import", "--file", str(file), config=False)


def planned(stack: Engine) -> list[dict[str, Any]]:
    """Return the states that a preview of the stack would make."""
    steps = json.loads(stack.run("preview", "--json"))["steps"]
    return [step["newState"] for step in steps if step.get("newState")]


def raw(states: Iterable[Mapping[str, Any]]) -> Iterable[dict[str, Any]]:
    """Yield the resources that a program registers, without components: name, type and inputs of each."""
    for resource in states:
        name = resource["urn"].rpartition("::")[2]
        if not resource.get("custom") or (_is_provider(resource) and name.startswith(_DEFAULT)):
            continue
        inputs = {key: value for key, value in resource["inputs"].items() if key not in _INTERNAL and value is not None}
        if resource["type"] == _RELEASE:
            # The provider returns every field that a release can have, empty where the program has set none.
            inputs = {key: value for key, value in inputs.items() if value not in _EMPTY}
        if UNKNOWN in json.dumps(inputs):
            raise ValueError(f"{name} has an input that is not known yet, so the flat program cannot have it")
        if isinstance(metadata := inputs.get("metadata"), dict) and metadata.get("namespace") == "default":
            # The provider adds it while it does not know whether a kind has namespaces: while its CRD is not there.
            inputs["metadata"] = {key: value for key, value in metadata.items() if key != "namespace"}
        yield {"name": name, "type": resource["type"], "inputs": inputs}


def require_same(ours: Iterable[Mapping[str, Any]], flat: Iterable[Mapping[str, Any]]) -> int:
    """Return how many resources both register.

    Raises:
        ValueError: they are not the same; carries the types and how many more ours has of each.
    """
    ours, flat = list(raw(ours)), list(raw(flat))
    more = collections.Counter(resource["type"] for resource in ours)
    more.subtract(resource["type"] for resource in flat)
    if unlike := {kind: number for kind, number in more.items() if number}:
        raise ValueError(f"the flat program does not register the same: ours has so many more of each type: {unlike}")
    theirs = {resource["name"]: resource["inputs"] for resource in flat}
    for resource in ours:
        if theirs.get(resource["name"]) != resource["inputs"]:
            pair = f"{json.dumps(resource['inputs'])}, and flat {json.dumps(theirs.get(resource['name']))}"
            raise ValueError(f"the flat program does not register the same inputs of {resource['name']}: ours {pair}")
    return len(ours)


def flattened(resources: Iterable[Mapping[str, Any]], stack: str, other: str) -> list[dict[str, Any]]:
    """Return a state without its components, as one of another stack: what was in them is in the stack itself."""
    kept = [resource for resource in resources if resource.get("custom") or resource["type"] == _STACK]
    root = next(resource["urn"] for resource in kept if resource["type"] == _STACK)
    new = {resource["urn"]: _urn(resource["urn"], stack, other) for resource in kept}
    made = []
    for resource in kept:
        changed: dict[str, Any] = dict(resource) | {"urn": new[resource["urn"]]}
        changed.pop("resourceHooks", None)
        if "parent" in resource:
            changed["parent"] = new[root]
        if resource["type"] == _STACK:
            changed.pop("outputs", None)
        if provider := resource.get("provider"):
            urn, _, identity = provider.rpartition("::")
            changed["provider"] = f"{new[urn]}::{identity}"
        # What a component was made after is known to the components alone.
        changed["dependencies"] = [new[urn] for urn in resource.get("dependencies") or [] if urn in new]
        changed.pop("propertyDependencies", None)
        made.append(changed)
    return made


def _urn(urn: str, stack: str, other: str) -> str:
    head, project, types, name = urn.split("::", 3)
    name = f"{project}-{other}" if types == _STACK else name
    assert head == f"urn:pulumi:{stack}", urn
    return f"urn:pulumi:{other}::{project}::{types.rpartition('$')[2]}::{name}"


def _is_provider(state: Mapping[str, Any]) -> bool:
    return str(state["type"]).startswith("pulumi:providers:")
