"""Reads JSON and YAML of any origin, within bounds.

PyYAML has none: its C parser ends the process on deep nesting, and its constructor doubles what a merge key names.
"""

import contextlib
import json
from collections.abc import Iterable
from typing import Any

import yaml

MAX_LENGTH = 1 << 20
"""Characters. The API server takes no larger ConfigMap or Secret."""

MAX_DEPTH = 100
"""Mappings and lists within each other. The time that libyaml takes grows with the square of it."""

_MAX_SIZE = 1 << 20
"""Values, those that an alias stands for counted again."""

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml is ten times as fast, and manifests are long."""


class UnreadableError(Exception):
    """A text exceeds a bound. The error says how."""


_TOO_DEEP = "has too many values within each other"


class _Mapping(dict[Any, Any]):
    """A mapping that is built from its keys and values in turn."""

    key: Any = None

    def append(self, value: Any) -> None:
        if self.key is not None:
            self[self.key], self.key = value, None
        elif isinstance(value, str):
            self.key = value
        else:
            # A mapping or a list cannot be a key here, and counts as a value.
            self[len(self)] = value
            self.key = len(self)


def parse(text: str) -> Any:
    """Return the value of JSON, or a list of YAML's documents up to the first mistake.

    Scalars of YAML are texts, whatever their tags, and a merge key is a key like any other.

    Raises:
        UnreadableError: The text exceeds a bound.
    """
    if len(text) > MAX_LENGTH:
        raise UnreadableError(f"is longer than {MAX_LENGTH} characters")
    try:
        value = json.loads(text)
    except RecursionError:
        raise UnreadableError(_TOO_DEEP) from None
    except ValueError:
        return _documents(text)
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [part for whole in level for part in _parts(whole)]
    if level:
        raise UnreadableError(_TOO_DEEP)
    return value


def _parts(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _documents(text: str) -> list[Any]:
    documents: list[Any] = []
    open_values: list[tuple[Any, str | None, int]] = [(documents, None, 0)]
    anchors: dict[str, tuple[Any, int]] = {}
    size = 0
    with contextlib.suppress(yaml.YAMLError):
        for event in yaml.parse(text.encode(errors="ignore"), _Loader):
            if isinstance(event, yaml.CollectionEndEvent):
                value, anchor, start = open_values.pop()
                if anchor:
                    anchors[anchor] = value, size - start
                continue
            if not isinstance(event, yaml.NodeEvent):
                continue
            value, added = _value(event, anchors)
            open_values[-1][0].append(value)
            if isinstance(event, yaml.CollectionStartEvent):
                open_values.append((value, event.anchor, size))
            size += added
            if size > _MAX_SIZE or len(open_values) > MAX_DEPTH:
                raise UnreadableError(_TOO_DEEP)
    return documents


def _value(event: yaml.NodeEvent, anchors: dict[str, tuple[Any, int]]) -> tuple[Any, int]:
    """Return the value that an event brings or begins, and how many values that adds."""
    if isinstance(event, yaml.AliasEvent):
        # An anchor is known once its value is complete: nothing contains itself.
        return anchors.get(event.anchor or "", (None, 1))
    if isinstance(event, yaml.ScalarEvent):
        if event.anchor:
            anchors[event.anchor] = event.value, 1
        return event.value, 1
    return (_Mapping() if isinstance(event, yaml.MappingStartEvent) else []), 1
