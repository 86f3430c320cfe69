"""Access to fields of objects, which may be missing or of another type than expected."""

from collections.abc import Mapping
from typing import Any

Object = Mapping[str, Any]


def at(value: Any, *path: str | int) -> Any:
    """Return the value at a path, or None where a part of the path is missing or of another type."""
    for part in path:
        if isinstance(value, Mapping) and isinstance(part, str):
            value = value.get(part)
        elif isinstance(value, list | tuple) and isinstance(part, int) and part < len(value):
            value = value[part]
        else:
            return None
    return value


def mappings(value: Any, *path: str | int) -> list[Object]:
    """Return the mappings in the list at a path."""
    items = at(value, *path)
    return [item for item in items if isinstance(item, Mapping)] if isinstance(items, list | tuple) else []


def texts(value: Any, *path: str | int) -> list[str]:
    """Return the strings in the list at a path."""
    items = at(value, *path)
    return [item for item in items if isinstance(item, str)] if isinstance(items, list | tuple) else []


def text(value: Any, *path: str | int) -> str:
    """Return the string at a path, or an empty one."""
    content = at(value, *path)
    return content if isinstance(content, str) else ""


def mapping(value: Any, *path: str | int) -> Mapping[str, Any]:
    """Return the mapping at a path, or an empty one."""
    content = at(value, *path)
    return content if isinstance(content, Mapping) else {}
