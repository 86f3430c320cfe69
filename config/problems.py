"""Reports of bad keys: the key, its value, what is accepted, and the command that fixes it."""

import difflib
import json
import re
from collections.abc import Sequence
from typing import Any, get_args, get_origin

from pydantic import BaseModel
from pydantic.alias_generators import to_camel
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from components.args import CONFLICT, field_at, holds_secret, model_at, model_holds_secret, model_in
from components.fields import ONE_OF
from components.problem import HIDDEN, Problem
from components.shell import words

Path = Sequence[str | int]
"""Where a value is: `("hosts", 0, "port")` is `hosts[0].port`."""

MISSING = object()
"""The value of a key that is not set."""

_LONGEST = 80
"""Characters of a value that is shown."""

_PLAIN = re.compile(r"[A-Za-z0-9_$:-]+")
"""A part of a path that needs no quotes."""


def config_problem(
    path: Path, accepted: str, fix: str, *, value: Any = MISSING, reason: str = "is not accepted"
) -> Problem:
    """Return the problem of a key, with its value, the reason, what is accepted, and the command that fixes it."""
    what = "not set" if value is MISSING else f"{_shown(value)} {reason}"
    return Problem(dotted(path), f"{what}; accepted: {accepted}", (fix,))


def dotted(path: Path) -> str:
    """Write a path as `pulumi config set --path` reads it: `hosts[0].port`, `hosts[0]["a.b"]`."""
    key = ""
    for part in path:
        if isinstance(part, int):
            key += f"[{part}]"
        elif not part or (len(path) > 1 and not _PLAIN.fullmatch(part)):
            key += '["' + part.replace('"', '\\"') + '"]'
        else:
            key += f".{part}" if key else part
    return key


def set_command(path: Path, value: Any, secret: bool = False) -> str:
    """Return the command that sets the value at `path`."""
    text = str(value).lower() if isinstance(value, bool) else value
    options = f"{'--secret ' if secret else ''}{'--path ' if len(path) > 1 else ''}"
    return f"pulumi config set {options}{words(dotted(path), text)}"


def remove_command(path: Path) -> str:
    """Return the command that removes the value at `path`."""
    return f"pulumi config rm {'--path ' if len(path) > 1 else ''}{words(dotted(path))}"


def problem_of(error: ErrorDetails, schema: type[BaseModel], raw: Any, secret: bool = False) -> Problem:
    """Translate one of pydantic's errors about a config; the value of a secret is not shown."""
    path = error["loc"]
    if error["type"] == CONFLICT:
        # The args class of a component has found it, which has other names than the config.
        path = tuple(to_camel(part) if isinstance(part, str) else part for part in path)
        value = HIDDEN if secret or holds_secret(field_at(schema, path)) else value_at(raw, path)
        return problem_at(path, schema, value, error["msg"], fix=remove_command(path))
    if error["type"] == "extra_forbidden":
        return unknown_key(path, model_at(schema, path[:-1]), HIDDEN if secret else error["input"])
    secret = secret or holds_secret(field_at(schema, path))
    value = HIDDEN if secret else error["input"]
    reason = error["msg"].removeprefix("Value error, ")
    if secret and any(word in reason.lower() for word in re.findall(r"\w{3,}", str(error["input"]).lower())):
        # It may quote a part of the value.
        reason = ""
    explained = error["type"] != ONE_OF and reason.startswith(("is ", "has ", "lies ", "misses "))
    known = reason if explained else "is not accepted"
    return problem_at(path, schema, MISSING if error["type"] == "missing" else value, known)


def problem_at(path: Path, schema: type[BaseModel], value: Any, reason: str, fix: str = "") -> Problem:
    """Return the problem of a key whose field states what is accepted; the fix sets its example or default."""
    field = field_at(schema, path)
    if field is None:
        return config_problem(path, "see docs/configuration.md", remove_command(path), value=value, reason=reason)
    default = field.default if isinstance(field.default, str | int) else "VALUE"
    fix = fix or set_command(path, next((item for item in field.examples or () if item is not None), default))
    return config_problem(path, accepted_by(field), fix, value=value, reason=reason)


def value_at(raw: Any, path: Path, default: Any = MISSING) -> Any:
    """Return the value at a path of a config that is not validated."""
    for part in path:
        try:
            raw = raw[part]
        except (KeyError, IndexError, TypeError):
            return default
    return default if raw is None else raw


def unknown_key(path: Path, model: type[BaseModel] | None, value: Any) -> Problem:
    """Return the problem of an unknown key, with the nearest known one of its section."""
    known = keys_of(model) if model else []
    nearest = difflib.get_close_matches(str(path[-1])[:_LONGEST], known, n=1, cutoff=0.5)
    if holds_secret(field_at(model, nearest)) if nearest else model_holds_secret(model):
        value = HIDDEN  # it may be meant for a key whose value is not shown
    fix = remove_command(path)
    if nearest:
        kept = value if isinstance(value, str | int) and value != HIDDEN and len(str(value)) <= _LONGEST else "VALUE"
        fix += " && " + set_command([*path[:-1], nearest[0]], kept)
    reason = "is not a known key" + (f" (did you mean {nearest[0]}?)" if nearest else "")
    return config_problem(path, ", ".join(known), fix, value=value, reason=reason)


def _shown(value: Any) -> str:
    try:
        text = json.dumps(value, default=str, ensure_ascii=False)
    except (ValueError, RecursionError):
        return "a value that is too long to show"  # thousands of digits or levels
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."


def accepted_by(field: FieldInfo) -> str:
    """Return the values that a field accepts, in words; of a section, its keys."""
    section, description = model_in(field.annotation), field.description or ""
    if section is None:
        if not isinstance(field.json_schema_extra, dict):
            return description
        # A field of an args class has a sentence, and what its type accepts beside it.
        sentence, accepted = description.removesuffix("."), str(field.json_schema_extra.get("accepted") or "")
        own = f" ({accepted})" if accepted and accepted.lower() not in sentence.lower() else ""
        if not sentence[1].isupper():
            sentence = f"{sentence[0].lower()}{sentence[1:]}"
        return f"{sentence}{own}"
    kind = "a list of objects" if is_list(field) else "an object"
    if is_list(field) and any(getattr(rule, "min_length", 0) for rule in field.metadata):
        kind = "a list of at least one object"
    return f"{kind} with the keys {', '.join(keys_of(section))}" + (f": {description}" if description else "")


def is_list(field: FieldInfo) -> bool:
    """Tell whether a field holds a list."""
    annotations = (field.annotation, *get_args(field.annotation))
    return any(get_origin(annotation) in (tuple, list) for annotation in annotations)


def keys_of(model: type[BaseModel]) -> list[str]:
    """Return the keys of a section."""
    return [field.alias or name for name, field in model.model_fields.items()]
