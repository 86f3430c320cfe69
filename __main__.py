"""TLS on an Istio ingress gateway: the table of contents. Each part is a component of its own."""

from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi import ResourceOptions

from components import (
    AcmeIssuers,
    CertificateAlerts,
    CertManager,
    DnsRecords,
    GatewayCertificate,
    HttpGateway,
    IngressGateway,
    TlsGateway,
)
from composition import Composition, load

# Whatever can be refused is refused here, before any resource is registered.
stack = load()
settings = stack.settings

cluster = kubernetes.Provider(
    "cluster",
    kubeconfig=stack.kubeconfig,
    context=stack.kubeconfig_context,
    cluster_identifier=stack.cluster_identifier,
)
protect = ResourceOptions(protect=settings.protect)


def on_cluster(*after: pulumi.Resource) -> ResourceOptions:
    """On the cluster, and not before the parts in `after` are done; `destroy` goes the other way."""
    return ResourceOptions(provider=cluster, depends_on=list(after))


cert_manager = CertManager("cert-manager", stack.cert_manager, ResourceOptions.merge(on_cluster(), protect))
issuers = AcmeIssuers("issuers", stack.issuers, ResourceOptions.merge(on_cluster(cert_manager), protect))
issuer = issuers.names[settings.acme.issuer]


def serve(its: Composition) -> dict[str, pulumi.Input[Any]]:
    """Put TLS on one gateway, and return its outputs."""
    ingress = IngressGateway(its.called("ingress"), its.ingress, on_cluster())
    records = DnsRecords(its.called("dns"), its.records(ingress.ip))
    http = HttpGateway(its.called("http"), its.http, on_cluster())

    # The ACME server must find the names, and port 80 behind them, before it is asked to sign.
    proven = on_cluster(issuers, records, http)
    certificate = GatewayCertificate(its.called("certificate"), its.certificate(issuer), proven)
    tls = TlsGateway(its.called("tls"), its.tls, on_cluster(certificate))
    return {
        "urls": tls.urls,
        "ingressIp": ingress.ip,
        "certificateSecret": certificate.secret,
        "certificateNotAfter": certificate.not_after,
        "certificateRenewalTime": certificate.renewal_time,
        "dnsRecords": records.addresses,
    }


for name, output in serve(stack).items():
    pulumi.export(name, output)
if stack.other_gateways:
    pulumi.export("gateways", {each.gateway: serve(each) for each in stack.other_gateways})

if settings.alerts != "off":
    CertificateAlerts("alerts", stack.alerts, on_cluster(cert_manager))

pulumi.export("issuer", issuer)
pulumi.export("issuerScope", stack.issuer_scope)
