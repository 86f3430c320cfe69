"""How inputs differ from what they were, in the form that the engine shows."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from itertools import zip_longest
from typing import Any, Final

from pulumi.runtime.proto import provider_pb2

Path = tuple[str | int, ...]
PropertyDiff = provider_pb2.PropertyDiff
Changes = dict[str, PropertyDiff]

_MISSING: Final = object()
_REPLACING: Final = {
    PropertyDiff.ADD: PropertyDiff.ADD_REPLACE,
    PropertyDiff.DELETE: PropertyDiff.DELETE_REPLACE,
    PropertyDiff.UPDATE: PropertyDiff.UPDATE_REPLACE,
}


def changes(old: Any, new: Any, replacing: Collection[str]) -> Changes:
    """Return the properties that change, by path.

    Args:
        old: The inputs as they were, with the values that the live resource has.
        new: The new inputs; unknown values count as changes.
        replacing: Dotted paths of the properties that cannot change in place.
    """
    targets = [tuple(path.split(".")) for path in replacing]
    differences: Changes = {}
    for path, before, after in _walk((), old, new):
        kind = PropertyDiff.UPDATE
        if before is _MISSING:
            kind = PropertyDiff.ADD
        elif after is _MISSING:
            kind = PropertyDiff.DELETE
        if any(_affects(path, after, target) for target in targets):
            kind = _REPLACING[kind]
        differences[property_path(path)] = PropertyDiff(kind=kind, inputDiff=after is _MISSING)
    return differences


def response(differences: Changes, *, delete_first: bool = False) -> provider_pb2.DiffResponse:
    """Return the answer to Diff; with `delete_first`, a replacement is created after the deletion."""
    replaces = [path for path, change in differences.items() if change.kind in _REPLACING.values()]
    return provider_pb2.DiffResponse(
        changes=provider_pb2.DiffResponse.DIFF_SOME if differences else provider_pb2.DiffResponse.DIFF_NONE,
        diffs=sorted({re.split(r"[.\[]", path)[0] for path in differences}),
        replaces=replaces,
        deleteBeforeReplace=bool(replaces) and delete_first,
        detailedDiff=differences,
        hasDetailedDiff=True,
    )


def property_path(path: Path) -> str:
    """Return a path as the engine writes it: `spec.rules[0]["a.b"]`."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        elif re.search(r'[."\[\]]', step):
            text += '["{}"]'.format(step.replace('"', '\\"'))
        else:
            text += f".{step}" if text else step
    return text


def _walk(path: Path, old: Any, new: Any) -> Iterator[tuple[Path, Any, Any]]:
    """Yield the paths at which two values differ, with both values."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in {**old, **new}:
            yield from _walk((*path, key), _item(old, key), _item(new, key))
    elif isinstance(old, list) and isinstance(new, list):
        for index, (before, after) in enumerate(zip_longest(old, new, fillvalue=_MISSING)):
            yield from _walk((*path, index), before, after)
    elif isinstance(old, bool) != isinstance(new, bool) or old != new:
        yield path, old, new


def _item(values: dict[str, Any], key: str) -> Any:
    value = values.get(key)
    return _MISSING if value is None else value


def _affects(path: Path, value: Any, target: Path) -> bool:
    """Say whether a change at a path, to this value, changes the target."""
    if path[: len(target)] == target:
        return True
    if target[: len(path)] != path:
        return False
    for step in target[len(path) :]:
        if not isinstance(value, dict) or step not in value:
            return False
        value = value[step]
    return True
