"""Decodes config values, of the engine or of the pulumi command line, into a validated model or every problem."""

import contextlib
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from typing import Annotated, Any, TypeVar, get_args, get_origin

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from components.args import holds_secret, model_in
from components.fields import refused_character
from components.problem import HIDDEN, Problem, ProblemsError, count
from config.fields import Section
from config.problems import Path, is_list, problem_at, problem_of

Model = TypeVar("Model", bound=Section)
CrossCheck = Callable[[Any, Mapping[str, Any], Set[str]], Iterable[Problem]]
"""Checks rules between keys: of the valid part of the model, the raw config, and the names of its secret keys."""

DEPTH = 32
"""How deep objects and lists may be nested; the deepest that are needed are in a chart's values."""

LONGEST_KEY = 512
"""Characters of a key's name; those of labels and annotations have at most 317."""

_EXACT = 2**53
"""Pulumi keeps numbers as doubles, which represent whole numbers up to this one."""


def decode(
    schema: type[Model],
    config: Mapping[str, Any],
    project: str,
    stack: str,
    *,
    secret: Set[str] = frozenset(),
    cross_check: CrossCheck | None = None,
) -> Model:
    """Validate a stack's config, by full keys, of which the `secret` ones are encrypted and so are not shown.

    Values are strings, objects among them as JSON, or objects that are decoded already. Fields whose alias has a
    namespace of its own (`gcp:project`) are read by it, the others in the namespace `project`.

    Raises:
        ProblemsError: with every problem of the config.
    """
    fields = {field.alias or name: field for name, field in schema.model_fields.items()}
    prefix = f"{project}:"
    own = {key.removeprefix(prefix): value for key, value in config.items() if key.startswith(prefix)}
    raw = _raw(fields, {**own, **{key: value for key, value in config.items() if key in fields}})
    encrypted = {key.removeprefix(prefix) for key in secret}
    hidden = encrypted | {name for name, field in fields.items() if holds_secret(field)}
    # A config with such values has no other problems that would make sense.
    problems = list(_unrepresentable(raw, schema, hidden))
    model: Model | None = None
    if not problems:
        model, problems = _validate(schema, raw, encrypted)
        problems += cross_check(model or _valid_part(schema, raw), raw, encrypted) if cross_check else ()
    if model is None or problems:
        raise ProblemsError(*problems, heading=config_heading(stack, problems))
    return model


def config_heading(stack: str, problems: Sequence[Problem]) -> str:
    """Return the heading of a report of a stack's config."""
    return f"the config of stack '{stack}' has {count(problems)}"


def _raw(fields: Mapping[str, FieldInfo], config: Mapping[str, Any]) -> dict[str, Any]:
    """Decode objects and lists; required ones that are not set are empty, so that keys missing in them are named."""
    raw: dict[str, Any] = {name: empty for name, field in fields.items() if (empty := _empty(field)) is not None}
    for key, value in config.items():
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
    if not field.is_required() or model_in(field.annotation) is None:
        return None
    return [{}] if is_list(field) else {}


def _is_scalar(annotation: Any) -> bool:
    """Tell a field that holds one string, number or boolean from one that holds an object or a list."""
    kind = get_origin(annotation) or annotation
    if isinstance(kind, type) and issubclass(kind, BaseModel | Mapping | list | tuple):
        return False
    return all(map(_is_scalar, get_args(annotation)))


def _validate(schema: type[Model], raw: Mapping[str, Any], encrypted: Set[str]) -> tuple[Model | None, list[Problem]]:
    try:
        return schema.model_validate(raw), []
    except ValidationError as failure:
        errors = failure.errors(include_url=False, include_context=False)
        return None, [
            problem_of(error, schema, raw, secret=str(error["loc"][0]) in encrypted)
            for error in errors
            if not (error["type"] == "too_short" and _explained_below(error["loc"], errors))
        ]


def _explained_below(path: Path, errors: Sequence[ErrorDetails]) -> bool:
    """Tell whether a list is short only because pydantic does not count the items that have errors of their own."""
    return any(len(error["loc"]) > len(path) and error["loc"][: len(path)] == path for error in errors)


def _valid_part(schema: type[BaseModel], raw: Any) -> Any:
    """Return a model with the valid values of an object; what is invalid or missing is None."""
    values: dict[str, Any] = {}
    known = {field.alias or name: name for name, field in schema.model_fields.items()}
    for key, value in raw.items() if isinstance(raw, dict) else ():
        if key in known and value is not None:
            values[known[key]] = _valid_value(schema.model_fields[known[key]], value)
    fields_set = set(values)
    for name, field in schema.model_fields.items():
        if field.is_required():
            section = model_in(field.annotation)
            values.setdefault(name, None if section is None else () if is_list(field) else _valid_part(section, {}))
    return schema.model_construct(fields_set, **values)


def _valid_value(field: FieldInfo, value: Any) -> Any:
    annotation: Any = Annotated[(field.annotation, *field.metadata, None)]
    try:
        return TypeAdapter(annotation).validate_python(value)
    except ValidationError:
        section = model_in(field.annotation)
        if section is None:
            return None
        if is_list(field):
            return [_valid_part(section, item) for item in value] if isinstance(value, list) else []
        return _valid_part(section, value) if isinstance(value, dict) or field.default is not None else None


def _unrepresentable(raw: Mapping[str, Any], schema: type[BaseModel], hidden: Set[str]) -> Iterator[Problem]:
    """Yield the problem of each value that Pulumi or Kubernetes cannot round-trip; values of `hidden` keys unshown."""
    for key, whole in raw.items():
        if reason := _refused_name(key):
            what = f"{key[:80]!r} {reason}; accepted: the keys of docs/configuration.md"
            yield Problem("config", what, ("pulumi config    # lists the keys",))
            continue
        for path, value, reason in _refused_values(whole, (key,)):
            yield problem_at(path, schema, HIDDEN if key in hidden else value, reason)


def _refused_name(key: str) -> str:
    """Return why the name of a key is refused, whatever its value; empty where it is not."""
    if reason := refused_character(key):
        return f"is the name of a key, and {reason}"
    return f"is the name of a key, and has {len(key)} characters, over {LONGEST_KEY}" if len(key) > LONGEST_KEY else ""


def _refused_values(value: Any, path: tuple[str | int, ...]) -> Iterator[tuple[Path, Any, str]]:
    """Yield the place of each refused value, the part of it to show, and the reason."""
    if len(path) > DEPTH:
        yield path[:2], "...", f"is nested deeper than {DEPTH} levels"
    elif isinstance(value, str) and (reason := refused_character(value)):
        yield path, value, reason
    elif isinstance(value, float) and not math.isfinite(value):
        yield path, value, "is not a finite number"
    elif isinstance(value, int) and abs(value) > _EXACT:
        yield path, value, f"is a number beyond {_EXACT}, which is not kept exactly"
    elif isinstance(value, Mapping):
        for key, item in value.items():
            if reason := _refused_name(str(key)):
                yield path, key, reason
            else:
                yield from _refused_values(item, (*path, key))
    elif isinstance(value, list | tuple):
        for position, item in enumerate(value):
            yield from _refused_values(item, (*path, position))
