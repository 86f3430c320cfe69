"""What the policies know of the stack's config.

The engine hands the whole config to a policy pack, in the environment variable PULUMI_CONFIG, as it does to a program.
A stack of another Pulumi project sets the same keys (`pulumi config set istio-gateway-tls:production true`).
"""

import json
from collections.abc import Mapping
from typing import Any

from pulumi.runtime import get_config_env

from components.specs.istio import SELECTOR
from config.production import PROJECT, is_production


def in_production() -> bool:
    """Tell whether the config says that the stack is production."""
    return is_production(get_config_env())


def acme_servers() -> Mapping[str, str]:
    """Return the ACME directories that the config names, by environment; none where they are Let's Encrypt's."""
    servers = _value("acme").get("servers")
    return servers if isinstance(servers, dict) else {}


def selectors() -> list[Mapping[str, str]]:
    """Return the labels of the Pods of each of the stack's ingress gateways."""
    others = _value("gateways", list)
    ingresses = [_value("ingress"), *(each.get("ingress") for each in others if isinstance(each, dict))]
    given = [each.get("selector") for each in ingresses if isinstance(each, dict)]
    # A gateway that names none has the default's, as the settings have it.
    return [each if each and isinstance(each, dict) else SELECTOR for each in given]


def _value(key: str, kind: type[Any] = dict) -> Any:
    """Return an object or a list of the config; what is neither is left to the settings to refuse."""
    try:
        value = json.loads(get_config_env().get(f"{PROJECT}:{key}") or "null")
    except json.JSONDecodeError:
        value = None
    return value if isinstance(value, kind) else kind()
