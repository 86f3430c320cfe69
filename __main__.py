"""TLS on an Istio ingress gateway: the table of contents. Each part is a component of its own."""

from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi import ResourceOptions

import components
from config.gateway_args import GatewayComposition, merged
from config.loading import load

# A bad config is refused here, before any resource is registered.
stack = load()
settings = stack.settings

cluster = kubernetes.Provider(
    "cluster", kubeconfig=stack.kubeconfig, context=stack.context, cluster_identifier=stack.cluster_identifier
)


def on_cluster(*after: pulumi.Resource, protect: bool | None = None) -> ResourceOptions:
    """Return options for a part that is created after, and deleted before, the parts in `after`."""
    return ResourceOptions(provider=cluster, depends_on=list(after), protect=protect)


cert_manager = components.CertManager("cert-manager", stack.cert_manager, on_cluster(protect=settings.protect))
issuers = components.AcmeIssuers("issuers", stack.issuers, on_cluster(cert_manager, protect=settings.protect))
issuer = issuers.names[settings.acme.issuer]
access = [components.Dns01Identity(name, args) for name, args in stack.access.items()]
caa = [components.CaaRecords(name, args) for name, args in stack.caa(issuers.accounts).items()]
delegations = [components.ChallengeDelegations(name, args) for name, args in stack.delegations.items()]


def serve(gateway: GatewayComposition) -> dict[str, pulumi.Input[Any]]:
    """Put TLS on one gateway, and return its outputs."""
    name = gateway.resource_name
    http = components.HttpGateway(name("http"), gateway.http, on_cluster())
    ingress = components.IngressGateway(name("ingress"), gateway.ingress(http.service), on_cluster())
    addresses = gateway.records(ingress.ip, ingress.ipv6)
    early = [components.DnsRecords(part, args) for part, args in addresses.items() if gateway.settings.proves_over_http]
    # Before an order, the CA must find the CAA records, the proofs and, for HTTP-01, the addresses. With DNS-01 alone,
    # users arrive once they are served. A stack without issuers of its own still waits for its cert-manager.
    provable = on_cluster(cert_manager, issuers, http, *access, *caa, *delegations, *early)
    certificate = components.GatewayCertificate(name("certificate"), gateway.certificate(issuer), provable)
    tls = components.TlsGateway(name("tls"), gateway.tls, on_cluster(certificate))
    records = early or [components.DnsRecords(part, args, on_cluster(tls)) for part, args in addresses.items()]
    more: dict[str, pulumi.Input[Any]] = {"ingressIpv6": ingress.ipv6} if gateway.has_ipv6 else {}
    if gateway.promotes:
        address = components.ReservedAddress(name("address"), gateway.address(ingress.ip))
        more["ingressChartValue"] = address.chart_value
    return {
        "urls": tls.urls,
        "ingressIp": ingress.ip,
        "certificateSecret": certificate.secret,
        "certificateNotAfter": certificate.not_after,
        "certificateRenewalTime": certificate.renewal_time,
        "dnsRecords": merged(part.addresses for part in records),
        **more,
    }


own_gateway, *others = stack.gateways
for key, output in serve(own_gateway).items():
    pulumi.export(key, output)
if others:
    pulumi.export("gateways", {gateway.view.name: serve(gateway) for gateway in others})
pulumi.export("issuer", issuer)
pulumi.export("issuerScope", stack.issuer_scope)
pulumi.export("acmeAccounts", issuers.accounts)

if settings.mtls != "off":
    components.MutualTls("mtls", stack.mutual_tls, on_cluster())
if settings.reserve_hosts:
    components.ReservedHosts("reserved-hosts", stack.reserved_hosts, on_cluster())
if settings.alerts != "off":
    components.CertificateAlerts("alerts", stack.alerts, on_cluster(cert_manager))
if settings.dashboard:
    components.CertificateDashboard("dashboard", stack.dashboard, on_cluster())
