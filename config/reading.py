"""Reads a stack's settings, from the engine's config or from what `pulumi config` prints."""

from collections.abc import Mapping, Set
from typing import Any

from config.checks import cross_checks
from config.decoding import decode
from config.models import Settings
from config.production import PROJECT


def read_settings(config: Mapping[str, Any], stack: str, *, secret: Set[str] = frozenset()) -> Settings:
    """Return the settings of a stack, from its config by full keys, of which the `secret` ones are encrypted.

    Raises:
        ProblemsError: with every problem of the config.
    """
    return decode(Settings, config, PROJECT, stack, secret=secret, cross_check=cross_checks)


def read_printed(printed: Mapping[str, Any], stack: str) -> Settings:
    """Return the settings of a stack from its config as `pulumi config --json --show-secrets` prints it.

    Raises:
        ProblemsError: with every problem of the config.
    """
    config = {key: entry.get("objectValue", entry.get("value")) for key, entry in printed.items()}
    secret = {key for key, entry in printed.items() if entry.get("secret")}
    return read_settings(config, stack, secret=secret)
