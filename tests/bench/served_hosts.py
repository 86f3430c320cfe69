"""Many hosts that are served by certificates of a CA made here; run inside a sandbox.

They are real to Istio and DNS: Gateways and routes as a preview of the program plans them, Secrets and records. Their
certificates come from a CA of the benchmark's own, not from the ACME server, so that a thousand take a minute. There
are no Certificates.
"""

import base64
import ssl
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import yaml

from components.specs import acme
from config.decoding import decode
from config.models import Settings
from sandbox import pki
from sandbox.testing import ISTIO, ZONES, client, cloud_dns, eventually, ingress_address, kubectl, resource
from sandbox.testing.cluster import Object
from tests.bench.by_hand import SERVING
from tests.bench.flat_stack import planned, raw
from tests.sandbox.stack import PREFIX, Stack
from tlsctl.verify.environment import Environment

_READY = 300.0
"""Seconds for kubectl to make all objects, and for the last host to be served."""
_LABEL = {"bench": "verify"}
_KINDS = (
    "gateways.networking.istio.io,virtualservices",
    "gateways.gateway.networking.k8s.io,httproutes,referencegrants",
    "secrets",
)


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


@dataclass(frozen=True)
class ServedStack:
    """A stack whose hosts can be served without an `up`."""

    environment: Environment
    objects: list[Object]
    """Gateways and routes, as its preview plans them."""

    @classmethod
    def planned(cls, stack: Stack) -> Self:
        """Return a stack that is not applied."""
        address, config = ingress_address(), yaml.safe_load(stack.file.read_text())["config"]
        assert address, "the ingress gateway has an address"
        settings = decode(Settings, config, PREFIX.removesuffix(":"), stack.name)
        objects = [resource["inputs"] for resource in raw(planned(stack))]
        return cls(
            Environment(stack.name, address, acme.issuer_name(acme.STAGING), settings),
            [_labelled(obj) for obj in objects if obj.get("kind") in SERVING],
        )


def _labelled(obj: Object) -> Object:
    obj["metadata"]["labels"] = obj["metadata"].get("labels", {}) | _LABEL
    return obj


@contextmanager
def served(stack: ServedStack, authority: Authority) -> Iterator[None]:
    """Serve the hosts while the block runs."""
    environment = stack.environment
    secrets = [authority.secret(name, hosts) for name, hosts in environment.certificates.items()]
    records = [{"name": f"{host}.", "type": "A", "ttl": 60, "rrdatas": [environment.ip]} for host in environment.hosts]
    # Certificates of an earlier CA may be served for a moment.
    trust, last = ssl.create_default_context(cadata=authority.root.decode()), list(environment.hosts)[-1]
    try:
        cloud_dns("POST", "/sandbox/changes", {"additions": records}, below=ZONES)
        kubectl("create", manifest=[*secrets, *stack.objects], timeout=_READY)
        eventually(f"{last} is served", lambda: client.served(last, trust), _READY)
        yield
    finally:
        selector = "--selector=" + ",".join(f"{key}={value}" for key, value in _LABEL.items())
        where = ("--all-namespaces", selector, "--wait=false")
        for kinds in _KINDS:
            kubectl("delete", kinds, *where, timeout=_READY)
        cloud_dns("POST", "/sandbox/changes", {"deletions": records}, below=ZONES)
