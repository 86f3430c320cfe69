"""From the engine's config map to `Settings`, or to one error that holds every problem."""

import contextlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pulumi
from pulumi.runtime.config import CONFIG, get_config_env, is_config_secret
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from settings.crosschecks import cross_checks
from settings.models import Settings
from settings.names import refuse_placeholder
from settings.problems import HIDDEN, Path, Problem, config_error, problem_of

_REQUIRED_OBJECTS: Mapping[str, Any] = {"acme": {}, "dns": {}, "hosts": [{}]}
"""Read as empty when not set, so that the keys missing in them are named, not only the object."""

_SCALARS = frozenset({"kubeconfig", "context", "challenge", "alerts", "protect"})


def load() -> Settings:
    """Read and validate the stack's config.

    Raises:
        pulumi.RunError: with every problem of the config; the engine prints it without a traceback.
    """
    config = {**get_config_env(), **CONFIG.get()}
    prefix = f"{pulumi.get_project()}:"
    given = {key.removeprefix(prefix): value for key, value in config.items() if key.startswith(prefix)}
    secret = {key for key in given if is_config_secret(prefix + key)}
    raw = _decode(given)
    settings, problems = _validate(raw, secret)
    problems += [
        replace(problem, value=HIDDEN) if re.split(r"[.\[]", problem.key)[0] in secret else problem
        for problem in cross_checks(raw)
    ]
    problems += _gcp_project(config.get("gcp:project"))
    if settings is None or problems:
        raise config_error(problems)
    return settings


def _decode(given: Mapping[str, Any]) -> dict[str, Any]:
    """Decode objects, which the engine hands over as JSON; scalars stay the strings that they are."""
    raw: dict[str, Any] = dict(_REQUIRED_OBJECTS)
    known = {field.alias or name for name, field in Settings.model_fields.items()}
    for key, value in given.items():
        if key in known - _SCALARS:
            # A string that is no JSON is left for the validation to refuse, with the reason.
            with contextlib.suppress(json.JSONDecodeError):
                value = json.loads(value)
        elif key in _SCALARS and not value:
            continue
        raw[key] = value or _REQUIRED_OBJECTS.get(key, value)
    return raw


def _gcp_project(project: str | None) -> list[Problem]:
    """Check the one key that belongs to the gcp provider but without which it would fail late."""
    accepted, mend = "the project of the DNS zone", "pulumi config set gcp:project PROJECT"
    if not project:
        return [Problem("gcp:project", "is missing", accepted, mend)]
    try:
        refuse_placeholder(project)
    except ValueError as error:
        return [Problem("gcp:project", str(error), accepted, mend, project)]
    return []


def _validate(raw: Mapping[str, Any], secret: set[str]) -> tuple[Settings | None, list[Problem]]:
    try:
        return Settings.model_validate(raw), []
    except ValidationError as failure:
        errors = failure.errors(include_url=False, include_context=False)
        return None, [
            problem_of(error, Settings, secret=str(error["loc"][0]) in secret)
            for error in errors
            if not (error["type"] == "too_short" and _explained_below(error["loc"], errors))
        ]


def _explained_below(path: Path, errors: Sequence[ErrorDetails]) -> bool:
    """Tell whether a list is short only because pydantic does not count the items that have errors of their own."""
    return any(len(error["loc"]) > len(path) and error["loc"][: len(path)] == path for error in errors)
