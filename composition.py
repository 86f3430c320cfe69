"""From stack config to the args of each component: the one place where the names of both meet.

What Google Cloud must know, the managed zone and the GKE cluster, is looked up here, before any resource is registered.
"""

import json
from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp
from pulumi.runtime.config import CONFIG, get_config_env, is_config_secret

from components.acme_issuers import AcmeIssuersArgs
from components.cert_manager import CertManagerArgs
from components.certificate_alerts import CertificateAlertsArgs
from components.dns_records import DnsRecordsArgs
from components.gateway_certificate import GatewayCertificateArgs, KeyArgs
from components.http_gateway import HttpGatewayArgs
from components.ingress_gateway import IngressGatewayArgs
from components.rules import names, routes
from components.rules.kubeconfig import gke_kubeconfig, is_content
from components.rules.problem import Problem, ProblemsError
from components.rules.production import PROJECT
from components.tls_gateway import CredentialArgs, HostArgs, TlsGatewayArgs
from settings import Settings, config_heading, decode
from settings.crosschecks import cross_checks
from settings.models import Gke, Host
from settings.problems import config_problem, set_command


def load() -> "Composition":
    """Read and validate the stack's config, and look up what it names.

    Raises:
        pulumi.RunError: with every problem of the config; the engine prints it without a traceback.
    """
    config = {**get_config_env(), **CONFIG.get()}
    secret = {key for key in config if is_config_secret(key)}
    stack = pulumi.get_stack()
    try:
        settings = decode(Settings, config, PROJECT, stack, secret=secret, cross_check=cross_checks)
        require_hosts_in_zone(settings, stack)
        return Composition(settings, stack, find_kubeconfig(settings))
    except ProblemsError as error:
        raise pulumi.RunError(str(error)) from None


@dataclass(frozen=True)
class Composition:
    """The components' args for one stack."""

    settings: Settings
    stack: str
    """Its name tells this stack's Gateways from those of another one on the cluster."""
    kubeconfig: pulumi.Input[str] | None
    """A path or content; None is the ambient one."""

    @property
    def cluster_identifier(self) -> str | None:
        """What the cluster is told by when its endpoint or its CA changes; GKE rotates both.

        Without it the provider, and with it every object, is replaced then (pulumi-kubernetes#4019).
        """
        gke = self.settings.gke
        project = gke.project or self.settings.gcp_project if gke else ""
        return f"projects/{project}/locations/{gke.location}/clusters/{gke.cluster}" if gke else None

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
                "project": self.settings.dns.project or self.settings.gcp_project,
                "zone": self.settings.dns.zone,
            },
            "timeout": acme.timeout,
            "ca_bundle": acme.ca_bundle,
            "profile": acme.profile,
        }

    @property
    def ingress(self) -> IngressGatewayArgs:
        """The Service that is there already."""
        return {
            "namespace": self.settings.ingress.namespace,
            "service": self.settings.ingress.service,
            "timeout": self.settings.ingress.timeout,
        }

    def records(self, ip: pulumi.Input[str]) -> DnsRecordsArgs:
        """Every host, at the gateway's address."""
        dns = self.settings.dns
        return {"hosts": self._names, "ip": ip, "zone": dns.zone, "ttl": dns.ttl, "project": dns.project}

    @property
    def http(self) -> HttpGatewayArgs:
        """Port 80."""
        return {
            "gateway": routes.http_gateway_name(self.stack),
            "namespace": self.settings.ingress.namespace,
            "selector": self.settings.ingress.selector,
            "hosts": self._names,
        }

    def certificate(self, issuer: pulumi.Input[str]) -> GatewayCertificateArgs:
        """The certificates, signed by `issuer`."""
        given = self.settings.certificate
        key: KeyArgs = {"algorithm": given.algorithm, "rotation": given.rotation, "size": given.size}
        return {
            "namespace": self.settings.ingress.namespace,
            "issuer": issuer,
            "credentials": self._credentials,
            "key": key,
            "timeout": self.settings.acme.timeout,
            "profile": self.settings.acme.profile,
            "renew_before_percentage": given.renew_before_percentage,
        }

    @property
    def tls(self) -> TlsGatewayArgs:
        """Port 443."""
        return {
            "gateway": routes.tls_gateway_name(self.stack),
            "namespace": self.settings.ingress.namespace,
            "selector": self.settings.ingress.selector,
            "credentials": self._credentials,
            "hosts": [_routed(host) for host in self.settings.hosts],
            "min_version": self.settings.tls.min_version,
            "cipher_suites": self.settings.tls.cipher_suites,
            "hsts": self.settings.tls.hsts,
        }

    @property
    def alerts(self) -> CertificateAlertsArgs:
        """This stack's certificates, by their metrics."""
        return {
            "prometheus": self.settings.alerts,
            "object_name": f"certificates-{names.stack_suffix(self.stack)}",
            "namespace": self.settings.cert_manager.namespace,
            "certificates": list(self.settings.certificates),
            "certificates_namespace": self.settings.ingress.namespace,
            "labels": self.settings.alert_labels,
        }

    @property
    def _names(self) -> list[str]:
        return [host.host for host in self.settings.hosts]

    @property
    def _credentials(self) -> list[CredentialArgs]:
        return [{"secret_name": secret, "hosts": hosts} for secret, hosts in self.settings.certificates.items()]


def _routed(host: Host) -> HostArgs:
    return {
        "host": host.host,
        "routes": [
            {"path": route.path, "service": route.service, "namespace": route.namespace, "port": route.port}
            for route in host.destinations
        ],
    }


def find_kubeconfig(settings: Settings) -> pulumi.Input[str] | None:
    """Return the kubeconfig, of the GKE cluster where one is named; None is the ambient one.

    Content may hold credentials, so it is a secret; a path is none.
    """
    kubeconfig = _look_up_cluster(settings.gke) if settings.gke else settings.kubeconfig
    if kubeconfig is None or not is_content(kubeconfig):
        return kubeconfig
    return pulumi.Output.secret(kubeconfig)


def _look_up_cluster(gke: Gke) -> str:
    try:
        found = gcp.container.get_cluster(name=gke.cluster, location=gke.location, project=gke.project)
        authority = found.master_auths[0].cluster_ca_certificate
    except Exception as error:
        fix = (
            f"gcloud container clusters list --filter name={gke.cluster}",
            "pulumi config set --path gke.cluster NAME && pulumi config set --path gke.location LOCATION",
        )
        where = f"the GKE cluster '{gke.cluster}' in '{gke.location}'"
        raise ProblemsError(Problem(where, f"cannot be read: {error}", fix)) from None
    return json.dumps(gke_kubeconfig(gke.cluster, found.endpoint, authority))


def require_hosts_in_zone(settings: Settings, stack: str) -> None:
    """Look the managed zone up and refuse hosts that it cannot hold.

    Raises:
        ProblemsError: the zone cannot be read, or has no place for some hosts.
    """
    zone = settings.dns.zone
    domain = _zone_domain(zone, settings.dns.project)
    problems = [
        config_problem(
            ["hosts", index, "host"],
            f"{domain} and names below it",
            set_command(["hosts", index, "host"], f"{host.host.split('.')[0]}.{domain}")
            + ", or pulumi config set --path dns.zone NAME",
            value=host.host,
            reason=f"lies outside the managed zone {zone}",
        )
        for index, host in enumerate(settings.hosts)
        if not names.lies_in(domain, host.host)
    ]
    if problems:
        raise ProblemsError(*problems, heading=config_heading(stack, problems))


def _zone_domain(zone: str, project: str | None) -> str:
    reason = "there is no such zone"
    try:
        domain = gcp.dns.get_managed_zone(name=zone, project=project).dns_name
    except Exception as error:
        domain, reason = "", str(error)
    if not domain:
        fix = ("gcloud dns managed-zones list", "pulumi config set --path dns.zone NAME")
        raise ProblemsError(Problem("dns.zone", f"{zone!r} cannot be read: {reason}", fix))
    return domain.removesuffix(".").lower()
