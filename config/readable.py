"""What no key takes, whatever it is for: values that would reach neither a state nor a cluster as they are."""

import math
from collections.abc import Iterator, Mapping, Set
from typing import Any

from pydantic import BaseModel

from components.fields import refused_character
from components.problem import Problem

from .problems import HIDDEN, Path, problem_at

DEPTH = 32
"""How deep objects and lists may be in each other; the deepest that anybody needs are in a chart's values."""

LONGEST_KEY = 512
"""Characters of a key's name; those of labels and annotations have at most 317."""

_EXACT = 2**53
"""Pulumi keeps numbers as doubles, which have whole numbers up to here."""


def unreadable(raw: Mapping[str, Any], schema: type[BaseModel], hidden: Set[str]) -> Iterator[Problem]:
    """Yield the problem of each value that cannot be kept.

    Args:
        raw: the config, decoded and not validated.
        schema: what is accepted.
        hidden: keys whose values must not be shown, as a whole or in part.
    """
    for key, whole in raw.items():
        if reason := _refused_name(key):
            accepted = "the keys of docs/configuration.md"
            yield Problem(
                "config", f"{key[:80]!r} {reason}; accepted: {accepted}", ("pulumi config    # lists the keys",)
            )
            continue
        for path, value, reason in _odd(whole, (key,)):
            yield problem_at(path, schema, HIDDEN if key in hidden else value, reason)


def _refused_name(key: str) -> str:
    """Return what is wrong with the name of a key, whatever its value; empty where nothing is."""
    if reason := refused_character(key):
        return f"is the name of a key, and {reason}"
    many = f"is the name of a key, and has {len(key)} characters, more than {LONGEST_KEY}"
    return many if len(key) > LONGEST_KEY else ""


def _odd(value: Any, path: Path) -> Iterator[tuple[Path, Any, str]]:
    """Yield where each such value is, what of it is shown, and what is wrong with it."""
    if len(path) > DEPTH:
        yield path[:2], "...", f"is nested deeper than {DEPTH} levels"
    elif isinstance(value, str) and (reason := refused_character(value)):
        yield path, value, reason
    elif isinstance(value, float) and not math.isfinite(value):
        yield path, value, "is not a finite number"
    elif isinstance(value, int) and abs(value) > _EXACT:
        yield path, value, f"is a number beyond {_EXACT}, which is not kept exactly"
    elif isinstance(value, Mapping):
        for key, each in value.items():
            if reason := _refused_name(str(key)):
                yield path, key, reason
            else:
                yield from _odd(each, (*path, key))
    elif isinstance(value, list | tuple):
        for position, each in enumerate(value):
            yield from _odd(each, (*path, position))
