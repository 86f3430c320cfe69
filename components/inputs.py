"""What a caller gives a component, checked: plain values at once, and Outputs when they become known.

A shape says what is accepted, and is made of the functions below. What comes back has the defaults in it, and every
value as its rule returns it: a whole number is an integer, whichever language sent it; a host is in lower case.
"""

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import pulumi

from .problem import Problem, text
from .specs import istio, names, values

R = TypeVar("R")

_LONGEST = 120
"""Characters of a value that are shown."""


class InputsError(pulumi.RunError):
    """A component was given something that it cannot take; the engine prints the text without a traceback."""

    def __init__(self, component: str, problems: Sequence[Problem]) -> None:
        super().__init__(text(problems, component))
        self.problems = tuple(problems)


@dataclass(frozen=True)
class Check:
    """What one input accepts."""

    of: Callable[["_Run", str, Any], Any]
    """Takes where a value is and the value; returns it as the component uses it."""
    known: bool = False
    """Whether an Output is refused."""


@dataclass
class _Run:
    """One check of one component's inputs."""

    component: str
    secret: bool = False
    """Whether values must not be shown."""
    problems: list[Problem] = field(default_factory=list)

    def take(self, where: str, given: Any, check: Check) -> Any:
        """Check a value, or an Output of one when it is known; a preview may never know it."""
        if not isinstance(given, pulumi.Output) and not inspect.isawaitable(given):
            return check.of(self, where, given)
        if check.known:
            self.problems.append(Problem(where, "is an Output; the program has to know it when it runs"))
            return []
        output = pulumi.Output.from_input(given)

        async def late(value: Any) -> Any:
            return _Run(self.component, await output.is_secret()).now(where, value, check)

        return output.apply(late)

    def now(self, where: str, given: Any, check: Check) -> Any:
        """Check a value.

        Raises:
            InputsError: with everything that is wrong with it.
        """
        value = check.of(self, where, given)
        if self.problems:
            raise InputsError(self.component, self.problems)
        return value

    def refuse(self, where: str, given: Any, reason: str) -> None:
        """Note that a value cannot be taken."""
        shown = repr(values.integers(given))
        shown = shown if len(shown) <= _LONGEST else f"{shown[: _LONGEST - 3]}..."
        # A reason may quote a part of the value.
        self.problems.append(Problem(where, "is a secret that is not accepted" if self.secret else f"{shown} {reason}"))


def check_inputs(component: pulumi.ComponentResource, name: str, args: Mapping[str, Any], accepted: Check) -> Any:
    """Return a component's inputs as `accepted` says, with defaults for those that are not given.

    Raises:
        InputsError: with every problem of the values that are plain. Outputs fail when they are known.
    """
    return check_value(f"{type(component).__name__} {name!r}", "", args, accepted)


def check_value(component: str, where: str, given: Any, accepted: Check) -> Any:
    """Return one value as `accepted` says, for a rule that depends on other inputs.

    Raises:
        InputsError: with every problem of it.
    """
    return _Run(component).now(where, given, accepted)


def shape(**fields: Check) -> Check:
    """Accept an object with these fields, and no others."""

    def check(run: _Run, where: str, given: Any) -> dict[str, Any]:
        if not isinstance(given, Mapping):
            run.refuse(where or "args", given, "is not an object")
            return {}
        prefix = f"{where}." if where else ""
        for key in sorted(given.keys() - fields.keys()):
            run.problems.append(Problem(f"{prefix}{key}", f"is not an input; there are {', '.join(fields)}"))
        return {key: run.take(f"{prefix}{key}", given.get(key), each) for key, each in fields.items()}

    return Check(check)


def defaults(accepted: Check) -> dict[str, Any]:
    """Return what each field of a shape is when nothing is given; None where there is no default."""
    found: dict[str, Any] = accepted.of(_Run(""), "", {})
    return found


Disagree = Callable[[Mapping[str, Any]], Iterable[tuple[str, str]]]
"""Says what of an object contradicts the rest of it: the field, and what is wrong with it."""


def agreeing(check: Check, disagree: Disagree, *reads: str) -> Check:
    """Accept an object whose fields agree; `agreed` looks again when all of them are known.

    Args:
        check: of the object.
        disagree: finds what contradicts the rest.
        reads: the fields that it looks at; all of them, by default. Where one is an Output, nothing is looked at yet.
    """

    def both(run: _Run, where: str, given: Any) -> Any:
        before = len(run.problems)
        found = check.of(run, where, given)
        if len(run.problems) == before and _is_plain([found[field] for field in reads or found]):
            run.problems += _problems(where, found, disagree)
        return found

    return replace(check, of=both)


def agreed(
    component: pulumi.ComponentResource, name: str, where: str, given: Mapping[str, Any], disagree: Disagree
) -> pulumi.Input[Mapping[str, Any]]:
    """Return an object that `agreeing` has accepted, as an Output of all that is in it where a part of it is one.

    Raises:
        InputsError: when it is known, what of it contradicts the rest.
    """

    def known_now(found: Mapping[str, Any]) -> Mapping[str, Any]:
        if problems := _problems(where, found, disagree):
            raise InputsError(f"{type(component).__name__} {name!r}", problems)
        return found

    return computed(known_now, given)


def computed(rule: Callable[..., R], *given: Any) -> R | pulumi.Output[R]:
    """Return what a rule makes of inputs: at once where all are plain, else an Output.

    Pulumi makes an Output of each value in what it is to wait for. For what is known already this costs more than the
    registration of a resource, so that only what holds an Output is waited for.
    """
    awaited = {str(place): each for place, each in enumerate(given) if not _is_plain(each)}
    if not awaited:
        return rule(*given)

    def when_known(found: Mapping[str, Any]) -> R:
        return rule(*(found.get(str(place), each) for place, each in enumerate(given)))

    return pulumi.Output.all(**awaited).apply(when_known)


def _problems(where: str, found: Mapping[str, Any], disagree: Disagree) -> list[Problem]:
    prefix = f"{where}." if where else ""
    return [Problem(f"{prefix}{field}", what) for field, what in disagree(found)]


def _is_plain(found: Any) -> bool:
    if isinstance(found, Mapping):
        return all(map(_is_plain, found.values()))
    if isinstance(found, list | tuple):
        return all(map(_is_plain, found))
    return not isinstance(found, pulumi.Output)


def several(item: Check, least: int = 1) -> Check:
    """Accept a list of at least `least` items."""

    def check(run: _Run, where: str, given: Any) -> list[Any]:
        if given is None:
            run.problems.append(Problem(where, "is missing"))
            return []
        if isinstance(given, str | Mapping) or not isinstance(given, Iterable):
            run.refuse(where, given, "is not a list")
            return []
        items = list(given)
        if len(items) < least:
            run.problems.append(Problem(where, f"has {len(items) or 'no'} items, at least {least} is needed"))
        return [run.take(f"{where}[{position}]", each, item) for position, each in enumerate(items)]

    return Check(check)


def lifted(check: Check) -> Check:
    """Accept an object of any keys, whose values may be Outputs: it is checked when all of them are known."""

    def either(run: _Run, where: str, given: Any) -> Any:
        if isinstance(given, Mapping) and not _is_plain(given):
            return run.take(where, pulumi.Output.from_input(given), check)
        return check.of(run, where, given)

    return replace(check, of=either)


def known(check: Check) -> Check:
    """Refuse an Output, for what decides which resources there are. What is inside a list may still be one."""
    return replace(check, known=True)


def optional(check: Check, default: Any = None) -> Check:
    """Accept nothing as well, which is then `default`, or None."""

    def either(run: _Run, where: str, given: Any) -> Any:
        given = default if given is None else given
        return None if given is None else check.of(run, where, given)

    return replace(check, of=either)


def value(rule: Callable[[Any], Any], default: Any = None) -> Check:
    """Accept what a rule takes, or nothing where there is a default.

    Args:
        rule: returns the value normalised; raises ValueError with the reason.
        default: used when nothing is given.
    """

    def check(run: _Run, where: str, given: Any) -> Any:
        given = default if given is None else given
        if given is None:
            run.problems.append(Problem(where, "is missing"))
            return None
        try:
            return rule(given)
        except ValueError as error:
            run.refuse(where, given, str(error))
        except (AttributeError, TypeError):
            # The rules of names take a text for granted, as the types of the args say.
            run.refuse(where, given, "is not of the type that is expected")
        return None

    return Check(check)


GATEWAY = {
    "gateway": value(names.kubernetes_name),
    "namespace": value(names.kubernetes_name, istio.NAMESPACE),
    "selector": value(values.labels, istio.SELECTOR),
}
"""The fields of every Gateway: its own name, where it is, and the Pods that it is for."""


def label(given: Any, position: int) -> str:
    """Return what a resource is called in Pulumi: the value if the program knows it, else its position."""
    return given if isinstance(given, str) else str(position)
