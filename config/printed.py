"""A stack's config as `pulumi config --json --show-secrets` prints it, for the commands of an operator."""

from collections.abc import Mapping
from typing import Any

from config.production import PROJECT

from .crosschecks import cross_checks
from .decoding import decode
from .models import Settings


def read(config: Mapping[str, Any], stack: str) -> Settings:
    """Return the settings.

    Args:
        config: by full keys, each an object with its value.
        stack: the stack's short name, for the report.

    Raises:
        ProblemsError: with every problem of the config.
    """
    values = {key: each.get("objectValue", each.get("value")) for key, each in config.items()}
    secret = {key for key, each in config.items() if each.get("secret")}
    return decode(Settings, values, PROJECT, stack, secret=secret, cross_check=cross_checks)
