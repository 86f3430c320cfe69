"""What a change means: which properties differ, and which of them replace the object.

The real provider makes a JSON merge patch (RFC 7386) from the old state to the new inputs and reads the changed
properties off it; so does this module, to report the same paths.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from pulumi.runtime.proto import provider_pb2

from sandbox.providers.kubernetes.apiserver import Object
from sandbox.providers.values import UNKNOWN, Unknown

Path = tuple[str | int, ...]
PropertyDiff = provider_pb2.PropertyDiff

_MISSING: Final = object()
_REPLACING: Final = {
    PropertyDiff.ADD: PropertyDiff.ADD_REPLACE,
    PropertyDiff.DELETE: PropertyDiff.DELETE_REPLACE,
    PropertyDiff.UPDATE: PropertyDiff.UPDATE_REPLACE,
}

_ROLE_BINDING: Final = ("roleRef",)
_SELECTOR: Final = ("spec.selector",)
# From provider/pkg/provider/diff.go, without Pods and volumes.
_IMMUTABLE: Final[Mapping[tuple[str, str], Sequence[str]]] = {
    ("apps/v1", "DaemonSet"): _SELECTOR,
    ("apps/v1", "Deployment"): _SELECTOR,
    ("apps/v1", "StatefulSet"): (
        "spec.podManagementPolicy",
        "spec.revisionHistoryLimit",
        "spec.selector",
        "spec.serviceName",
        "spec.volumeClaimTemplates",
    ),
    ("batch/v1", "Job"): ("spec.completions", "spec.parallelism", "spec.selector", "spec.template"),
    ("policy/v1beta1", "PodDisruptionBudget"): ("spec",),
    ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding"): _ROLE_BINDING,
    ("rbac.authorization.k8s.io/v1", "RoleBinding"): _ROLE_BINDING,
    ("storage.k8s.io/v1", "StorageClass"): ("parameters", "provisioner"),
    ("v1", "ResourceQuota"): ("spec.scopes",),
    ("v1", "Service"): ("spec.clusterIP",),
}


def replacing_properties(obj: Object, config: Mapping[str, str]) -> list[str]:
    """Return the properties of a kind that cannot be changed in place.

    Args:
        obj: The new inputs.
        config: The provider's configuration; `enableSecretMutable` and `enableConfigMapMutable` count.
    """
    kind = (str(obj.get("apiVersion")), str(obj.get("kind")))
    frozen = obj.get("immutable") is True
    properties = ["metadata.name", "metadata.namespace", *_IMMUTABLE.get(kind, ())]
    if kind == ("v1", "Secret"):
        mutable = config.get("enableSecretMutable") == "true" and not frozen
        properties += ["type"] if mutable else ["type", "stringData", "data"]
    if kind == ("v1", "ConfigMap") and (config.get("enableConfigMapMutable") != "true" or frozen):
        properties += ["binaryData", "data"]
    return properties


def merge_patch(old: Any, new: Any) -> Object:
    """Return the JSON merge patch from one object to another; what is unknown yet is null in it."""
    patch: Object = {}
    for key, value in new.items():
        before = old.get(key, _MISSING)
        if isinstance(before, dict) and isinstance(value, dict):
            nested = merge_patch(before, value)
            if nested:
                patch[key] = nested
        elif before is _MISSING or not _equal(before, value):
            patch[key] = _nulls(value)
    patch.update({key: None for key in old if key not in new})
    return patch


def three_way_patch(inputs: Object, new: Object, state: Object) -> Object:
    """Return the patch from a state to new inputs, deleting only what the old inputs had set."""
    changed = _without_nulls(merge_patch(state, new), new)
    deleted = _only_nulls(merge_patch(inputs, new), new)
    return _merged(changed, deleted)


def detailed_diff(
    patch: Object, old: Object, new: Object, inputs: Object, replacing: Iterable[str]
) -> dict[str, PropertyDiff]:
    """Return the properties that a patch changes, by path.

    Args:
        patch: Merge patch from `old` to `new`.
        old: The state that is patched.
        new: The new inputs; unknown values count as changes.
        inputs: What of the state was an input.
        replacing: Dotted paths whose change replaces the object.
    """
    kinds: dict[Path, tuple[Any, bool]] = {}
    _walk_map((), patch, old, new, inputs, in_list=False, kinds=kinds)
    wanted = [tuple(path.split(".")) for path in replacing]
    found = {}
    for path, (kind, input_diff) in kinds.items():
        if any(_changes(path, _value(patch, path), target) for target in wanted):
            kind = _REPLACING[kind]
        found[property_path(path)] = PropertyDiff(kind=kind, inputDiff=input_diff)
    return found


def replaces(diff: Mapping[str, PropertyDiff]) -> list[str]:
    """Return the paths of a detailed diff that replace the object."""
    return [
        path
        for path, change in diff.items()
        if change.kind in _REPLACING.values() or (path == "metadata" and change.kind == PropertyDiff.DELETE)
    ]


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


def _walk(
    path: Path,
    value: Any,
    old: Any,
    new: Any,
    given: Any,
    *,
    in_list: bool,
    kinds: dict[Path, tuple[Any, bool]],
) -> None:
    """Record how the value at a path changes (`addPatchValueToDiff` of the real provider)."""
    # Without a new input only what an old input had set can be deleted: the rest is the server's.
    if new is _MISSING and (value is not None or given is _MISSING):
        return
    if value is None and isinstance(new, Unknown):
        kinds[path] = (PropertyDiff.ADD if old is _MISSING else PropertyDiff.UPDATE, False)
    elif value is None:
        kinds[path] = (PropertyDiff.DELETE, True)
    elif old is _MISSING:
        kinds[path] = (PropertyDiff.ADD, False)
    elif isinstance(value, dict) and isinstance(old, dict):
        _walk_map(path, value, old, _map(new), _map(given), in_list=in_list, kinds=kinds)
    elif isinstance(value, list) and isinstance(old, list):
        for index in range(max(len(value), len(old))):
            _walk(
                (*path, index),
                _at(value, index, None),
                _at(old, index, _MISSING),
                _at(new, index, None),
                _at(given, index, None),
                in_list=True,
                kinds=kinds,
            )
    elif not _equal(value, old):
        kinds[path] = (PropertyDiff.UPDATE, False)


def _walk_map(
    path: Path,
    patch: Object,
    old: Object,
    new: Object,
    given: Object,
    *,
    in_list: bool,
    kinds: dict[Path, tuple[Any, bool]],
) -> None:
    # A merge patch holds lists whole, so that what is deleted inside one shows only by comparison.
    keys = [*patch, *(key for key in old if in_list and key not in patch)]
    for key in keys:
        values = [source.get(key, _MISSING) for source in (old, new, given)]
        _walk((*path, key), patch.get(key), *values, in_list=in_list, kinds=kinds)


def _changes(path: Path, value: Any, target: Path) -> bool:
    """Say whether a change of the value at a path changes the target."""
    if path[: len(target)] == target:
        return True
    if target[: len(path)] != path:
        return False
    return _value(value, target[len(path) :]) is not _MISSING


def _value(source: Any, path: Path) -> Any:
    for step in path:
        if isinstance(source, dict) and step in source:
            source = source[str(step)]
        elif isinstance(source, list) and isinstance(step, int) and step < len(source):
            source = source[step]
        else:
            return _MISSING
    return source


def _at(values: Any, index: int, default: Any) -> Any:
    return values[index] if isinstance(values, list) and index < len(values) else default


def _map(value: Any) -> Object:
    return value if isinstance(value, dict) else {}


def _equal(one: Any, other: Any) -> bool:
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


def _nulls(value: Any) -> Any:
    if value is UNKNOWN:
        return None
    if isinstance(value, dict):
        return {key: _nulls(item) for key, item in value.items()}
    return [_nulls(item) for item in value] if isinstance(value, list) else value


def _without_nulls(patch: Object, new: Object) -> Object:
    kept = {
        key: _without_nulls(value, _map(new.get(key))) if isinstance(value, dict) else value
        for key, value in patch.items()
        if key in new
    }
    return {key: value for key, value in kept.items() if value != {} or patch[key] == {}}


def _only_nulls(patch: Object, new: Object) -> Object:
    kept: Object = {}
    for key, value in patch.items():
        if key not in new:
            kept[key] = None
        elif isinstance(value, dict) and (nested := _only_nulls(value, _map(new[key]))):
            kept[key] = nested
    return kept


def _merged(one: Object, other: Object) -> Object:
    merged = dict(one)
    for key, value in other.items():
        before = merged.get(key)
        merged[key] = _merged(before, value) if isinstance(before, dict) and isinstance(value, dict) else value
    return merged
