"""Property values as the provider protocol carries them.

Values are plain JSON values, plus `UNKNOWN` for what is not computed yet and `Secret` for what must be masked. The
SDK's own readers do not fit: one makes a whole map secret for one secret in it, the other does not know unknown values.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from google.protobuf import struct_pb2
from pulumi.runtime import rpc

Properties = dict[str, Any]


class Unknown:
    """The type of `UNKNOWN`: a value that a preview cannot know yet."""

    def __repr__(self) -> str:
        return "UNKNOWN"

    def __deepcopy__(self, _memo: object) -> Unknown:
        return self


UNKNOWN: Final = Unknown()


@dataclass(frozen=True)
class Secret:
    """A value that the engine encrypts in the state and shows as `[secret]`."""

    value: Any


def from_struct(struct: struct_pb2.Struct) -> Properties:
    """Return the properties of a request."""
    return {key: _from_value(value) for key, value in struct.fields.items()}


def _from_value(value: struct_pb2.Value) -> Any:
    match value.WhichOneof("kind"):
        case "string_value":
            return UNKNOWN if value.string_value == rpc.UNKNOWN else value.string_value
        case "number_value":
            return int(value.number_value) if value.number_value.is_integer() else value.number_value
        case "bool_value":
            return value.bool_value
        case "list_value":
            return [_from_value(item) for item in value.list_value.values]
        case "struct_value":
            properties = from_struct(value.struct_value)
            return Secret(rpc.unwrap_rpc_secret(properties)) if rpc.is_rpc_secret(properties) else properties
    return None


def to_struct(properties: Mapping[str, Any]) -> struct_pb2.Struct:
    """Return properties as a response carries them."""
    struct = struct_pb2.Struct()
    struct.update({key: _to_json(value) for key, value in properties.items()})
    return struct


def _to_json(value: Any) -> Any:
    if isinstance(value, Unknown):
        return rpc.UNKNOWN
    if isinstance(value, Secret):
        return rpc.wrap_rpc_secret(_to_json(value.value))
    if isinstance(value, Mapping):
        return {key: _to_json(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_to_json(item) for item in value]
    return value


def reveal(value: Any) -> Any:
    """Return a copy of the value without `Secret` wrappers, at any depth."""
    if isinstance(value, Secret):
        return reveal(value.value)
    if isinstance(value, Mapping):
        return {key: reveal(item) for key, item in value.items()}
    if isinstance(value, list):
        return [reveal(item) for item in value]
    return value


def contains(value: Any, kind: type[Unknown] | type[Secret]) -> bool:
    """Say whether the value holds an `Unknown` or a `Secret`, at any depth."""
    if isinstance(value, kind):
        return True
    if isinstance(value, Secret):
        return contains(value.value, kind)
    if isinstance(value, Mapping):
        return any(contains(item, kind) for item in value.values())
    return isinstance(value, list) and any(contains(item, kind) for item in value)


def mask(properties: Mapping[str, Any], inputs: Mapping[str, Any]) -> Properties:
    """Return properties with `Secret` around the values that hold a secret in the inputs."""
    masked = dict(properties)
    for key, value in inputs.items():
        if key not in masked:
            continue
        if isinstance(masked[key], dict) and isinstance(value, Mapping):
            masked[key] = mask(masked[key], value)
        elif contains(value, Secret):
            masked[key] = Secret(masked[key])
    return masked
