"""A cluster and a zone as a team has them that followed the ten steps by hand."""

from typing import Any

from tlsctl.adopt.decisions import Decision
from tlsctl.adopt.objects import Inventory

ISTIO = "istio-system"
SHOP = "shop.acme.dev"
ADDRESS = "203.0.113.10"
CERTIFICATE = "istio-ingressgateway-certs"
PROD = "https://acme-v02.api.letsencrypt.org/directory"
STAGING = "https://acme-staging-v02.api.letsencrypt.org/directory"


def obj(kind: str, name: str, spec: Any = None, namespace: str | None = ISTIO, **metadata: Any) -> dict[str, Any]:
    """An object of the cluster."""
    where = {"namespace": namespace} if namespace else {}
    return {"kind": kind, "metadata": {"name": name, **where, **metadata}, "spec": {} if spec is None else spec}


def issuer(environment: str = "prod", **spec: Any) -> dict[str, Any]:
    name = f"letsencrypt-{environment}-istio"
    full = {
        "server": {"prod": PROD, "staging": STAGING}.get(environment, ""),
        "email": "platform@acme.dev",
        "privateKeySecretRef": {"name": name},
        "solvers": [{"http01": {"ingress": {"class": "istio"}}}],
        **spec,
    }
    return obj("ClusterIssuer", name, {"acme": full}, namespace=None)


def certificate(name: str = CERTIFICATE, *hosts: str, **spec: Any) -> dict[str, Any]:
    full = {
        "secretName": name,
        "issuerRef": {"name": "letsencrypt-prod-istio", "kind": "ClusterIssuer"},
        "dnsNames": list(hosts or (SHOP,)),
        **spec,
    }
    return obj("Certificate", name, full)


def gateway(name: str = "shop-gateway", *hosts: str, secret: str = CERTIFICATE, **tls: Any) -> dict[str, Any]:
    """One Gateway with both ports."""
    names = list(hosts or (SHOP,))
    servers = [
        {"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": names},
        {
            "port": {"number": 443, "name": "https", "protocol": "HTTPS"},
            "hosts": names,
            "tls": {"mode": "SIMPLE", "credentialName": secret, **tls},
        },
    ]
    return obj("Gateway", name, {"selector": {"istio": "ingressgateway"}, "servers": servers})


def route(name: str = "shop", *hosts: str, on: str = "shop-gateway", **item: Any) -> dict[str, Any]:
    """A VirtualService."""
    destination = {"host": "shop.shop.svc.cluster.local", "port": {"number": 80}}
    http = [{"match": [{"uri": {"prefix": "/"}}], "route": [{"destination": destination}], **item}]
    return obj("VirtualService", name, {"hosts": list(hosts or (SHOP,)), "gateways": [on], "http": http})


def record(host: str = SHOP, address: str = ADDRESS, **more: Any) -> dict[str, Any]:
    return {"name": f"{host}.", "type": "A", "ttl": 60, "rrdatas": [address], **more}


def service(**spec: Any) -> dict[str, Any]:
    full = {"type": "LoadBalancer", "selector": {"istio": "ingressgateway"}, **spec}
    return obj("Service", "istio-ingressgateway", full) | {"status": {"loadBalancer": {"ingress": [{"ip": ADDRESS}]}}}


def controller(version: str = "v1.21.2", **labels: str) -> dict[str, Any]:
    named = {"app.kubernetes.io/name": "cert-manager", "app.kubernetes.io/component": "controller", **labels}
    containers = [{"image": f"quay.io/jetstack/cert-manager-controller:{version}"}]
    spec = {"template": {"spec": {"containers": containers}}}
    return obj("Deployment", "cert-manager", spec, namespace="cert-manager", labels=named)


def inventory(**changed: Any) -> Inventory:
    """The ten steps: cert-manager by its manifest, one Gateway with both ports, one route, one record."""
    fields: dict[str, Any] = {
        "issuers": [issuer("prod"), issuer("staging")],
        "certificates": [certificate()],
        "gateways": [gateway()],
        "virtual_services": [route()],
        "services": [service()],
        "deployments": [controller()],
        "zone": "acme",
        "domain": "acme.dev",
        "project": "project",
        "record_sets": [record()],
    }
    return Inventory(**{**fields, **changed})


def hosts(decision: Decision) -> list[str]:
    return [host["host"] for host in decision.config["hosts"]]


def commands(decision: Decision) -> list[str]:
    """The commands to run after the `up`."""
    return [command for problem in decision.after for command in problem.fix]


def notes(decision: Decision) -> str:
    return "\n".join(f"{note.where} {note.what} {note.fix}" for note in decision.notes)
