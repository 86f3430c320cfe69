"""A wildcard and an exact host with certificates of their own: a browser asks for both over one connection (HTTP/2).

The Gateway and the routes are the component's specs. The certificates are made here, since HTTP-01 proves no wildcard.
"""

import base64
import datetime
import socket
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from components.specs import istio, names
from sandbox.testing import client, eventually, kubectl, live
from tlsctl.verify.client import Answer, http2
from tlsctl.verify.coalescing import ask
from tlsctl.verify.requests import Probe

pytestmark = pytest.mark.sandbox

ISTIO = "istio-system"
# Istio takes the older VirtualService first, and of one second that whose name comes first: here it is the wildcard's.
WILDCARD, EXACT, WWW = "*.many.sandbox.test", "own.many.sandbox.test", "www.many.sandbox.test"
GATEWAY = "tls-many"
SHOP = {"path": "/", "service": "shop", "namespace": "shop", "port": 80}
SERVED: list[dict[str, Any]] = [
    {"host": WILDCARD, "routes": [SHOP], "response_headers": {"x-served": "wildcard"}},
    {"host": EXACT, "routes": [SHOP], "response_headers": {"x-served": "exact"}},
    {"host": WWW, "redirect_to": EXACT},
]


def secret(name: str, host: str) -> dict[str, Any]:
    """A TLS Secret with a certificate that is signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "many")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5)).not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    plain = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    data = {"tls.crt": certificate.public_bytes(serialization.Encoding.PEM), "tls.key": key.private_bytes(*plain)}
    encoded = {entry: base64.b64encode(pem).decode() for entry, pem in data.items()}
    metadata = {"name": name, "namespace": ISTIO}
    return {"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls", "metadata": metadata, "data": encoded}


def of_istio(kind: str, name: str, spec: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": ISTIO}
    return {"apiVersion": "networking.istio.io/v1", "kind": kind, "metadata": metadata, "spec": spec}


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """The gateway's, once it serves the hosts, each with a certificate of its own."""
    credentials = [(f"many-{number}", [each["host"]]) for number, each in enumerate(SERVED)]
    gateway = of_istio("Gateway", GATEWAY, istio.tls_gateway_spec(istio.SELECTOR, credentials, "1.3", []))
    services = [
        of_istio(
            "VirtualService",
            names.object_name(each["host"]),
            istio.virtual_service_spec(f"{ISTIO}/{GATEWAY}", each, others=[host["host"] for host in SERVED]),
        )
        for each in SERVED
    ]
    items = [*(secret(name, host) for name, (host,) in credentials), gateway, *services]
    manifest = {"apiVersion": "v1", "kind": "List", "items": items}
    ip = str(live("service", "istio-ingressgateway", ISTIO)["status"]["loadBalancer"]["ingress"][0]["ip"])
    kubectl("apply", manifest=manifest)
    try:
        for host in (EXACT, WWW, "other.many.sandbox.test"):
            eventually(f"the gateway answers for {host}", lambda host=host: answered(ip, host, host))  # type: ignore[misc]
        yield ip
    finally:
        kubectl("delete", manifest=manifest)


def answered(ip: str, via: str, host: str) -> Answer | None:
    """The answer for a host over the connection that was made for another; None without a connection."""
    try:
        plain = socket.create_connection((ip, 443), client.TIMEOUT)
        with closing(http2().wrap_socket(plain, server_hostname=via)) as connection:
            assert connection.selected_alpn_protocol() == "h2", "browsers are offered HTTP/2"
            return ask(connection, {host: Probe("/")})[host]
    except OSError:
        return None


def test_a_name_of_the_wildcard_is_answered_by_its_own_routes_over_the_wildcards_connection(address: str) -> None:
    for via in ("other.many.sandbox.test", EXACT):
        answer = answered(address, via, EXACT)
        assert answer is not None
        assert (answer.status, answer.headers.get("x-served")) == (200, "exact"), f"over the connection of {via}"


def test_another_name_is_the_wildcards(address: str) -> None:
    answer = answered(address, "some.many.sandbox.test", "other.many.sandbox.test")
    assert answer is not None
    assert (answer.status, answer.headers.get("x-served")) == (200, "wildcard")


def test_a_redirect_is_a_redirect_over_the_wildcards_connection_too(address: str) -> None:
    for via in ("other.many.sandbox.test", WWW):
        answer = answered(address, via, WWW)
        assert answer is not None
        assert (answer.status, answer.headers.get("location")) == (301, f"https://{EXACT}/"), f"over {via}"
