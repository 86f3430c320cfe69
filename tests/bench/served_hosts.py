"""Many hosts that are served by certificates of a CA made here; run inside a sandbox.

They are real to Istio and DNS: Gateways, VirtualServices, Secrets and records as the program makes them. Their
certificates come from a CA of the benchmark's own, not from the ACME server, so that a thousand are there in a minute.
There are no Certificates.
"""

import datetime
import http.client
import json
import socket
import ssl
import subprocess
import time
from base64 import b64encode
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from components.specs import acme, istio, names
from config.decoding import decode
from config.models import Settings
from tlsctl.verify.environment import Environment

STACK = "bench"
NAMESPACE, SERVICE = "istio-system", "istio-ingressgateway"
CHANGES = "/dns/v1/projects/sandbox/managedZones/sandbox/changes"
PEM = serialization.Encoding.PEM
READY = 300
"""Seconds for the last host to be served."""


class Authority:
    """A CA of the benchmark's own."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "the benchmark's root")])
        constraints = x509.BasicConstraints(ca=True, path_length=None)
        self.root = self._signed(self._name, self._key, (constraints, True)).public_bytes(PEM)

    def secret(self, name: str, hosts: Sequence[str]) -> dict[str, Any]:
        """Return a Secret with a certificate for these hosts."""
        key = ec.generate_private_key(ec.SECP256R1())
        alternative = x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts])
        leaf = self._signed(x509.Name([]), key, (alternative, True))
        private = key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        data = {"tls.crt": leaf.public_bytes(PEM), "tls.key": private}
        encoded = {entry: b64encode(each).decode() for entry, each in data.items()}
        return {**_object("v1", "Secret", name), "type": "kubernetes.io/tls", "data": encoded}

    def _signed(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, extension: tuple[x509.ExtensionType, bool]
    ) -> x509.Certificate:
        now = datetime.datetime.now(datetime.UTC)
        return (
            x509.CertificateBuilder().subject_name(subject).issuer_name(self._name).public_key(key.public_key())
            .serial_number(x509.random_serial_number()).add_extension(*extension)
            .not_valid_before(now - datetime.timedelta(hours=1)).not_valid_after(now + datetime.timedelta(days=90))
            .sign(self._key, hashes.SHA256())
        )  # fmt: skip


def _object(api_version: str, kind: str, name: str, spec: Any = None) -> dict[str, Any]:
    metadata = {"name": name, "namespace": NAMESPACE, "labels": {"bench": "verify"}}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata} | ({"spec": spec} if spec else {})


def stack(number: int, grouping: str) -> Environment:
    """Return a stack with this many hosts."""
    hosts = [
        {"host": f"h{each}.sandbox.test", "service": "shop", "namespace": "shop", "port": 80} for each in range(number)
    ]
    config = {
        "gcp:project": "sandbox",
        "bench:acme": {"email": "bench@sandbox.test", "issuer": acme.STAGING},
        "bench:dns": {"zone": "sandbox"},
        "bench:hosts": hosts,
        "bench:certificate": {"grouping": grouping, "secretName": STACK},
    }
    address = _kubectl("get", "service", SERVICE, "--output=jsonpath={.status.loadBalancer.ingress[0].ip}")
    return Environment(STACK, address, acme.issuer_name(acme.STAGING), decode(Settings, config, STACK, STACK))


def objects(environment: Environment, authority: Authority) -> list[dict[str, Any]]:
    """Return what serves the hosts, as the program makes it."""
    settings, hosts = environment.settings, list(environment.hosts)
    selector, credentials = settings.ingress.selector, list(environment.certificates.items())
    http, tls = istio.http_gateway_name(STACK), istio.tls_gateway_name(STACK)
    version = "networking.istio.io/v1"
    port_443 = istio.tls_gateway_spec(selector, credentials, settings.tls.min_version, settings.tls.cipher_suites)
    return [
        *(authority.secret(name, covered) for name, covered in credentials),
        _object(version, "Gateway", http, istio.http_gateway_spec(selector, hosts)),
        _object(version, "Gateway", tls, port_443),
        _object(version, "VirtualService", http, istio.redirect_spec(f"{NAMESPACE}/{http}", hosts)),
        *(
            _object(
                version,
                "VirtualService",
                names.object_name(host.host),
                istio.virtual_service_spec(f"{NAMESPACE}/{tls}", host.served),
            )
            for host in settings.hosts
        ),
    ]


@contextmanager
def served(environment: Environment, authority: Authority) -> Iterator[None]:
    """Serve the hosts while the block runs."""
    records = [{"name": f"{host}.", "type": "A", "ttl": 60, "rrdatas": [environment.ip]} for host in environment.hosts]
    items = objects(environment, authority)
    try:
        _cloud_dns({"additions": records})
        _kubectl("create", "--filename=-", given={"apiVersion": "v1", "kind": "List", "items": items})
        _wait_for(list(environment.hosts)[-1], environment.ip, authority)
        yield
    finally:
        _kubectl("delete", "gateways,virtualservices,secrets", "--selector=bench=verify", "--wait=false")
        _cloud_dns({"deletions": records})


def _wait_for(host: str, address: str, authority: Authority) -> None:
    # Those of an earlier CA may be served for a moment.
    context = ssl.create_default_context(cadata=authority.root.decode())
    deadline = time.monotonic() + READY
    while True:
        try:
            with context.wrap_socket(socket.create_connection((address, 443), 5), server_hostname=host):
                return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)


def _kubectl(*arguments: str, given: Any = None) -> str:
    done = subprocess.run(
        ["kubectl", "--namespace", NAMESPACE, *arguments], input=json.dumps(given) if given else None,
        capture_output=True, text=True, check=False, timeout=READY,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"kubectl {' '.join(arguments)}: {done.stderr}")
    return done.stdout


def _cloud_dns(change: Any) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", 8053, timeout=60)
    connection.request("POST", CHANGES, json.dumps(change), {"Content-Type": "application/json"})
    answer = connection.getresponse()
    if answer.status >= http.client.BAD_REQUEST:
        raise RuntimeError(answer.read().decode())
