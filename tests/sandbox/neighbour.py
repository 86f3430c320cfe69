"""Another team of the cluster: what it may do, and what it makes to reach the hosts of a stack."""

import base64
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sandbox.testing import ISTIO, applied, delete, kubectl, resource
from sandbox.testing.cluster import Object
from tests.sandbox.by_hand import CONFIG
from tests.sandbox.stack import PREFIX

NAMESPACE = "neighbour"
AS_TEAM = f"--as=system:serviceaccount:{NAMESPACE}:team"
ISTIO_API = "networking.istio.io/v1"
GATEWAY_API = "gateway.networking.k8s.io/v1"
SERVICE = f"istio-ingressgateway.{ISTIO}.svc.cluster.local"
"""The ingress gateway's."""
MAY = {
    "networking.istio.io": ["gateways", "virtualservices"],
    "networking.k8s.io": ["ingresses"],
    "gateway.networking.k8s.io": ["gateways", "httproutes"],
    "cert-manager.io": ["certificates", "issuers"],
    "": ["secrets", "pods"],
}
"""What the team may make, by API group, in its own namespace. It may do nothing anywhere else."""

Making = Object | list[Object]


@contextmanager
def moved_in() -> Iterator[None]:
    """Have the team in the cluster while the block runs, with its rights and a Service."""
    rbac = "rbac.authorization.k8s.io"
    rules = [{"apiGroups": [group], "resources": kinds, "verbs": ["*"]} for group, kinds in MAY.items()]
    with applied(
        resource("v1", "Namespace", NAMESPACE),
        resource(f"{rbac}/v1", "Role", "team", NAMESPACE, rules=rules),
        resource(
            f"{rbac}/v1", "RoleBinding", "team", NAMESPACE,
            roleRef={"apiGroup": rbac, "kind": "Role", "name": "team"},
            subjects=[{"kind": "ServiceAccount", "name": "team", "namespace": NAMESPACE}],
        ),
        resource("v1", "Service", "web", NAMESPACE, spec={"ports": [{"port": 80}], "selector": {"app": "web"}}),
    ):  # fmt: skip
        yield


@contextmanager
def making(*manifests: Object) -> Iterator[None]:
    """Have the team make objects while the block runs.

    Raises:
        AssertionError: The API server refuses one; the message is its reason.
    """
    try:
        kubectl("apply", AS_TEAM, manifest=list(manifests))
        yield
    finally:
        delete(*reversed(manifests))


def route(host: str, *gateways: str, path: str = "", namespace: str = NAMESPACE, **fields: Any) -> Object:
    """A VirtualService that answers requests for a host with a team's name, those of one path if there is one."""
    answer: dict[str, Any] = {"directResponse": {"status": 200, "body": {"string": namespace}}}
    if path:
        answer["match"] = [{"uri": {"exact": path}}]
    spec = {"hosts": [host], "gateways": list(gateways), "http": [answer], **fields}
    return resource(ISTIO_API, "VirtualService", "route", namespace, spec=spec)


def gateway(*hosts: str, credential: str = "", annotations: Mapping[str, str] | None = None, **fields: Any) -> Object:
    """A Gateway for the ingress gateway's Pods: on port 443 with a Secret, else on port 80."""
    server: dict[str, Any] = {"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": list(hosts)}
    if credential:
        server["port"] = {"number": 443, "name": "https", "protocol": "HTTPS"}
        server["tls"] = {"mode": "SIMPLE", "credentialName": credential}
    spec = {"selector": {"istio": "ingressgateway"}, "servers": [server], **fields}
    made = resource(ISTIO_API, "Gateway", "gateway", NAMESPACE, spec=spec)
    made["metadata"]["annotations"] = dict(annotations or {})
    return made


def gateway_api_gateway(host: str, credential: str = "own") -> Object:
    """A Gateway of the Gateway API at the ingress gateway's Service, with a Secret of that namespace on port 443."""
    tls = {"certificateRefs": [{"name": credential, "namespace": ISTIO}]}
    listeners = [
        {"name": "http", "hostname": host, "port": 80, "protocol": "HTTP"},
        {"name": "https", "hostname": host, "port": 443, "protocol": "HTTPS", "tls": tls},
    ]
    addresses = [{"type": "Hostname", "value": SERVICE}]
    spec = {"gatewayClassName": "istio", "addresses": addresses, "listeners": listeners}
    return resource(GATEWAY_API, "Gateway", "gateway", NAMESPACE, spec=spec)


def http_route(host: str, *gateways: str, path: str = "/", namespace: str = NAMESPACE) -> Object:
    """An HTTPRoute that leads from a path of a host to a name of a team's; each Gateway is NAMESPACE/NAME."""
    places = (gateway.split("/") for gateway in gateways)
    parents = [{"name": name, "namespace": place} for place, name in places]
    redirect = {"type": "RequestRedirect", "requestRedirect": {"hostname": f"{namespace}.test"}}
    rule = {"matches": [{"path": {"type": "PathPrefix", "value": path}}], "filters": [redirect]}
    spec = {"parentRefs": parents, "hostnames": [host], "rules": [rule]}
    return resource(GATEWAY_API, "HTTPRoute", "route", namespace, spec=spec)


def ingress(host: str, path: str = "/", **fields: Any) -> Object:
    """An Ingress of Istio's class that leads to the team's Service, which has no Pod: Envoy answers 503."""
    backend = {"service": {"name": "web", "port": {"number": 80}}}
    paths = [{"path": path, "pathType": "Exact", "backend": backend}]
    spec = {"rules": [{"host": host, "http": {"paths": paths}}], **fields}
    made = resource("networking.k8s.io/v1", "Ingress", "ingress", NAMESPACE, spec=spec)
    made["metadata"]["annotations"] = {"kubernetes.io/ingress.class": "istio"}
    return made


def own_certificate(host: str, name: str) -> list[Object]:
    """An Issuer of the team's own, with an ACME account of its own, and a Certificate for a host.

    cert-manager leaves the Certificate's Secret, of the same name: with it, another Certificate would be Ready at once.
    """
    acme = CONFIG[f"{PREFIX}acme"]
    spec = {
        "server": acme["servers"]["staging"],
        "profile": acme["profile"],
        "caBundle": base64.b64encode(acme["caBundle"].encode()).decode(),
        "privateKeySecretRef": {"name": "account"},
        "solvers": [{"http01": {"ingress": {"class": "istio"}}}],
    }
    request = {"secretName": name, "dnsNames": [host], "issuerRef": {"name": "own", "kind": "Issuer"}}
    return [
        resource("cert-manager.io/v1", "Issuer", "own", NAMESPACE, spec={"acme": spec}),
        resource("cert-manager.io/v1", "Certificate", name, NAMESPACE, spec=request),
    ]
