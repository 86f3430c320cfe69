"""From the engine's config map to `Settings`, or to one error that holds every problem."""

import contextlib
import json
from collections.abc import Mapping
from typing import Any

import pulumi
from pulumi.runtime.config import CONFIG, get_config_env, is_config_secret
from pydantic import ValidationError

from settings.crosschecks import cross_checks
from settings.models import Settings
from settings.problems import Problem, config_error, problem_of

_REQUIRED_OBJECTS: Mapping[str, Any] = {"acme": {}, "dns": {}, "hosts": [{}]}
"""Read as empty when not set, so that the keys missing in them are named, not only the object."""

_SCALARS = frozenset({"kubeconfig", "context", "challenge", "protect"})


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
    problems += cross_checks(raw)
    if not config.get("gcp:project"):
        problems.append(
            Problem("gcp:project", "", "the project of the DNS zone", "pulumi config set gcp:project your-project")
        )
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


def _validate(raw: Mapping[str, Any], secret: set[str]) -> tuple[Settings | None, list[Problem]]:
    try:
        return Settings.model_validate(raw), []
    except ValidationError as failure:
        return None, [
            problem_of(error, Settings, secret=str(error["loc"][0]) in secret)
            for error in failure.errors(include_url=False, include_context=False)
        ]
