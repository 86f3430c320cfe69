"""Many hosts that are served by certificates of a CA made here; run inside a sandbox.

They are real to Istio and DNS: Gateways, VirtualServices, Secrets and records as the program makes them. Their
certificates come from a CA of the benchmark's own, not from the ACME server, so that a thousand take a minute. There
are no Certificates.
"""

import base64
import ssl
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from components.specs import acme, istio, names
from config.decoding import decode
from config.models import Settings
from sandbox import pki
from sandbox.testing import ISTIO, ZONES, client, cloud_dns, eventually, ingress_address, kubectl, resource
from sandbox.testing.cluster import Object
from tests.bench.conftest import hosts
from tlsctl.verify.environment import Environment

STACK = "bench"
_READY = 300.0
"""Seconds for kubectl to make all objects, and for the last host to be served."""
_LABEL = {"bench": "verify"}


class Authority:
    """A CA of the benchmark's own."""

    def __init__(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            self._authority = pki.Authority.create(Path(folder), "the benchmark's root")
            self.root = (Path(folder) / "ca.crt").read_bytes()

    def secret(self, name: str, served: Sequence[str]) -> Object:
        """Return a Secret with a certificate for these hosts."""
        with tempfile.TemporaryDirectory() as folder:
            pki.Authority(self._authority.certificate, self._authority.key, Path(folder)).issue(
                "tls", name, sans=served
            )
            files = {entry: (Path(folder) / entry).read_bytes() for entry in ("tls.crt", "tls.key")}
        data = {entry: base64.b64encode(content).decode() for entry, content in files.items()}
        return _labelled(resource("v1", "Secret", name, ISTIO, type="kubernetes.io/tls", data=data))


def stack(number: int, grouping: str) -> Environment:
    """Return a stack with so many hosts."""
    config = {
        "gcp:project": "sandbox",
        "bench:acme": {"email": "bench@sandbox.test", "issuer": acme.STAGING},
        "bench:dns": {"zone": "sandbox"},
        "bench:hosts": hosts(number),
        "bench:certificate": {"grouping": grouping, "secretName": STACK},
    }
    address = ingress_address()
    assert address, "the ingress gateway has an address"
    return Environment(STACK, address, acme.issuer_name(acme.STAGING), decode(Settings, config, STACK, STACK))


def objects(environment: Environment, authority: Authority) -> list[Object]:
    """Return the objects that serve the hosts, as the program makes them."""
    settings, served = environment.settings, list(environment.hosts)
    selector, credentials = settings.ingress.selector, list(environment.certificates.items())
    http, tls = istio.http_gateway_name(STACK), istio.tls_gateway_name(STACK)
    port_443 = istio.tls_gateway_spec(selector, credentials, settings.tls.min_version, settings.tls.cipher_suites)

    def of_istio(kind: str, name: str, spec: object) -> Object:
        return _labelled(resource("networking.istio.io/v1", kind, name, ISTIO, spec=spec))

    return [
        *(authority.secret(name, covered) for name, covered in credentials),
        of_istio("Gateway", http, istio.http_gateway_spec(selector, served)),
        of_istio("Gateway", tls, port_443),
        of_istio("VirtualService", http, istio.redirect_spec(f"{ISTIO}/{http}", served)),
        *(
            of_istio(
                "VirtualService",
                names.object_name(host.host),
                istio.virtual_service_spec(f"{ISTIO}/{tls}", host.served),
            )
            for host in settings.hosts
        ),
    ]


def _labelled(obj: Object) -> Object:
    obj["metadata"]["labels"] = _LABEL
    return obj


@contextmanager
def served(environment: Environment, authority: Authority) -> Iterator[None]:
    """Serve the hosts while the block runs."""
    records = [{"name": f"{host}.", "type": "A", "ttl": 60, "rrdatas": [environment.ip]} for host in environment.hosts]
    # Certificates of an earlier CA may be served for a moment.
    trust, last = ssl.create_default_context(cadata=authority.root.decode()), list(environment.hosts)[-1]
    try:
        cloud_dns("POST", "/sandbox/changes", {"additions": records}, below=ZONES)
        kubectl("create", manifest=objects(environment, authority), timeout=_READY)
        eventually(f"{last} is served", lambda: client.served(last, trust), _READY)
        yield
    finally:
        selector = "--selector=" + ",".join(f"{key}={value}" for key, value in _LABEL.items())
        kubectl(
            "delete",
            "gateways.networking.istio.io,virtualservices,secrets",
            "--namespace",
            ISTIO,
            selector,
            "--wait=false",
            timeout=_READY,
        )
        cloud_dns("POST", "/sandbox/changes", {"deletions": records}, below=ZONES)
