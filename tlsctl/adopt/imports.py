"""The import file: what a preview would create, and of that what is there already.

The engine writes the file itself (`pulumi preview --import-file`), with the names, parents and providers of this
program in the format of its own version. What is left to say is which objects they are.
"""

import copy
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tlsctl import ids


@dataclass(frozen=True)
class Wanted:
    """A resource that a preview would create."""

    urn: str
    type: str
    inputs: Mapping[str, Any]

    @property
    def name(self) -> str:
        """Its name in the program."""
        return self.urn.rpartition("::")[2]

    @property
    def described(self) -> str:
        """What it is in words: `Gateway istio-system/tls-prod`, `record set shop.example.com. A`."""
        if self.type == ids.RECORD_SET:
            return f"record set {self.inputs.get('name')} {self.inputs.get('type')}"
        return f"{self.type.rpartition(':')[2]} {ids.resource_id(self.type, self.inputs)}"


def wanted(steps: Iterable[Mapping[str, Any]], project: str | None) -> list[Wanted]:
    """Return what a preview would create outside of the state: the resources that have an id elsewhere.

    Args:
        steps: of `pulumi preview --json`.
        project: of record sets that name none.
    """
    found = []
    for step in steps:
        state = step.get("newState") or {}
        if step.get("op") != "create" or not state.get("custom") or state["type"].startswith("pulumi:"):
            continue
        inputs = state.get("inputs") or {}
        if state["type"] == ids.RECORD_SET and not inputs.get("project"):
            inputs = {**inputs, "project": project}
        found.append(Wanted(state["urn"], state["type"], inputs))
    return found


def filled(
    file: Mapping[str, Any], wanted: Iterable[Wanted], there: Callable[[Wanted], bool]
) -> tuple[dict[str, Any], list[Wanted], list[Wanted]]:
    """Return the import file with the ids of what is there, and without the rest.

    Args:
        file: as the engine wrote it.
        wanted: the resources of the same preview.
        there: says whether one of them is there already.

    Returns:
        The file, what it imports, and what is left for `up` to create.
    """
    taken: list[Wanted] = []
    created: list[Wanted] = []
    by_key: dict[tuple[str, str], Wanted] = {}
    for each in wanted:
        (taken if ids.resource_id(each.type, each.inputs) and there(each) else created).append(each)
        by_key[each.type, each.name] = each
    result = copy.deepcopy(dict(file))
    kept = []
    for resource in result.get("resources") or ():
        found = by_key.get((resource["type"], resource.get("logicalName") or resource["name"]))
        if found is None:
            kept.append(resource)
        elif found in taken:
            kept.append({**resource, "id": ids.resource_id(found.type, found.inputs)})
    result["resources"] = _needed(kept)
    return result, taken, created


def _needed(resources: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Leave out components and providers that nothing needs which is imported."""
    needed = {name for each in resources if each.get("id") for name in _upward(each, resources)}
    return [each for each in resources if each.get("id") or each["name"] in needed]


def _upward(resource: Mapping[str, Any], resources: Iterable[Mapping[str, Any]]) -> set[str]:
    """Return the names of a resource's parents, and of its provider."""
    by_name = {each["name"]: each for each in resources}
    found = {resource["provider"]} if resource.get("provider") else set()
    above = resource.get("parent")
    while above and above not in found:
        found.add(above)
        above = by_name.get(above, {}).get("parent")
    return found
