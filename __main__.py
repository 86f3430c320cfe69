"""TLS on an Istio ingress gateway: the table of contents. Each part is a component of its own."""

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi import ResourceOptions

from components import (
    AcmeIssuers,
    CertificateAlerts,
    CertificateDashboard,
    CertManager,
    DnsRecords,
    GatewayCertificate,
    HttpGateway,
    IngressGateway,
    ReservedAddress,
    TlsGateway,
)
from composition import load

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

ingress = IngressGateway("ingress", stack.ingress, on_cluster())
records = DnsRecords("dns", stack.records(ingress.ip, ingress.ipv6))
http = HttpGateway("http", stack.http, on_cluster())

# The ACME server must find the names, and port 80 behind them, before it is asked to sign.
certificate = GatewayCertificate("certificate", stack.certificate(issuer), on_cluster(issuers, records, http))
tls = TlsGateway("tls", stack.tls, on_cluster(certificate))

if settings.alerts != "off":
    CertificateAlerts("alerts", stack.alerts, on_cluster(cert_manager))

if settings.ingress.address == "promote":
    # Protected always: an address that is released belongs to somebody else a moment later.
    address = ReservedAddress("address", stack.address(ingress.ip), ResourceOptions(protect=True))
    pulumi.export("ingressChartValue", address.chart_value)

if settings.dashboard:
    CertificateDashboard("dashboard", stack.dashboard, on_cluster())

pulumi.export("urls", tls.urls)
pulumi.export("ingressIp", ingress.ip)
if settings.ingress.family != "ipv4":
    pulumi.export("ingressIpv6", ingress.ipv6)
pulumi.export("issuer", issuer)
pulumi.export("issuerScope", stack.issuer_scope)
pulumi.export("certificateSecret", certificate.secret)
pulumi.export("certificateNotAfter", certificate.not_after)
pulumi.export("certificateRenewalTime", certificate.renewal_time)
pulumi.export("dnsRecords", records.addresses)
