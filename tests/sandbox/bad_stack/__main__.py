"""What a team might write for production without our settings and components: each resource breaks a policy.

Each is named after the policy that it breaks; one record breaks none, and is what another one strays from.
"""

from pathlib import Path
from typing import Any

import pulumi
import pulumi_gcp as gcp
import pulumi_kubernetes as kubernetes

cluster = kubernetes.Provider("cluster", kubeconfig=pulumi.Config().require("kubeconfig"))
NAMESPACE = "istio-system"


def custom(name: str, api_version: str, kind: str, spec: dict[str, Any]) -> None:
    kubernetes.apiextensions.CustomResource(
        name,
        api_version=api_version,
        kind=kind,
        metadata={"name": name.replace(".", "-"), "namespace": NAMESPACE},
        spec=spec,
        opts=pulumi.ResourceOptions(provider=cluster),
    )


def issuer(name: str, email: str) -> None:
    acme = {
        "email": email,
        "server": "https://acme-staging-v02.api.letsencrypt.org/directory",
        "privateKeySecretRef": {"name": f"{name}-account-key"},
        "solvers": [{"http01": {"ingress": {"class": "istio"}}}],
    }
    custom(name, "cert-manager.io/v1", "Issuer", {"acme": acme})


def certificate(name: str, issuer: str, *dns_names: str) -> None:
    reference = {"group": "cert-manager.io", "kind": "Issuer", "name": issuer}
    spec = {"secretName": name, "issuerRef": reference, "dnsNames": list(dns_names)}
    custom(name, "cert-manager.io/v1", "Certificate", spec)


def gateway(name: str, protocol: str, **tls: Any) -> None:
    port = {"number": 443 if protocol == "HTTPS" else 80, "name": protocol.lower(), "protocol": protocol}
    server = {"port": port, "hosts": ["shop.sandbox.test"], "tls": tls}
    custom(name, "networking.istio.io/v1", "Gateway", {"selector": {"istio": "ingressgateway"}, "servers": [server]})


def record(name: str, host: str, ttl: int) -> None:
    gcp.dns.RecordSet(name, name=host, type="A", ttl=ttl, managed_zone="sandbox", rrdatas=["203.0.113.10"])


issuer("issuer-email-is-real", email="platform@your-domain.com")
certificate("issuer-fits-stack", "issuer-email-is-real", "shop.sandbox.test")
certificate("no-wildcard-with-http01", "issuer-email-is-real", "*.sandbox.test")
gateway("tls-1.2-or-later", "HTTPS", mode="SIMPLE", credentialName="issuer-fits-stack", minProtocolVersion="TLSV1_0")
gateway("https-server-has-certificate", "HTTPS", mode="SIMPLE", credentialName="by-hand", minProtocolVersion="TLSV1_2")
gateway("no-https-redirect-with-http01", "HTTP", httpsRedirect=True)
record("record-ttl-is-short", "shop.sandbox.test.", ttl=86400)
record("a-record-that-is-right", "api.sandbox.test.", ttl=300)
record("record-in-zone", "shop.elsewhere.test.", ttl=300)

by_cluster = pulumi.ResourceOptions(provider=cluster)
protected = pulumi.ResourceOptions.merge(by_cluster, pulumi.ResourceOptions(protect=True))
kubernetes.core.v1.Namespace("protected-in-production", metadata={"name": "bad"}, opts=by_cluster)
kubernetes.helm.v3.Release(
    "cert-manager-is-secure",
    name="cert-manager",
    namespace=NAMESPACE,
    chart=str(Path(__file__).parent / "cert-manager"),
    opts=protected,
)
kubernetes.core.v1.Secret(
    "no-private-key-in-state",
    metadata={"name": "account", "namespace": NAMESPACE},
    string_data={"tls.key": "-----BEGIN EC PRIVATE KEY-----\nnone\n-----END EC PRIVATE KEY-----\n"},
    opts=by_cluster,
)
