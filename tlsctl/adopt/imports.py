"""The import file: those resources of a preview that exist already.

The engine writes the file itself (`pulumi preview --import-file`), with the names, parents and providers of this
program, in the format of its version. Only the ids of the objects are missing.
"""

import copy
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tlsctl import ids


@dataclass(frozen=True)
class Planned:
    """A resource that a preview would create."""

    urn: str
    type: str
    inputs: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The resource's name in the program."""
        return self.urn.rpartition("::")[2]

    @property
    def label(self) -> str:
        """What the resource is called in text: `Gateway istio-system/tls-prod`, `record set shop.example.com. A`."""
        if self.type == ids.RECORD_SET:
            return f"record set {self.inputs.get('name')} {self.inputs.get('type')}"
        return f"{self.type.rpartition(':')[2]} {ids.resource_id(self.type, self.inputs)}"


def planned(steps: Iterable[Mapping[str, Any]], project: str | None) -> list[Planned]:
    """Return the resources that the steps of a preview would create outside of the state; `project` is the default."""
    resources = []
    for step in steps:
        state = step.get("newState") or {}
        if step.get("op") != "create" or not state.get("custom") or state["type"].startswith("pulumi:"):
            continue
        inputs = state.get("inputs") or {}
        if state["type"] == ids.RECORD_SET and not inputs.get("project"):
            inputs = {**inputs, "project": project}
        resources.append(Planned(state["urn"], state["type"], inputs))
    return resources


def completed(
    file: Mapping[str, Any], resources: Iterable[Planned], exists: Callable[[Planned], bool]
) -> tuple[dict[str, Any], list[Planned], list[Planned]]:
    """Return the import file of the existing resources with their ids, those resources, and those that `up` creates."""
    imported: list[Planned] = []
    created: list[Planned] = []
    by_name: dict[tuple[str, str], Planned] = {}
    for resource in resources:
        by_name[resource.type, resource.name] = resource
        (imported if ids.resource_id(resource.type, resource.inputs) and exists(resource) else created).append(resource)
    entries = []
    for entry in copy.deepcopy(file.get("resources") or ()):
        match = by_name.get((entry["type"], entry.get("logicalName") or entry["name"]))
        if match is None:
            entries.append(entry)
        elif match in imported:
            entries.append({**entry, "id": ids.resource_id(match.type, match.inputs)})
    return {**file, "resources": _needed(entries)}, imported, created


def _needed(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Leave out components and providers that no imported resource needs."""
    by_name = {entry["name"]: entry for entry in entries}
    needed: set[str] = set()
    for entry in entries:
        if entry.get("id"):
            needed |= {entry["provider"]} if entry.get("provider") else set()
            parent = entry.get("parent")
            while parent and parent not in needed:
                needed.add(parent)
                parent = by_name.get(parent, {}).get("parent")
    return [entry for entry in entries if entry.get("id") or entry["name"] in needed]
