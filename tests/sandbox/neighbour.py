"""Another team of the cluster: what it may do, and what it does to the hosts of a stack."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sandbox.testing import applied, delete, kubectl, resource
from sandbox.testing.cluster import Object

NAMESPACE = "neighbour"
WHO = f"--as=system:serviceaccount:{NAMESPACE}:team"
SELECTOR = {"istio": "ingressgateway"}
ROUTES = "networking.istio.io/v1"
MAY = {
    "networking.istio.io": ["gateways", "virtualservices"],
    "networking.k8s.io": ["ingresses"],
    "cert-manager.io": ["certificates", "issuers"],
    "": ["secrets", "pods", "services"],
}
"""What it may create in its own namespace, by API group; it may do nothing anywhere else."""


@contextmanager
def moved_in() -> Iterator[None]:
    """Have another team in the cluster while the block runs."""
    rbac = "rbac.authorization.k8s.io"
    rules = [{"apiGroups": [group], "resources": kinds, "verbs": ["*"]} for group, kinds in MAY.items()]
    role = {"apiGroup": rbac, "kind": "Role", "name": "team"}
    subjects = [{"kind": "ServiceAccount", "name": "team", "namespace": NAMESPACE}]
    with applied(
        resource("v1", "Namespace", NAMESPACE),
        resource(f"{rbac}/v1", "Role", "team", NAMESPACE, rules=rules),
        resource(f"{rbac}/v1", "RoleBinding", "team", NAMESPACE, roleRef=role, subjects=subjects),
    ):
        yield


@contextmanager
def making(*manifests: Object) -> Iterator[None]:
    """Have the team apply objects while the block runs.

    Raises:
        AssertionError: The API server refuses them; the message is its reason.
    """
    try:
        kubectl("apply", WHO, manifest=list(manifests))
        yield
    finally:
        delete(*reversed(manifests))


def route(host: str, *gateways: str, path: str = "", namespace: str = NAMESPACE) -> Object:
    """A VirtualService that answers a host's requests, those of one path only if there is one."""
    answer: dict[str, Any] = {"directResponse": {"status": 200, "body": {"string": namespace}}}
    if path:
        answer["match"] = [{"uri": {"exact": path}}]
    spec = {"hosts": [host], "gateways": list(gateways), "http": [answer]}
    return resource(ROUTES, "VirtualService", "route", namespace, spec=spec)


def gateway(*hosts: str, port: int = 443, credential: str = "", **fields: Any) -> Object:
    """A Gateway for the ingress gateway's Pods, with a certificate unless it is for port 80."""
    server: dict[str, Any] = {"port": {"number": port, "name": "http", "protocol": "HTTP"}, "hosts": list(hosts)}
    if credential:
        server["port"] |= {"name": "https", "protocol": "HTTPS"}
        server["tls"] = {"mode": "SIMPLE", "credentialName": credential}
    return resource(ROUTES, "Gateway", "gateway", NAMESPACE, spec={"selector": SELECTOR, "servers": [server], **fields})
