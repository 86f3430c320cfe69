"""What the policies know of the stack's config.

The engine hands the whole config to a policy pack, in the environment variable PULUMI_CONFIG, as it does to a program.
A stack of another Pulumi project sets the same keys (`pulumi config set istio-gateway-tls:production true`).
"""

import json
from collections.abc import Mapping
from typing import Any

from pulumi.runtime import get_config_env

from components.rules.production import PROJECT, is_production
from components.rules.routes import SELECTOR


def in_production() -> bool:
    """Tell whether the config says that the stack is production."""
    return is_production(get_config_env())


def acme_servers() -> Mapping[str, str]:
    """Return the ACME directories that the config names, by environment; none where they are Let's Encrypt's."""
    servers = _value("acme").get("servers")
    return servers if isinstance(servers, dict) else {}


def selector() -> Mapping[str, str]:
    """Return the labels of the ingress gateway's Pods."""
    given = _value("ingress").get("selector")
    return given if given and isinstance(given, dict) else SELECTOR


def _value(key: str) -> Mapping[str, Any]:
    """Return an object of the config; what is no object is left to the settings to refuse."""
    try:
        value = json.loads(get_config_env().get(f"{PROJECT}:{key}") or "{}")
    except json.JSONDecodeError:
        return {}
    return value if isinstance(value, dict) else {}
