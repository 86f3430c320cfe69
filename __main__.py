"""TLS on an Istio ingress gateway: the table of contents. Each part is a component of its own."""

from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi import ResourceOptions

import components
from config.args import Composition
from config.loading import load

# Whatever can be refused is refused here, before any resource is registered.
stack = load()
settings = stack.settings

cluster = kubernetes.Provider(
    "cluster", kubeconfig=stack.kubeconfig, context=stack.context, cluster_identifier=stack.cluster_identifier
)
protect = ResourceOptions(protect=settings.protect)


def on_cluster(*after: pulumi.Resource) -> ResourceOptions:
    """On the cluster, and not before the parts in `after` are done; `destroy` goes the other way."""
    return ResourceOptions(provider=cluster, depends_on=list(after))


cert_manager = components.CertManager("cert-manager", stack.cert_manager, ResourceOptions.merge(on_cluster(), protect))
signing = ResourceOptions.merge(on_cluster(cert_manager), protect)
issuers = components.AcmeIssuers("issuers", stack.issuers, signing)
issuer = issuers.names[settings.acme.issuer]
access = [components.Dns01Identity(name, args) for name, args in stack.access.items()]
caa = [components.CaaRecords(name, args) for name, args in stack.caa(issuers.accounts).items()]


def serve(its: Composition) -> dict[str, pulumi.Input[Any]]:
    """Put TLS on one gateway, and return its outputs."""
    ingress = components.IngressGateway(its.called("ingress"), its.ingress, on_cluster())
    records = components.DnsRecords(its.called("dns"), its.records(ingress.ip, ingress.ipv6))
    http = components.HttpGateway(its.called("http"), its.http, on_cluster())

    # The ACME server must find the names, what proves them and who may sign before it is asked to sign.
    provable = on_cluster(issuers, records, http, *access, *caa)
    certificate = components.GatewayCertificate(its.called("certificate"), its.certificate(issuer), provable)
    tls = components.TlsGateway(its.called("tls"), its.tls, on_cluster(certificate))
    more: dict[str, pulumi.Input[Any]] = {"ingressIpv6": ingress.ipv6} if its.has_ipv6 else {}
    if its.promotes:
        address = components.ReservedAddress(its.called("address"), its.address(ingress.ip))
        more["ingressChartValue"] = address.chart_value
    return {
        "urls": tls.urls,
        "ingressIp": ingress.ip,
        "certificateSecret": certificate.secret,
        "certificateNotAfter": certificate.not_after,
        "certificateRenewalTime": certificate.renewal_time,
        "dnsRecords": records.addresses,
        **more,
    }


for name, output in serve(stack).items():
    pulumi.export(name, output)
if stack.other_gateways:
    pulumi.export("gateways", {each.gateway: serve(each) for each in stack.other_gateways})
pulumi.export("issuer", issuer)
pulumi.export("issuerScope", stack.issuer_scope)
pulumi.export("acmeAccounts", issuers.accounts)

if settings.mtls != "off":
    components.MutualTls("mtls", stack.mutual_tls, on_cluster())
if settings.alerts != "off":
    components.CertificateAlerts("alerts", stack.alerts, on_cluster(cert_manager))
if settings.dashboard:
    components.CertificateDashboard("dashboard", stack.dashboard, on_cluster())
