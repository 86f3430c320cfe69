"""What a caller gives a component, checked: plain values at once, and Outputs where they become known.

A shape says what is accepted. It is made of the functions below; each returns a check, which takes a value and returns
it normalised: a number that has come from another language as a float is an integer again, a host is in lower case.
"""

import inspect
import ipaddress
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pulumi

from .rules import names
from .rules.problem import Problem, text


class InputsError(pulumi.RunError):
    """A component was given something that it cannot take; the engine prints the text without a traceback."""

    def __init__(self, component: str, problems: Sequence[Problem]) -> None:
        super().__init__(text(problems, component))
        self.problems = tuple(problems)


@dataclass
class _Run:
    """One check of one component's inputs."""

    component: str
    problems: list[Problem] = field(default_factory=list)
    hidden: bool = False
    """Whether the values are secrets, which no text may quote."""

    def take(self, where: str, given: Any, check: "Check") -> Any:
        """Check a value, or an Output of one when it is known; a preview may never know it."""
        if isinstance(given, pulumi.Output) or inspect.isawaitable(given):
            if check in _KNOWN:
                self.problems.append(Problem(where, "is an Output; the program has to know it when it runs"))
                return []
            output = pulumi.Output.from_input(given)

            async def checked(known: Any) -> Any:
                return _Run(self.component, hidden=await output.is_secret()).now(where, known, check)

            return output.apply(checked)
        return check(self, where, given)

    def now(self, where: str, given: Any, check: "Check") -> Any:
        """Check a value.

        Raises:
            InputsError: with everything that is wrong with it.
        """
        value = check(self, where, given)
        if self.problems:
            raise InputsError(self.component, self.problems)
        return value

    def refuse(self, where: str, given: Any, reason: str) -> None:
        """Note that a value cannot be taken."""
        self.problems.append(
            Problem(where, "is a secret that is not accepted" if self.hidden else f"{given!r} {reason}")
        )


Check = Callable[[_Run, str, Any], Any]
"""Takes where a value is and the value; returns it as the component uses it."""


def check_inputs(component: pulumi.ComponentResource, name: str, args: Mapping[str, Any], shape: Check) -> Any:
    """Return a component's inputs as `shape` says, with defaults for those that are not given.

    Raises:
        InputsError: with every problem of the values that are plain. Outputs fail when they are known.
    """
    return check_value(f"{type(component).__name__} {name!r}", "", args, shape)


def check_value(component: str, where: str, given: Any, check: "Check") -> Any:
    """Return a value as `check` has it, for what only other inputs tell.

    Raises:
        InputsError: with every problem of it.
    """
    return _Run(component).now(where, given, check)


def shape(**fields: Check) -> Check:
    """Accept an object with these fields, and no others."""

    def check(run: _Run, where: str, given: Any) -> dict[str, Any]:
        if not isinstance(given, Mapping):
            run.refuse(where or "args", given, "is not an object")
            return {}
        prefix = f"{where}." if where else ""
        for key in given.keys() - fields.keys():
            run.problems.append(Problem(f"{prefix}{key}", f"is not an input; there are {', '.join(fields)}"))
        return {key: run.take(f"{prefix}{key}", given.get(key), each) for key, each in fields.items()}

    return check


def several(item: Check, least: int = 1) -> Check:
    """Accept a list of at least `least` items."""

    def check(run: _Run, where: str, given: Any) -> list[Any]:
        if isinstance(given, str) or not isinstance(given, Iterable):
            run.refuse(where, given, "is not a list")
            return []
        values = list(given)
        if len(values) < least:
            run.problems.append(Problem(where, f"has {len(values)} items, at least {least} is needed"))
        return [run.take(f"{where}[{position}]", each, item) for position, each in enumerate(values)]

    return check


_KNOWN: set[Check] = set()


def known(item: Check) -> Check:
    """Refuse Outputs, for what decides which resources there are: its items may still be Outputs."""
    _KNOWN.add(item)
    return item


def value(rule: Callable[[Any], Any], default: Any = None, *, optional: bool = False) -> Check:
    """Accept what a rule takes; `rule` raises ValueError with the reason.

    Args:
        rule: returns the value normalised.
        default: used when nothing is given.
        optional: whether nothing may be given without a default.
    """

    def check(run: _Run, where: str, given: Any) -> Any:
        given = default if given is None else given
        if given is None:
            if not optional:
                run.problems.append(Problem(where, "is missing"))
            return None
        try:
            return rule(given)
        except ValueError as error:
            run.refuse(where, given, str(error))
            return None

    return check


def string(given: Any) -> str:
    """Take a text that is not empty."""
    if not isinstance(given, str) or not given:
        raise ValueError("is not a text")
    return given


def boolean(given: Any) -> bool:
    """Take true or false."""
    if not isinstance(given, bool):
        raise ValueError("is not true or false")
    return given


def one_of(*accepted: str) -> Callable[[Any], str]:
    """Take one of these words."""

    def rule(given: Any) -> str:
        if given not in accepted:
            raise ValueError(f"is not one of {', '.join(accepted)}")
        return str(given)

    return rule


def whole(low: int, high: int) -> Callable[[Any], int]:
    """Take a whole number; other languages send it as a float."""

    def rule(given: Any) -> int:
        if isinstance(given, bool) or not isinstance(given, int | float) or given != int(given):
            raise ValueError("is not a whole number")
        if not low <= given <= high:
            raise ValueError(f"is not between {low} and {high}")
        return int(given)

    return rule


def mapping(given: Any) -> dict[str, Any]:
    """Take an object of any keys."""
    if not isinstance(given, Mapping):
        raise ValueError("is not an object")
    return dict(given)


def integers(given: Any) -> Any:
    """Return a nested value with the whole numbers, which other languages send as floats, as integers."""
    if isinstance(given, float) and given.is_integer():
        return int(given)
    if isinstance(given, Mapping):
        return {key: integers(each) for key, each in given.items()}
    if isinstance(given, list | tuple):
        return [integers(each) for each in given]
    return given


def label(given: Any, position: int) -> str:
    """Return what names a resource in Pulumi: the value where the program knows it, its position otherwise."""
    return given if isinstance(given, str) else str(position)


def optional(check: Check, default: Any = None) -> Check:
    """Accept nothing as well, which is then `default`, or None."""

    def either(run: _Run, where: str, given: Any) -> Any:
        given = default if given is None else given
        return None if given is None else check(run, where, given)

    return either


def ipv4(given: Any) -> str:
    """Take an IPv4 address, which is what an A record holds."""
    try:
        return str(ipaddress.IPv4Address(given))
    except ValueError:
        raise ValueError("is not an IPv4 address") from None


def path_prefix(given: Any) -> str:
    """Take the beginning of a URL's path."""
    if not isinstance(given, str) or not given.startswith("/") or given != "".join(given.split()):
        raise ValueError("is not a path that begins with /")
    return given


def gateway_fields(name: str) -> dict[str, Check]:
    """Return the fields of every Gateway: its own name, where it is, and the Pods that it is for."""
    return {
        "gateway": value(names.kubernetes_name, name),
        "namespace": value(names.kubernetes_name, "istio-system"),
        "selector": value(labels, {"istio": "ingressgateway"}),
    }


def labels(given: Any) -> dict[str, Any]:
    """Take labels, at least one: without any, a Gateway is for every gateway of the cluster."""
    if not isinstance(given, Mapping) or not given:
        raise ValueError("is not an object of labels")
    return dict(given)
