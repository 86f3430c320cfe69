"""How a bad key is reported: with its value, what is accepted and the command that fixes it."""

import difflib
import json
import re
import shlex
import types
from collections.abc import Sequence
from typing import Any, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from components.rules.problem import Problem

Path = Sequence[str | int]
"""Where a value is: `("hosts", 0, "port")` is `hosts[0].port`."""

MISSING = object()
"""The value of a key that is not set."""

HIDDEN = "[secret]"
"""Shown for a value that is encrypted in the stack file."""


def config_problem(
    path: Path, accepted: str, fix: str, *, value: Any = MISSING, reason: str = "is not accepted"
) -> Problem:
    """Return the problem of a key: its value, why that is wrong, what is accepted, and the command that fixes it."""
    given = "not set" if value is MISSING else f"{_shown(value)} {reason}"
    return Problem(dotted(path), f"{given}; accepted: {accepted}", (fix,))


def dotted(path: Path) -> str:
    """Write a path as `pulumi config set --path` takes it."""
    key = ""
    for part in path:
        key += f"[{part}]" if isinstance(part, int) else f".{part}" if key else str(part)
    return key


def set_command(path: Path, value: Any) -> str:
    """Return the command that sets the value at `path`."""
    word = str(value).lower() if isinstance(value, bool) else str(value)
    quoted = word if word[:1] in "\"'" else shlex.quote(word)
    if len(path) == 1:
        return f"pulumi config set {path[0]} {quoted}"
    return f"pulumi config set --path {shlex.quote(dotted(path))} {quoted}"


def remove_command(path: Path) -> str:
    """Return the command that removes the value at `path`."""
    option = "--path " if len(path) > 1 else ""
    return f"pulumi config rm {option}{shlex.quote(dotted(path))}"


def problem_of(error: ErrorDetails, schema: type[BaseModel], secret: bool = False) -> Problem:
    """Translate one of pydantic's errors.

    Args:
        error: with `loc` in the config's own camelCase keys.
        schema: the model that was validated.
        secret: whether the value must not be shown.
    """
    path = error["loc"]
    value = HIDDEN if secret else error["input"]
    if error["type"] == "extra_forbidden":
        return unknown_key(path, _keys(_model_at(schema, path[:-1])), value)
    field = _field_at(schema, path)
    reason = error["msg"].removeprefix("Value error, ")
    if secret and any(word in reason.lower() for word in re.findall(r"\w{3,}", str(error["input"]).lower())):
        # It may quote a part of the value.
        reason = ""
    return config_problem(
        path,
        (field.description if field else None) or "see docs/configuration.md",
        set_command(path, _example(field)),
        value=MISSING if error["type"] == "missing" else value,
        reason=reason if reason.startswith(("is ", "has ", "lies ", "misses ")) else "is not accepted",
    )


def unknown_key(path: Path, known: Sequence[str], value: Any) -> Problem:
    """Return the problem of a key that nothing reads, with the nearest known one."""
    key = dotted(path)
    flag = "--path " if len(path) > 1 else ""
    nearest = difflib.get_close_matches(str(path[-1]), known, n=1, cutoff=0.5)
    fix = f"pulumi config rm {flag}{shlex.quote(key)}"
    if nearest:
        fix += " && " + set_command(
            [*path[:-1], nearest[0]], value if isinstance(value, str | int) and value != HIDDEN else "VALUE"
        )
    reason = "is not read by anything" + (f" (did you mean {nearest[0]}?)" if nearest else "")
    return config_problem(path, ", ".join(known), fix, value=value, reason=reason)


def _shown(value: Any) -> str:
    text = json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= 80 else text[:77] + "..."


def _keys(model: type[BaseModel] | None) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()] if model else []


def _field_at(schema: type[BaseModel], path: Path) -> FieldInfo | None:
    """Return the field at `path`, or the innermost one above it (an item of a list has none of its own)."""
    model: type[BaseModel] | None = schema
    found = None
    for part in path:
        if isinstance(part, int) or model is None:
            continue
        field = next((f for name, f in model.model_fields.items() if part in (f.alias, name)), None)
        if field is None:
            break
        found, model = field, _model_in(field.annotation)
    return found


def _model_at(schema: type[BaseModel], path: Path) -> type[BaseModel] | None:
    field = _field_at(schema, path)
    return _model_in(field.annotation) if field else schema


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """Find the model in `Model`, `Model | None` or `tuple[Model, ...]`."""
    if isinstance(annotation, type) and not isinstance(annotation, types.GenericAlias):
        return annotation if issubclass(annotation, BaseModel) else None
    if get_origin(annotation) is None:
        return None
    return next((model for model in map(_model_in, get_args(annotation)) if model), None)


def _example(field: FieldInfo | None) -> Any:
    return field.examples[0] if field and field.examples else "VALUE"
