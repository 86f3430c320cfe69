"""The floor's stack: its resources are those of the program's preview or state, and its state is the program's own."""

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
"""Inputs that the engine and the SDKs add by themselves."""
_STACK = "pulumi:pulumi:Stack"
_DEFAULT = "default"
"""How the names of providers begin that a program does not make."""


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
        """Register what these states are of."""
        self.listed.write_text(json.dumps(list(raw(states))))

    def take_state(self, ours: Stack) -> None:
        """Register what the program has made, and have it as the state: nothing is to be done then."""
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
    for each in states:
        name = each["urn"].rpartition("::")[2]
        if not each.get("custom") or (_is_provider(each) and name.startswith(_DEFAULT)):
            continue
        inputs = {key: value for key, value in each["inputs"].items() if key not in _INTERNAL and value is not None}
        if UNKNOWN in json.dumps(inputs):
            raise ValueError(f"{name} has an input that is not known yet, so the flat program cannot have it")
        if isinstance(metadata := inputs.get("metadata"), dict) and metadata.get("namespace") == "default":
            # The provider adds it while it does not know whether a kind has namespaces: while its CRD is not there.
            inputs["metadata"] = {key: value for key, value in metadata.items() if key != "namespace"}
        yield {"name": name, "type": each["type"], "inputs": inputs}


def require_same(ours: Iterable[Mapping[str, Any]], flat: Iterable[Mapping[str, Any]]) -> int:
    """Return how many resources both register.

    Raises:
        ValueError: they are not the same; carries the types and how many more ours has of each.
    """
    ours, flat = list(raw(ours)), list(raw(flat))
    more = collections.Counter(each["type"] for each in ours)
    more.subtract(each["type"] for each in flat)
    if unlike := {kind: number for kind, number in more.items() if number}:
        raise ValueError(f"the flat program does not register the same: of each type ours has so many more: {unlike}")
    theirs = {each["name"]: each["inputs"] for each in flat}
    for each in ours:
        if theirs.get(each["name"]) != each["inputs"]:
            pair = f"{json.dumps(each['inputs'])}, and flat {json.dumps(theirs.get(each['name']))}"
            raise ValueError(f"the flat program does not register the same inputs of {each['name']}: ours {pair}")
    return len(ours)


def flattened(resources: Iterable[Mapping[str, Any]], stack: str, other: str) -> list[dict[str, Any]]:
    """Return a state without its components, as one of another stack: what was in them is in the stack itself."""
    kept = [each for each in resources if each.get("custom") or each["type"] == _STACK]
    root = next(each["urn"] for each in kept if each["type"] == _STACK)
    new = {each["urn"]: _urn(each["urn"], stack, other) for each in kept}
    made = []
    for each in kept:
        changed: dict[str, Any] = dict(each) | {"urn": new[each["urn"]]}
        changed.pop("resourceHooks", None)
        if "parent" in each:
            changed["parent"] = new[root]
        if each["type"] == _STACK:
            changed.pop("outputs", None)
        if provider := each.get("provider"):
            urn, _, identity = provider.rpartition("::")
            changed["provider"] = f"{new[urn]}::{identity}"
        # What a component was made after is known to the components alone.
        changed["dependencies"] = [new[urn] for urn in each.get("dependencies") or [] if urn in new]
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
