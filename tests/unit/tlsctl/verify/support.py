"""An environment that nothing runs for, and certificates made for it."""

import datetime
from collections.abc import Sequence
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from tlsctl.verify.environment import Environment, environments

SHOP = "shop.acme.dev"
SECRET = "istio-ingressgateway-certs"
IP = "203.0.113.10"
BEGIN = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
LIFETIME = datetime.timedelta(days=90)

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


def certificate(
    names: Sequence[str] = (SHOP,),
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | None = None,
    lifetime: datetime.timedelta = LIFETIME,
    begin: datetime.datetime = BEGIN,
) -> x509.Certificate:
    """A certificate for these names, signed by itself."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, SHOP)])
    builder = (
        x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
        .serial_number(1).not_valid_before(begin).not_valid_after(begin + lifetime)
    )  # fmt: skip
    if names:
        alternative = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
        builder = builder.add_extension(alternative, critical=False)
    return builder.sign(key, hashes.SHA256())
