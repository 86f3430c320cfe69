"""From settings to the args of each component: names meet here, and no decision is made."""

import re
from dataclasses import dataclass
from typing import Literal

import pulumi

from components.acme_issuers import AcmeIssuersArgs
from components.cert_manager import CertManagerArgs
from components.certificate_alerts import CertificateAlertsArgs
from components.dns_records import DnsRecordsArgs
from components.gateway_certificate import GatewayCertificateArgs, certificate_groups
from components.http_gateway import HttpGatewayArgs
from components.ingress_gateway import IngressGatewayArgs
from components.tls_gateway import CredentialArgs, HostArgs, TlsGatewayArgs
from settings.models import Host, Settings


@dataclass(frozen=True)
class Arguments:
    """The components' args for one stack."""

    settings: Settings
    gcp_project: str
    """The project of the managed zone, where dns.project does not name another."""
    kubeconfig: pulumi.Input[str] | None
    """A path or content; None is the ambient one."""
    stack: str
    """Its name tells this stack's Gateways from those of another one on the cluster."""

    @property
    def cert_manager(self) -> CertManagerArgs:
        """The chart and its values."""
        given = self.settings.cert_manager
        return {
            "install": given.install,
            "namespace": given.namespace,
            "chart": given.chart,
            "version": given.version,
            "values": given.values,
        }

    @property
    def issuers(self) -> AcmeIssuersArgs:
        """Both environments; another stack's issuers come with another stack's cert-manager, unless said otherwise."""
        acme = self.settings.acme
        create = acme.create_issuers
        return {
            "create": self.settings.cert_manager.install if create is None else create,
            "email": acme.email,
            "servers": {"staging": acme.servers.staging, "prod": acme.servers.prod},
            "solver": {
                "challenge": self.settings.challenge,
                "class_field": self.settings.ingress.class_field,
                "project": self.settings.dns.project or self.gcp_project,
                "zone": self.settings.dns.zone,
            },
            "timeout": acme.timeout,
            "ca_bundle": acme.ca_bundle,
            "profile": acme.profile,
            "kubeconfig": self.kubeconfig,
            "context": self.settings.context,
        }

    @property
    def ingress(self) -> IngressGatewayArgs:
        """The Service that is there already."""
        return {
            "namespace": self.settings.ingress.namespace,
            "service": self.settings.ingress.service,
            "timeout": self.settings.ingress.timeout,
            "kubeconfig": self.kubeconfig,
            "context": self.settings.context,
        }

    def records(self, ip: pulumi.Input[str]) -> DnsRecordsArgs:
        """Every host, at the gateway's address."""
        dns = self.settings.dns
        return {"hosts": self._names, "ip": ip, "zone": dns.zone, "ttl": dns.ttl, "project": dns.project}

    @property
    def http(self) -> HttpGatewayArgs:
        """Port 80."""
        return {
            "gateway": f"http-{self._suffix}",
            "namespace": self.settings.ingress.namespace,
            "selector": self.settings.ingress.selector,
            "hosts": self._names,
        }

    def certificate(self, issuer: pulumi.Input[str]) -> GatewayCertificateArgs:
        """The certificates, signed by `issuer`."""
        given = self.settings.certificate
        return {
            "namespace": self.settings.ingress.namespace,
            "issuer": issuer,
            "groups": self._credentials,
            "key": {"algorithm": given.algorithm, "size": given.size, "rotation": given.rotation},
            "timeout": self.settings.acme.timeout,
            "profile": self.settings.acme.profile,
            "renew_before_percentage": given.renew_before_percentage,
            "kubeconfig": self.kubeconfig,
            "context": self.settings.context,
        }

    @property
    def tls(self) -> TlsGatewayArgs:
        """Port 443."""
        return {
            "gateway": f"tls-{self._suffix}",
            "namespace": self.settings.ingress.namespace,
            "selector": self.settings.ingress.selector,
            "credentials": self._credentials,
            "hosts": [_routed(host) for host in self.settings.hosts],
            "min_version": self.settings.tls.min_version,
            "cipher_suites": self.settings.tls.cipher_suites,
            "hsts": self.settings.tls.hsts,
        }

    def alerts(self, prometheus: Literal["prometheus", "gmp"]) -> CertificateAlertsArgs:
        """This stack's certificates, by their metrics."""
        return {
            "prometheus": prometheus,
            "name": f"certificates-{self._suffix}",
            "namespace": self.settings.cert_manager.namespace,
            "certificates": [credential["secret_name"] for credential in self._credentials],
            "certificates_namespace": self.settings.ingress.namespace,
            "labels": self.settings.alert_labels,
        }

    @property
    def _suffix(self) -> str:
        """The stack's name as a Kubernetes name takes it: stacks may have capitals and underscores."""
        return re.sub(r"[^a-z0-9]+", "-", self.stack.lower()).strip("-")

    @property
    def _names(self) -> list[str]:
        return [host.host for host in self.settings.hosts]

    @property
    def _credentials(self) -> list[CredentialArgs]:
        given = self.settings.certificate
        return certificate_groups(self._names, given.grouping, given.secret_name, self.settings.acme.profile)


def _routed(host: Host) -> HostArgs:
    return {
        "host": host.host,
        "routes": [
            {"path": route.path, "service": route.service, "namespace": route.namespace, "port": route.port}
            for route in host.destinations
        ],
    }
