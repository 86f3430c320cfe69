"""TLS on an Istio ingress gateway: the table of contents. Each part is a component of its own."""

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi import ResourceOptions

from components.acme_issuers import AcmeIssuers
from components.cert_manager import CertManager
from components.certificate_alerts import CertificateAlerts
from components.dns_records import DnsRecords
from components.gateway_certificate import GatewayCertificate
from components.http_gateway import HttpGateway
from components.ingress_gateway import IngressGateway
from components.tls_gateway import TlsGateway
from settings import Arguments, find_kubeconfig, load, require_hosts_in_zone

# Whatever can be refused is refused here, before any resource is registered.
settings = load()
require_hosts_in_zone(settings)
project = pulumi.Config("gcp").require("project")
args = Arguments(settings, project, find_kubeconfig(settings), pulumi.get_stack())

cluster = kubernetes.Provider("cluster", kubeconfig=args.kubeconfig, context=settings.context)
protect = ResourceOptions(protect=settings.protect)


def on_cluster(*after: pulumi.Resource) -> ResourceOptions:
    """On the cluster, and not before the parts in `after` are done; `destroy` goes the other way."""
    return ResourceOptions(provider=cluster, depends_on=list(after))


cert_manager = CertManager("cert-manager", args.cert_manager, ResourceOptions.merge(on_cluster(), protect))
issuers = AcmeIssuers("issuers", args.issuers, ResourceOptions.merge(on_cluster(cert_manager), protect))
issuer = issuers.names[settings.acme.issuer]

ingress = IngressGateway("ingress", args.ingress)
records = DnsRecords("dns", args.records(ingress.ip))
http = HttpGateway("http", args.http, on_cluster())

# The ACME server must find the names, and port 80 behind them, before it is asked to sign.
certificate = GatewayCertificate("certificate", args.certificate(issuer), on_cluster(issuers, records, http))
tls = TlsGateway("tls", args.tls, on_cluster(certificate))

if settings.alerts != "off":
    CertificateAlerts("alerts", args.alerts(settings.alerts), on_cluster(cert_manager))

pulumi.export("urls", tls.urls)
pulumi.export("ingressIp", ingress.ip)
pulumi.export("issuer", issuer)
pulumi.export("certificateSecret", certificate.secret)
pulumi.export("certificateNotAfter", certificate.not_after)
pulumi.export("certificateRenewalTime", certificate.renewal_time)
pulumi.export("dnsRecords", records.addresses)
