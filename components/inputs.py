"""What a caller gives a component, checked: plain values at once, and Outputs when they become known.

An args class says what is accepted (`args.py`), and pydantic checks it. Here is what pydantic cannot do: Outputs,
secrets that must not be shown, and checks of objects in which something is an Output.
"""

import inspect
import itertools
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Annotated, Any, TypeVar, get_args, get_origin

import pulumi
from pydantic import TypeAdapter, ValidationError, ValidatorFunctionWrapHandler, WrapValidator
from pydantic_core import ErrorDetails

from .args import (
    CONFLICT,
    Deferred,
    Path,
    component_type,
    cross_checks,
    dump,
    field_at,
    holds_secret,
    model_at,
    model_holds_secret,
    model_in,
)
from .fields import COMPONENT_NAME, Accepts, integers, metadata
from .problem import HIDDEN, Problem, text

R = TypeVar("R")

NOT_KNOWN = "is an Output; the program has to know it when it runs"

_MAX_SHOWN = 120
"""Characters of a value that are shown."""


class InputsError(pulumi.RunError):
    """A component has inputs that it does not accept; the engine prints the text without a traceback."""

    def __init__(self, component: str, problems: Sequence[Problem]) -> None:
        super().__init__(text(problems, component))
        self.problems = tuple(problems)


def check_inputs(component: pulumi.ComponentResource, name: str, args: Any, args_class: Any) -> dict[str, Any]:
    """Return a component's inputs, normalised and with the defaults of those that are not set.

    A part that is an Output is an Output in the result, and fails when it becomes known. Inputs with the default
    COMPONENT_NAME are named after the component.

    Raises:
        InputsError: with every problem of the values that are known.
    """
    accepted = component_type(args_class, _deferring)
    if isinstance(args, Mapping) and (model := model_in(accepted)):
        named = {key for key, field in model.model_fields.items() if field.default == COMPONENT_NAME.value}
        args = {**args, **{key: name for key in named if args.get(key) is None}}
    checked: dict[str, Any] = _check(f"{type(component).__name__} {name!r}", accepted, args)
    return checked


def recheck(
    component: pulumi.ComponentResource, name: str, where: Path, value: Mapping[str, Any], args_class: Any
) -> pulumi.Input[Mapping[str, Any]]:
    """Return a checked object as one input, after the cross-check of its args class.

    While a part of it is an Output, `check_inputs` cannot do that check. An error names the component, and `where`.

    Raises:
        InputsError: with the contradictions in it, as soon as all of it is known.
    """
    checks = cross_checks(args_class)

    def when_known(known: Mapping[str, Any]) -> Mapping[str, Any]:
        conflicts = itertools.chain.from_iterable(check.conflicts(known) for check in checks)
        if problems := [Problem(dotted((*where, *path)), what) for path, what in conflicts]:
            raise InputsError(f"{type(component).__name__} {name!r}", problems)
        return known

    return computed(when_known, value)


def computed(rule: Callable[..., R], *inputs: Any) -> R | pulumi.Output[R]:
    """Return what a rule makes of inputs: at once where all are plain, else as an Output.

    Pulumi makes an Output of every value inside of what it waits for, which costs more than the registration of a
    resource. So it waits only for the inputs that hold one.
    """
    awaited = {str(position): value for position, value in enumerate(inputs) if holds_output(value)}
    if not awaited:
        return rule(*inputs)

    def when_known(known: Mapping[str, Any]) -> R:
        return rule(*(known.get(str(position), value) for position, value in enumerate(inputs)))

    return pulumi.Output.all(**awaited).apply(when_known)


def resource_label(value: Any, position: int) -> str:
    """Return the part of a resource's name for an item: the value if the program knows it, else its position."""
    return value if isinstance(value, str) else str(position)


def holds_output(value: Any) -> bool:
    """Tell whether a value is an Output, or has one in it."""
    if isinstance(value, Mapping):
        return any(map(holds_output, value.values()))
    if isinstance(value, list | tuple):
        return any(map(holds_output, value))
    return _is_output(value)


def _is_output(value: Any) -> bool:
    return isinstance(value, pulumi.Output) or inspect.isawaitable(value)


def _deferring(type_: Any) -> Any:
    """Return a type that accepts an Output too; a mapping that has one for a value is checked as a whole, later."""
    inner = type_
    while get_origin(inner) is Annotated or (type(None) in get_args(inner)):
        inner = get_args(inner)[0]
    is_mapping = get_origin(inner) is dict

    def check(value: Any, check_now: ValidatorFunctionWrapHandler) -> Any:
        later = holds_output(value) if is_mapping else _is_output(value)
        return Deferred(pulumi.Output.from_input(value), type_) if later else check_now(value)

    return Annotated[type_, WrapValidator(check)]


def _check(component: str, accepted: Any, value: Any, where: Path = (), *, secret: bool = False) -> Any:
    """Return a value as its type normalises it; InputsError has every problem of it."""
    try:
        checked = _adapter(accepted).validate_python(value)
    except ValidationError as error:
        details = error.errors(include_url=False, include_context=False)
        raise InputsError(component, [_problem(accepted, detail, where, secret) for detail in details]) from None
    return _resolve(component, dump(checked), where)


@cache
def _adapter(accepted: Any) -> TypeAdapter[Any]:
    return TypeAdapter(accepted)


def _resolve(component: str, value: Any, where: Path) -> Any:
    if isinstance(value, dict):
        return {key: _resolve(component, item, (*where, key)) for key, item in value.items()}
    if isinstance(value, list):
        return [_resolve(component, item, (*where, position)) for position, item in enumerate(value)]
    if not isinstance(value, Deferred):
        return value

    async def when_known(known: Any) -> Any:
        return _check(component, value.type, known, where, secret=await value.output.is_secret())

    return value.output.apply(when_known)


def _problem(accepted: Any, detail: ErrorDetails, where: Path, secret: bool) -> Problem:
    path = tuple(part for part in detail["loc"] if part != "[key]")
    place, kind = dotted((*where, *path)) or "args", detail["type"]
    if kind == "missing" or (detail["input"] is None and kind.endswith("_type")):
        return Problem(place, "is missing")
    if kind == "extra_forbidden":
        parent = model_at(model_in(accepted), path[:-1])
        return Problem(place, f"is not an input; accepted: {', '.join(parent.model_fields if parent else ())}")
    if _is_output(detail["input"]):
        return Problem(place, NOT_KNOWN)
    if secret:
        # The reason may quote a part of the value.
        return Problem(place, "is a secret that is not accepted")
    reason = re.sub(r"^(Value error, |\w+ (?=should ))", "", detail["msg"])
    if kind == CONFLICT:
        return Problem(place, reason)
    if "[key]" not in detail["loc"] and _holds_secret(accepted, path):
        return Problem(place, f"{HIDDEN} {reason}")
    shown = repr(integers(detail["input"]))
    shown = shown if len(shown) <= _MAX_SHOWN else f"{shown[: _MAX_SHOWN - 3]}..."
    return Problem(place, f"{shown} {reason}")


def _holds_secret(accepted: Any, path: Path) -> bool:
    """Tell whether a value at a path below a type is one that no error shows, be it an Output or plain."""
    if any(isinstance(item, Accepts) and item.secret for item in metadata(accepted)):
        return True
    model = model_in(accepted)
    return holds_secret(field_at(model, path)) if path else model_holds_secret(model)


def dotted(path: Path) -> str:
    """Write the path of an input as a program does: `hosts[0].routes`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")
