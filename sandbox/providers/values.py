"""Property values as the provider protocol carries them.

Values are plain JSON values, plus `UNKNOWN` for what is not computed yet and `Secret` for what must be masked. This
module converts between them and protobuf structs.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from google.protobuf import struct_pb2

# Signatures of the wire format, fixed for ever (pulumi/sdk/go/common/resource).
_SIGNATURE: Final = "4dabf18193072939515e22adb298388d"
_MASKED: Final = "1b47061264138c4ac30d75fd1eb44270"
_OUTPUT_VALUE: Final = "d0e6a833031e9bbcd3f4e8bde6ca49a4"
_UNKNOWN: Final = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
_UNKNOWNS: Final = frozenset(
    {
        _UNKNOWN,
        "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",  # bool
        "3eeb2bf0-c639-47a8-9e75-3b44932eb421",  # number
        "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",  # array
        "030794c1-ac77-496b-92df-f27374a8bd58",  # asset
        "e48ece36-62e2-4504-bad9-02848725956a",  # archive
        "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",  # object
    }
)


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


def from_struct(struct: struct_pb2.Struct) -> dict[str, Any]:
    """Return the properties of a request."""
    return {key: _from_value(value) for key, value in struct.fields.items()}


def _from_value(value: struct_pb2.Value) -> Any:
    kind = value.WhichOneof("kind")
    if kind == "string_value":
        return UNKNOWN if value.string_value in _UNKNOWNS else value.string_value
    if kind == "number_value":
        number = value.number_value
        return int(number) if math.isfinite(number) and number.is_integer() else number
    if kind == "bool_value":
        return value.bool_value
    if kind == "list_value":
        return [_from_value(item) for item in value.list_value.values]
    if kind == "struct_value":
        properties = from_struct(value.struct_value)
        match properties.get(_SIGNATURE):
            case signature if signature == _MASKED:
                return Secret(properties["value"])
            case signature if signature == _OUTPUT_VALUE:
                inner = properties.get("value", UNKNOWN)
                return Secret(inner) if properties.get("secret") else inner
        return properties
    return None


def to_struct(properties: Mapping[str, Any]) -> struct_pb2.Struct:
    """Return properties as a response carries them."""
    struct = struct_pb2.Struct()
    struct.update({key: _to_json(value) for key, value in properties.items()})
    return struct


def _to_json(value: Any) -> Any:
    if isinstance(value, Unknown):
        return _UNKNOWN
    if isinstance(value, Secret):
        return {_SIGNATURE: _MASKED, "value": _to_json(value.value)}
    if isinstance(value, Mapping):
        return {key: _to_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
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
