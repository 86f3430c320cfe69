"""From an args class to the pydantic model of what it accepts.

An args class is a TypedDict whose annotations say everything about a field: its type and rule (`fields.py`), its
default (`Default`), and whether it may be an Output (`Input`). The sentence about a field stands below it. Pulumi's
provider host makes the package's schema from the same classes.
"""

import ast
import inspect
import itertools
import textwrap
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from types import UnionType
from typing import Annotated, Any, NotRequired, Required, TypeVar, Union, get_args, get_origin, is_typeddict

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, create_model
from pydantic.fields import FieldInfo
from pydantic_core import InitErrorDetails, PydanticCustomError, ValidationError

from .fields import Accepts, Default, accepted, example, metadata

C = TypeVar("C", bound=type)
Defer = Callable[[Any], Any]

Path = tuple[str | int, ...]
"""Where a value is: `("hosts", 0, "port")`."""

Conflicts = Callable[[Mapping[str, Any]], Iterable[tuple[Path, str]]]
"""Finds what contradicts the rest of an object: where in it, and what is wrong."""

CONFLICT = "conflict"
"""The type of pydantic's error for such a contradiction."""


@dataclass(frozen=True)
class CrossCheck:
    """A check of an object's fields against each other."""

    conflicts: Conflicts
    reads: tuple[str, ...]
    """The fields that it looks at; all of them, if empty."""


def with_cross_check(conflicts: Conflicts, *reads: str) -> Callable[[C], C]:
    """Decorate an args class whose fields have to agree. As long as one that is read is an Output, no check runs."""

    def decorate(args: C) -> C:
        args.__cross_checks__ = (*cross_checks(args), CrossCheck(conflicts, reads))  # type: ignore[attr-defined]
        return args

    return decorate


def cross_checks(args: Any) -> tuple[CrossCheck, ...]:
    """Return the checks of an args class, the one next to the class first."""
    return getattr(args, "__cross_checks__", ())


@cache
def docstrings(args: Any) -> Mapping[str, str]:
    """Return the docstring below each field of an args class."""
    (definition,) = ast.parse(textwrap.dedent(inspect.getsource(args))).body
    body = definition.body if isinstance(definition, ast.ClassDef) else []
    return {
        field.target.id: " ".join(str(below.value.value).split())
        for field, below in itertools.pairwise(body)
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
        if isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant)
    }


@dataclass(frozen=True)
class Deferred:
    """An Output, to be checked when it becomes known."""

    output: Any
    type: Any
    """What pydantic then checks."""


class Inputs(BaseModel):
    """What every object of a component's inputs has in common."""

    model_config = ConfigDict(extra="forbid")


def component_type(args: Any, defer: Defer) -> Any:
    """Return what pydantic checks for an args class as a component accepts it, with the names that it has in Python.

    `defer` makes the type of an `Input` accept an Output.
    """
    return _object(args, Inputs, defer)


def config_model(args: Any, base: type[BaseModel], *names: str, optional: bool = False) -> type[BaseModel]:
    """Return the model of an args class as stack config has it: no value is an Output.

    It has the fields of these names, by default all. Each field has its sentence as `description`, and what its type
    accepts in `json_schema_extra["accepted"]`.
    """
    return _model(args, base, _unchanged, names, optional)


def model_at(model: type[BaseModel] | None, path: Sequence[str | int]) -> type[BaseModel] | None:
    """Return the model of the object at a path below a model; None where there is none."""
    return _descend(model, path)[1]


def field_at(model: type[BaseModel] | None, path: Sequence[str | int]) -> FieldInfo | None:
    """Return the field at a path below a model, or the innermost one above it: an item has no field of its own."""
    return _descend(model, path)[0]


def holds_secret(field: FieldInfo | None) -> bool:
    """Tell whether a field, or one below it, has a value that no error shows: it is not in `repr` either."""
    if field is None or not field.repr:
        return field is not None
    return model_holds_secret(model_in(field.annotation))


def model_holds_secret(model: type[BaseModel] | None) -> bool:
    """Tell whether an object has a field, at any depth, whose value no error shows."""
    return model is not None and any(map(holds_secret, model.model_fields.values()))


def _descend(
    model: type[BaseModel] | None, path: Sequence[str | int]
) -> tuple[FieldInfo | None, type[BaseModel] | None]:
    """Return the innermost field on a path, and the model of the object at its end."""
    innermost, is_key = None, False
    for part in path:
        if isinstance(part, str) and not is_key:
            fields = model.model_fields.items() if model else ()
            field = next((field for name, field in fields if part in (name, field.alias)), None)
            if field is None:
                return innermost, None
            innermost, model, is_key = field, model_in(field.annotation), _is_mapping(field.annotation)
        else:
            is_key = False
    return innermost, model


def _is_mapping(annotation: Any) -> bool:
    return get_origin(annotation) is dict or any(map(_is_mapping, get_args(annotation)[:1]))


def model_in(annotation: Any) -> type[BaseModel] | None:
    """Return the model in `Model`, `Model | None`, `list[Model]` or `dict[str, Model]`."""
    if isinstance(annotation, type) and get_origin(annotation) is None:
        return annotation if issubclass(annotation, BaseModel) else None
    return next(filter(None, map(model_in, get_args(annotation))), None)


@cache
def _model(
    args: Any, base: type[BaseModel], defer: Defer, names: tuple[str, ...] = (), optional: bool = False
) -> type[BaseModel]:
    # A component shows none. CPython 3.11 may fail to parse while a future is collected (python/cpython#106905).
    sentences = {} if base is Inputs else docstrings(args)
    fields: dict[str, Any] = {
        name: _field(annotation, name in args.__required_keys__ and not optional, sentences.get(name, ""), base, defer)
        for name, annotation in inspect.get_annotations(args).items()
        if not names or name in names
    }
    return create_model(args.__name__, __base__=base, __doc__=args.__doc__, **fields)


def _field(annotation: Any, required: bool, sentence: str, base: type[BaseModel], defer: Defer) -> Any:
    default, annotation = _without_default(annotation)
    # Beside Output and Awaitable there may be None, which an optional field accepts anyhow.
    awaitable = next((member for member in get_args(annotation) if get_origin(member) is Awaitable), None)
    inner = annotation if awaitable is None else get_args(awaitable)[0]
    about: dict[str, Any] = {
        "description": sentence,
        "examples": [default if isinstance(default, str | int) else example(inner)],
        "json_schema_extra": {"accepted": accepted(inner)},
        "repr": not any(isinstance(item, Accepts) and item.secret for item in metadata(inner)),
    }
    type_ = _type(inner, base, defer)
    if not required:
        about |= {"default": default, "validate_default": True}
        type_ = type_ | None if default is None else _or_default(type_, default)
    if awaitable is not None:
        type_ = defer(type_)
    return type_, Field(**about)


def _or_default(type_: Any, default: Any) -> Any:
    """Return a type that takes None for the default."""
    return Annotated[type_, BeforeValidator(lambda value: default if value is None else value)]


def _without_default(annotation: Any) -> tuple[Any, Any]:
    origin, inside = get_origin(annotation), get_args(annotation)
    if origin in (NotRequired, Required):
        return _without_default(inside[0])
    if origin is Annotated:
        default = next((item.value for item in inside[1:] if isinstance(item, Default)), None)
        others = tuple(item for item in inside[1:] if not isinstance(item, Default))
        return default, Annotated[(inside[0], *others)] if others else inside[0]
    return None, annotation


def _type(annotation: Any, base: type[BaseModel], defer: Defer) -> Any:
    origin, inside = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return Annotated[(_type(inside[0], base, defer), *inside[1:])]
    if origin in (Union, UnionType):
        for member in inside:
            if get_origin(member) is Awaitable:
                return defer(_type(get_args(member)[0], base, defer))
        return _type(inside[0], base, defer) | None
    if origin is Sequence:
        return list[_type(inside[0], base, defer)]  # type: ignore[misc]
    if origin is Mapping:
        return dict[_type(inside[0], base, defer), _type(inside[1], base, defer)]  # type: ignore[misc]
    return _object(annotation, base, defer) if is_typeddict(annotation) else annotation


@cache
def _object(args: Any, base: type[BaseModel], defer: Defer) -> Any:
    checks = [AfterValidator(_runs(check)) for check in cross_checks(args)]
    model = _model(args, base, defer)
    return Annotated[(model, *checks)] if checks else model


def _unchanged(type_: Any) -> Any:
    return type_


def _runs(check: CrossCheck) -> Callable[[BaseModel], BaseModel]:
    def run(model: BaseModel) -> BaseModel:
        values = dump(model)
        if not any(map(_is_deferred, (values[name] for name in check.reads or values))):
            errors = [
                InitErrorDetails(type=PydanticCustomError(CONFLICT, what), loc=where, input=None)
                for where, what in check.conflicts(values)
            ]
            if errors:
                raise ValidationError.from_exception_data(CONFLICT, errors)
        return model

    return run


def dump(value: Any) -> Any:
    """Return what pydantic has made of inputs as plain dictionaries and lists; what is deferred stays in them."""
    if isinstance(value, BaseModel):
        return {name: dump(getattr(value, name)) for name in type(value).model_fields}
    if isinstance(value, dict):
        return {key: dump(item) for key, item in value.items()}
    return list(map(dump, value)) if isinstance(value, list) else value


def _is_deferred(value: Any) -> bool:
    if isinstance(value, dict | list):
        return any(map(_is_deferred, value.values() if isinstance(value, dict) else value))
    return isinstance(value, Deferred)
