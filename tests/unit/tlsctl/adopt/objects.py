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


def api_gateway(
    name: str = "shop-gateway", *hosts: str, routes: str = "Same", namespace: str = ISTIO, own_pods: bool = False
) -> dict[str, Any]:
    """A Gateway of the Gateway API as ingress2gateway prints it: two listeners for each host, `*` for all hosts."""
    listeners = []
    for host in hosts or (SHOP,):
        common: dict[str, Any] = {"allowedRoutes": {"namespaces": {"from": routes}}}
        if host != "*":
            common["hostname"] = host
        tls = {"mode": "Terminate", "certificateRefs": [{"kind": "Secret", "name": CERTIFICATE}]}
        listeners += [
            {"name": f"{host}-http", "port": 80, "protocol": "HTTP", **common},
            {"name": f"{host}-https", "port": 443, "protocol": "HTTPS", "tls": tls, **common},
        ]
    spec: dict[str, Any] = {"gatewayClassName": "istio", "listeners": listeners}
    if not own_pods:
        spec["addresses"] = [{"type": "Hostname", "value": f"istio-ingressgateway.{ISTIO}.svc.cluster.local"}]
    return obj("Gateway", name, spec, namespace)


def api_route(
    name: str = "shop",
    *hosts: str,
    on: str = "shop-gateway",
    namespace: str = ISTIO,
    section: str = "",
    match: Any = None,
    **rule: Any,
) -> dict[str, Any]:
    """An HTTPRoute."""
    parent = {"name": on, **({"sectionName": section} if section else {})}
    backend = {"name": "shop", "namespace": "shop", "port": 80}
    matches = [{"path": {"type": "PathPrefix", "value": "/"}} if match is None else match]
    rules = [{"matches": matches, "backendRefs": [backend], **rule}]
    return obj(
        "HTTPRoute", name, {"parentRefs": [parent], "hostnames": list(hosts or (SHOP,)), "rules": rules}, namespace
    )


def redirect(name: str = "redirect", **more: Any) -> dict[str, Any]:
    """An HTTPRoute that redirects to HTTPS."""
    to_https = {"type": "RequestRedirect", "requestRedirect": {"scheme": "https", "statusCode": 301}}
    made = api_route(name, **more)
    made["spec"]["rules"] = [{"filters": [to_https]}]
    return made


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


def in_gateway_api(*gateways: Any, **changed: Any) -> Inventory:
    """The same in the Gateway API."""
    fields: dict[str, Any] = {"http_routes": [api_route()], **changed}
    return inventory(gateways=[], virtual_services=[], api_gateways=list(gateways or [api_gateway()]), **fields)


def hosts(decision: Decision) -> list[str]:
    return [host["host"] for host in decision.config["hosts"]]


def commands(decision: Decision) -> list[str]:
    """The commands to run after the `up`."""
    return [command for problem in decision.after for command in problem.fix]


def notes(decision: Decision) -> str:
    return "\n".join(f"{note.where} {note.what} {note.fix}" for note in decision.notes)
