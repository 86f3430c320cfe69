"""An environment that nothing runs for."""

from typing import Any

from tests.unit import certificates
from tlsctl.verify.environment import Environment, environments

SHOP = certificates.NAME
SECRET = "istio-ingressgateway-certs"
IP = "203.0.113.10"

PROD = {"email": "platform@acme.dev", "issuer": "prod"}
"""HSTS is for trusted certificates only."""

_PREFIX = "istio-gateway-tls:"
_HOST = {"host": SHOP, "service": "shop", "namespace": "shop", "port": 80}


def hosts(*names: str) -> list[dict[str, Any]]:
    """The config of hosts of one application."""
    return [{**_HOST, "host": name} for name in names]


def config(**changes: Any) -> dict[str, Any]:
    """What `pulumi config --json` prints."""
    objects = {
        "acme": {"email": "platform@acme.dev", "issuer": "staging"},
        "dns": {"zone": "acme"},
        "hosts": [_HOST],
        **changes,
    }
    return {"gcp:project": {"value": "acme"}} | {
        _PREFIX + key: {"value": value} if isinstance(value, str) else {"objectValue": value}
        for key, value in objects.items()
    }


def state(kubeconfig: Any = None, **outputs: Any) -> dict[str, Any]:
    """What `pulumi stack export` prints."""
    live = {"ingressIp": IP, "issuer": "letsencrypt-staging-istio", "dnsRecords": {SHOP: IP}, **outputs}
    urn = "urn:pulumi:dev::istio-gateway-tls::"
    root = {"type": "pulumi:pulumi:Stack", "urn": f"{urn}pulumi:pulumi:Stack::istio-gateway-tls-dev", "outputs": live}
    provider = {"type": "pulumi:providers:kubernetes", "urn": f"{urn}x::cluster", "inputs": {"kubeconfig": kubeconfig}}
    return {"deployment": {"resources": [root, provider]}}


def deployed(**changes: Any) -> Environment:
    """A stack with one host and these changes of its config."""
    records = {host["host"]: IP for host in changes.get("hosts", [_HOST])}
    return environments(state(dnsRecords=records), config(**changes), "dev")[0]
