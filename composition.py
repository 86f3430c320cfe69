"""From stack config to the args of each component: the one place where the names of both meet."""

from collections.abc import Iterator, Set
from dataclasses import dataclass, replace
from typing import Any

import pulumi
from pulumi.runtime.config import CONFIG, get_config_env, is_config_secret

from components.acme_issuers import AcmeIssuersArgs
from components.cert_manager import CertManagerArgs
from components.certificate_alerts import CertificateAlertsArgs
from components.dns_records import DnsRecordsArgs
from components.gateway_certificate import GatewayCertificateArgs, KeyArgs
from components.http_gateway import HttpGatewayArgs
from components.ingress_gateway import IngressGatewayArgs
from components.rules import names, routes
from components.rules.acme import CLUSTER_ISSUER, ISSUER
from components.rules.problem import ProblemsError
from components.rules.production import PROJECT
from components.tls_gateway import CredentialArgs, HostArgs, TlsGatewayArgs
from lookups import find_kubeconfig, require_hosts_in_zone
from settings import Settings, decode
from settings.crosschecks import cross_checks
from settings.problems import set_command
from settings.traffic import Host


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
        secrets = frozenset(key.removeprefix(f"{PROJECT}:") for key in secret)
        require_hosts_in_zone(settings, stack, secrets)
        kubeconfig = find_kubeconfig(settings, secrets)
    except ProblemsError as error:
        raise pulumi.RunError(str(error)) from None
    for warning in warnings(settings, secrets):
        pulumi.log.warn(warning)
    return Composition(settings, stack, kubeconfig, secrets)


@dataclass(frozen=True)
class Composition:
    """The components' args for one stack."""

    settings: Settings
    stack: str
    """Its name tells this stack's Gateways from those of another one on the cluster."""
    kubeconfig: pulumi.Input[str] | None
    """A path or content; None is the ambient one."""
    secrets: Set[str] = frozenset()
    """Keys of the config that hold a secret, as a whole or somewhere inside: the engine does not say where."""
    gateway: str = ""
    """The name of the gateway that this is the part of; empty for that of the stack's own keys."""

    @property
    def other_gateways(self) -> "list[Composition]":
        """The part of each gateway but the stack's own, as if it were the only one."""
        return [replace(self, settings=each.settings, gateway=each.name) for each in self.settings.views if each.name]

    def called(self, name: str) -> str:
        """Return what a component of the gateway is called."""
        return f"{self.gateway}-{name}" if self.gateway else name

    def _kept(self, key: str, value: Any) -> Any:
        """Return a value of a key as an input, which is a secret where the config has it as one."""
        given = (key, "gateways") if self.gateway else (key,)
        return pulumi.Output.secret(value) if value is not None and self.secrets & {*given} else value

    @property
    def kubeconfig_context(self) -> pulumi.Input[str] | None:
        """A context of the kubeconfig, if not its current one."""
        context: pulumi.Input[str] | None = self._kept("context", self.settings.context)
        return context

    @property
    def cluster_identifier(self) -> pulumi.Input[str] | None:
        """The name by which the provider knows the cluster when its endpoint or CA changes; GKE rotates both.

        Without it the provider, and with it every object, is replaced then (pulumi-kubernetes#4019).
        """
        gke = self.settings.gke
        project = gke.project or self.settings.gcp_project if gke else ""
        found = f"projects/{project}/locations/{gke.location}/clusters/{gke.cluster}" if gke else None
        named: pulumi.Input[str] | None = self._kept("clusterIdentifier", self.settings.cluster_identifier)
        return named or found

    @property
    def cert_manager(self) -> CertManagerArgs:
        """The chart and its values."""
        given = self.settings.cert_manager
        return {
            "install": given.install,
            "namespace": given.namespace,
            "chart": self._kept("certManager", given.chart),
            "version": self._kept("certManager", given.version),
            "digest": self._kept("certManager", given.digest),
            "keyring": self._kept("certManager", given.keyring),
            "pod_security": given.pod_security,
            "values": self._kept("certManager", given.values),
        }

    @property
    def issuers(self) -> AcmeIssuersArgs:
        """Both environments, for this stack's names: anybody may ask a ClusterIssuer for any name that it solves."""
        acme = self.settings.acme
        cluster_wide = acme.issuer_kind == CLUSTER_ISSUER
        return {
            "create": self.settings.creates_issuers,
            "kind": acme.issuer_kind,
            "namespace": self.settings.ingress.namespace,
            "email": self._kept("acme", acme.email),
            "servers": {
                "staging": self._kept("acme", acme.servers.staging),
                "prod": self._kept("acme", acme.servers.prod),
            },
            "solver": {
                "challenge": self.settings.challenge,
                "class_field": self.settings.ingress.class_field,
                "project": self.settings.dns.project or self.settings.gcp_project,
                "zone": self.settings.dns.zone,
                "dns_names": [*self._all_names, *acme.dns_names] if cluster_wide else [],
                "dns_zones": list(acme.dns_zones) if cluster_wide else [],
            },
            "timeout": acme.timeout,
            "ca_bundle": self._kept("acme", acme.ca_bundle),
            "profile": self._kept("acme", acme.profile),
        }

    @property
    def issuer_scope(self) -> str:
        """Who can ask the stack's issuers, and for which names, in words."""
        acme = self.settings.acme
        if acme.issuer_kind == ISSUER:
            return f"Certificates in {self.settings.ingress.namespace}"
        domains = [f"{domain} and every name below it" for domain in acme.dns_zones]
        listed = ", ".join([*self._all_names, *acme.dns_names, *domains])
        what = listed if self.settings.creates_issuers else "what the stack lists that made the issuers"
        return f"Certificates in any namespace, for {what}"

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
            "gateway": routes.http_gateway_name(self.stack, self.gateway),
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
            "issuer_kind": self.settings.acme.issuer_kind,
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
            "gateway": routes.tls_gateway_name(self.stack, self.gateway),
            "namespace": self.settings.ingress.namespace,
            "selector": self.settings.ingress.selector,
            "credentials": self._credentials,
            "hosts": [_routed(host) for host in self.settings.hosts],
            "min_version": self._kept("tls", self.settings.tls.min_version),
            "cipher_suites": self._kept("tls", self.settings.tls.cipher_suites),
            "hsts": self._kept("tls", self.settings.tls.hsts),
        }

    @property
    def alerts(self) -> CertificateAlertsArgs:
        """This stack's certificates, by their metrics."""
        return {
            "prometheus": self.settings.alerts,
            "object_name": f"certificates-{names.stack_suffix(self.stack)}",
            "namespace": self.settings.cert_manager.namespace,
            "certificates": self._watched,
            "certificates_namespace": self.settings.ingress.namespace,
            "labels": self._kept("alertLabels", self.settings.alert_labels),
        }

    @property
    def _watched(self) -> list[str]:
        """The Certificates of all gateways; those in another namespace than the stack's own gateway, with it."""
        own = self.settings.ingress.namespace
        return [
            name if where == own else f"{where}/{name}"
            for where, each in ((each.settings.ingress.namespace, each.settings) for each in self.settings.views)
            for name in each.certificates
        ]

    @property
    def _all_names(self) -> list[str]:
        return [host.host for each in self.settings.views for host in each.settings.hosts]

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


def warnings(settings: Settings, secrets: Set[str]) -> Iterator[str]:
    """Yield what a stack's config leaves open, each with the command that closes it.

    Args:
        settings: the config.
        secrets: keys of it that hold a secret.
    """
    for key in sorted(_NAMING & secrets):
        yield (
            f"{key} is a secret in the config, and names cannot be kept: they are part of the resources' ids, which"
            " the state has in plain text"
        )
    cluster_wide = settings.creates_issuers and settings.acme.issuer_kind == CLUSTER_ISSUER
    if settings.production and cluster_wide and settings.challenge == "http01":
        yield (
            "the issuers are ClusterIssuers: whoever may create Certificates, in any namespace, can have one for this"
            " stack's hosts and spend the CA's limits\n"
            f"    {set_command(['acme', 'issuerKind'], ISSUER)}    # signs every certificate anew: docs/moving.md"
        )


_NAMING = {"gcp:project", "gke", "hosts", "dns", "ingress", "certificate", "gateways"}
"""Keys whose values are the names of objects."""
