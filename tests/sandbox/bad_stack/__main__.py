"""What a team might write for production without our settings and components: each resource breaks a policy.

Each is named after the policy that it breaks; one record breaks none, and is what another one strays from. Those whose
names end in `unknown` or `elsewhere` leave a policy something that it cannot judge.
"""

import json
from pathlib import Path
from typing import Any

import pulumi
import pulumi_gcp as gcp
import pulumi_kubernetes as kubernetes

KUBECONFIG = pulumi.Config().require("kubeconfig")
NAMESPACE = "istio-system"
TLS = {"mode": "SIMPLE", "credentialName": "issuer-fits-stack", "minProtocolVersion": "TLSV1_2"}
GATEWAYS = {"group": "gateway.networking.k8s.io", "kind": "Gateway"}
ROUTES = [{"route": [{"destination": {"host": "shop"}}]}]

cluster = kubernetes.Provider("cluster", kubeconfig=KUBECONFIG)
by_cluster = pulumi.ResourceOptions(provider=cluster)
protected = pulumi.ResourceOptions.merge(by_cluster, pulumi.ResourceOptions(protect=True))


def metadata(name: str, **more: Any) -> Any:
    return {"name": name.replace(".", "-"), "namespace": NAMESPACE, **more}


def custom(name: str, api_version: str, kind: str, spec: Any) -> None:
    kubernetes.apiextensions.CustomResource(
        name, api_version=api_version, kind=kind, metadata=metadata(name), spec=spec, opts=by_cluster
    )


def issuer(name: str, email: str) -> None:
    acme = {
        "email": email,
        "server": "https://acme-staging-v02.api.letsencrypt.org/directory",
        "privateKeySecretRef": {"name": f"{name}-account-key"},
        "solvers": [{"http01": {"ingress": {"class": "istio"}}}],
    }
    custom(name, "cert-manager.io/v1", "Issuer", {"acme": acme})


def certificate(name: str, *dns_names: str, secret: str = "") -> None:
    reference = {"group": "cert-manager.io", "kind": "Issuer", "name": "issuer-email-is-real"}
    spec = {"secretName": secret or name, "issuerRef": reference, "dnsNames": list(dns_names)}
    custom(name, "cert-manager.io/v1", "Certificate", spec)


def gateway(name: str, protocol: str, **tls: Any) -> None:
    port = {"number": 443 if protocol == "HTTPS" else 80, "name": protocol.lower(), "protocol": protocol}
    server = {"port": port, "hosts": ["shop.sandbox.test"], **({"tls": tls} if tls else {})}
    custom(name, "networking.istio.io/v1", "Gateway", {"selector": {"istio": "ingressgateway"}, "servers": [server]})


def virtual_service(name: str, *gateways: str) -> None:
    spec = {"hosts": ["shop.sandbox.test"], "gateways": list(gateways), "http": ROUTES}
    custom(name, "networking.istio.io/v1", "VirtualService", spec)


def ingress(name: str, annotation: str, value: str) -> None:
    kubernetes.networking.v1.Ingress(
        name,
        metadata=metadata(name, annotations={annotation: value}),
        spec={"default_backend": {"service": {"name": "shop", "port": {"number": 80}}}},
        opts=by_cluster,
    )


def release(name: str) -> None:
    kubernetes.helm.v3.Release(
        name, name=name, namespace="bad", chart=str(Path(__file__).parent / "cert-manager"), opts=protected
    )


def record(name: str, host: str, ttl: int) -> gcp.dns.RecordSet:
    return gcp.dns.RecordSet(name, name=host, type="A", ttl=ttl, managed_zone="sandbox", rrdatas=["203.0.113.10"])


issuer("issuer-email-is-real", email="platform@your-domain.com")
certificate("issuer-fits-stack", "shop.sandbox.test")
certificate("no-wildcard-with-http01", "*.sandbox.test")
certificate("one-certificate-per-secret", "shop.sandbox.test", secret="issuer-fits-stack")

gateway("plain", "HTTP")
virtual_service("no-plain-http", "mesh", "plain")
virtual_service("elsewhere", "platform/shared")
gateway("tls-1.2-or-later", "HTTPS", **{**TLS, "minProtocolVersion": "TLSV1_0"})
gateway("strong-cipher-suites", "HTTPS", **TLS, cipherSuites=["ECDHE-RSA-AES128-SHA"])
gateway("tls-ends-at-the-gateway", "HTTPS", mode="PASSTHROUGH")
gateway("https-server-has-certificate", "HTTPS", **{**TLS, "credentialName": "by-hand"})
gateway("no-https-redirect-with-http01", "HTTP", httpsRedirect=True)
gateway("routes-from-listed-namespaces", "HTTPS", **TLS)
every_secret = {"from": [{**GATEWAYS, "namespace": "shop"}], "to": [{"group": "", "kind": "Secret"}]}
custom("reference-grants-are-narrow", "gateway.networking.k8s.io/v1beta1", "ReferenceGrant", every_secret)

ingress("no-other-way-in", "kubernetes.io/ingress.class", "istio")
ingress("no-certificate-by-annotation", "cert-manager.io/issuer", "issuer-email-is-real")
kubernetes.apiextensions.CustomResourcePatch(
    "objects-are-whole",
    api_version="networking.istio.io/v1",
    kind="Gateway",
    metadata=metadata("plain"),
    # Istio's webhook takes no Gateway without servers.
    spec={
        "selector": {"istio": "ingressgateway"},
        "servers": [{"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": ["shop.sandbox.test"]}],
    },
    opts=by_cluster,
)

record("record-ttl-is-short", "shop.sandbox.test.", ttl=86400)
right = record("a-record-that-is-right", "api.sandbox.test.", ttl=300)
record("record-in-zone", "shop.elsewhere.test.", ttl=300)
gateway("unknown", "HTTPS", **{**TLS, "mode": right.id})

release("cert-manager-is-secure")
release("cert-manager-is-official")
kubernetes.core.v1.Namespace("protected-in-production", metadata={"name": "bad"}, opts=by_cluster)

kubernetes.core.v1.Secret(
    "no-private-key-in-state",
    metadata=metadata("account"),
    string_data={"tls.key": "-----BEGIN EC PRIVATE KEY-----\nnone\n-----END EC PRIVATE KEY-----\n"},
    opts=by_cluster,
)
kubernetes.Provider("by-token", kubeconfig=json.dumps({"users": [{"name": "ci", "user": {"token": "none"}}]}))
