"""The stack config, as far as policies need it.

The engine passes the config to a policy pack as it does to a program: in the environment variable PULUMI_CONFIG. A
stack of another Pulumi project sets the same keys (`pulumi config set istio-gateway-tls:production true`).
"""

import json
from collections.abc import Mapping
from typing import Any

from components.engine import policy_config
from components.specs import names
from components.specs.istio import NAMESPACE, SELECTOR
from config.production import PROJECT, is_production


def in_production() -> bool:
    """Tell whether the config marks the stack as production."""
    return is_production(policy_config())


def default_project() -> str:
    """Return the project of Google Cloud that resources without one belong to, empty if the config has none."""
    return str(policy_config().get("gcp:project", ""))


def acme_servers() -> Mapping[str, str]:
    """Return the configured ACME directories by environment, empty for Let's Encrypt's."""
    servers = _value("acme").get("servers")
    return servers if isinstance(servers, dict) else {}


def selectors() -> list[Mapping[str, str]]:
    """Return the Pod labels of each of the stack's ingress gateways."""
    return [_selector(ingress) for ingress in _ingresses()]


def _selector(ingress: Mapping[str, Any]) -> Mapping[str, str]:
    """Return the labels of a gateway's Pods, by the same defaults as in the settings."""
    selector = ingress.get("selector")
    if selector and isinstance(selector, dict):
        return selector
    managed = ingress.get("deployment") == "managed" and ingress.get("service")
    return {"istio": str(ingress["service"])} if managed else SELECTOR


def namespaces() -> set[str]:
    """Return the namespaces of the stack's ingress gateways, and of their control planes."""
    return {str(ingress.get(key) or NAMESPACE) for ingress in _ingresses() for key in ("namespace", "controlPlane")}


def routes_from() -> set[str]:
    """Return the namespaces that the config lets add routes to its gateways."""
    listed = [ingress.get("routesFrom") for ingress in _ingresses()]
    return {str(namespace) for namespaces in listed if isinstance(namespaces, list) for namespace in namespaces}


def owners() -> Mapping[str, str]:
    """Return the namespace that owns a host, for each host that has an owner."""
    gateways = [gateway for gateway in _value("gateways", list) if isinstance(gateway, dict)]
    sections = [_value("hosts", list), *(gateway.get("hosts") for gateway in gateways)]
    hosts = [host for section in sections if isinstance(section, list) for host in section if isinstance(host, dict)]
    return {_normalised(host): str(host["owner"]) for host in hosts if host.get("host") and host.get("owner")}


def _normalised(host: Mapping[str, Any]) -> str:
    """Return a host's name as objects have it."""
    try:
        return names.dns_name(str(host["host"]))
    except ValueError:
        return ""  # the settings refuse it


def zones() -> set[tuple[str, str]]:
    """Return name and project of each managed zone that the config names for hosts."""
    gateways = [gateway for gateway in _value("gateways", list) if isinstance(gateway, dict)]
    sections = [dns for dns in (_value("dns"), *(gateway.get("dns") for gateway in gateways)) if isinstance(dns, dict)]
    more = [zone for dns in sections if isinstance(dns.get("zones"), list) for zone in dns["zones"]]
    return {
        (str(section["zone"]), str(section.get("project") or default_project()))
        for section in (*sections, *more)
        if isinstance(section, dict) and section.get("zone")
    }


def _ingresses() -> list[Mapping[str, Any]]:
    gateways = [gateway for gateway in _value("gateways", list) if isinstance(gateway, dict)]
    ingresses = [_value("ingress"), *(gateway.get("ingress") for gateway in gateways)]
    return [ingress for ingress in ingresses if isinstance(ingress, dict)]


def _value(key: str, kind: type[Any] = dict) -> Any:
    """Return an object or a list of the config, empty if malformed: the settings refuse that."""
    try:
        value = json.loads(policy_config().get(f"{PROJECT}:{key}") or "null")
    except (ValueError, RecursionError):
        value = None
    return value if isinstance(value, kind) else kind()
