"""Which stacks are production: those whose config says so, whatever their names."""

from collections.abc import Mapping

PROJECT = "istio-gateway-tls"
"""The Pulumi project, and so the namespace of its config keys."""

KEY = "production"

_TRUE = {"1", "on", "t", "true", "y", "yes"}
"""As the settings read a boolean, in lower case."""


def is_production(config: Mapping[str, str]) -> bool:
    """Tell whether a stack's config, by its full keys, says that the stack is production."""
    return config.get(f"{PROJECT}:{KEY}", "").lower() in _TRUE
