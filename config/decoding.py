"""Decodes config values, of the engine or of the pulumi command line, into a validated model or every problem."""

import contextlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from typing import Any, TypeVar, get_args, get_origin

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from components.problem import Problem, ProblemsError, count

from .fields import Section
from .problems import Path, holds_secret, problem_of
from .readable import unreadable

Model = TypeVar("Model", bound=Section)
CrossCheck = Callable[[Mapping[str, Any], Set[str]], Iterable[Problem]]
"""Looks at the raw config and the names of its secret keys, for rules between keys."""


def decode(
    schema: type[Model],
    config: Mapping[str, Any],
    project: str,
    stack: str,
    *,
    secret: Set[str] = frozenset(),
    cross_check: CrossCheck | None = None,
) -> Model:
    """Validate a stack's config.

    Args:
        schema: what is accepted. Fields whose alias has a namespace of its own (`gcp:project`) are read by it.
        config: by full keys. Values are strings, objects among them as JSON, or objects that are decoded already.
        project: the namespace of the other keys.
        stack: its name, for the report.
        secret: full keys whose values are encrypted, and so are not shown.
        cross_check: what no single field can tell.

    Raises:
        ProblemsError: with every problem of the config.
    """
    names = {field.alias or name: field for name, field in schema.model_fields.items()}
    given = {_short(key, project): value for key, value in config.items() if _short(key, project) is not None}
    foreign = {key: value for key, value in config.items() if key in names}
    encrypted = {short for key in secret if (short := _short(key, project) or key)}
    raw = _raw(names, {**given, **foreign})
    hidden = encrypted | {name for name, field in names.items() if holds_secret(field)}
    if odd := list(unreadable(raw, schema, hidden)):
        # What holds such values has no other problem that would mean anything.
        raise ProblemsError(*odd, heading=config_heading(stack, odd))
    model, problems = _validated(schema, raw, encrypted)
    problems += cross_check(raw, encrypted) if cross_check else ()
    if model is None or problems:
        raise ProblemsError(*problems, heading=config_heading(stack, problems))
    return model


def config_heading(stack: str, problems: Sequence[Problem]) -> str:
    """Return what stands above the problems of a stack's config."""
    return f"the config of stack '{stack}' has {count(problems)}"


def _short(key: str, project: str) -> str | None:
    prefix = f"{project}:"
    return key.removeprefix(prefix) if key.startswith(prefix) else None


def _raw(fields: Mapping[str, FieldInfo], given: Mapping[Any, Any]) -> dict[str, Any]:
    """Decode objects and lists.

    Those that are required but not set are read as empty, so that the keys missing in them are named.
    """
    raw: dict[str, Any] = {name: empty for name, field in fields.items() if (empty := _empty(field)) is not None}
    for key, value in given.items():
        field = fields.get(key)
        if field is not None and isinstance(value, str) and not _is_scalar(field.annotation):
            # A string that is no JSON, or too deep or long for it, is left for the validation to refuse.
            with contextlib.suppress(ValueError, RecursionError):
                value = json.loads(value)
        if value in ("", None) and field is not None and _is_scalar(field.annotation):
            # The engine hands over a declared key that is not set as an empty string.
            continue
        raw[key] = value or raw.get(key, value)
    return raw


def _empty(field: FieldInfo) -> Any:
    if not field.is_required():
        return None
    if isinstance(field.annotation, type) and issubclass(field.annotation, Section):
        return {}
    items = get_args(field.annotation)[:1] if get_origin(field.annotation) is tuple else ()
    return [{}] if items and isinstance(items[0], type) and issubclass(items[0], Section) else None


def _is_scalar(annotation: Any) -> bool:
    """Tell a field that holds one string, number or boolean from one that holds an object or a list."""
    if get_origin(annotation) in (tuple, dict, list):
        return False
    if isinstance(annotation, type):
        return not issubclass(annotation, Section | dict | list | tuple)
    return all(_is_scalar(part) for part in get_args(annotation) if part is not type(None) and not _is_value(part))


def _is_value(part: Any) -> bool:
    """Tell a value of a Literal, or what Annotated adds to a type, from a type."""
    return not isinstance(part, type) and get_origin(part) is None


def _validated(schema: type[Model], raw: Mapping[str, Any], hidden: Set[str]) -> tuple[Model | None, list[Problem]]:
    try:
        return schema.model_validate(raw), []
    except ValidationError as failure:
        errors = failure.errors(include_url=False, include_context=False)
        return None, [
            problem_of(error, schema, secret=str(error["loc"][0]) in hidden)
            for error in errors
            if not (error["type"] == "too_short" and _explained_below(error["loc"], errors))
        ]


def _explained_below(path: Path, errors: Sequence[ErrorDetails]) -> bool:
    """Tell whether a list is short only because pydantic does not count the items that have errors of their own."""
    return any(len(error["loc"]) > len(path) and error["loc"][: len(path)] == path for error in errors)
