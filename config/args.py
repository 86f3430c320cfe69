"""The args of each component, for one gateway or the whole stack."""

from collections.abc import Mapping, Set
from dataclasses import dataclass, field, replace
from typing import Any, cast

import pulumi

from components.caa_records import CaaRecordsArgs
from components.certificate_alerts import CertificateAlertsArgs
from components.certificate_dashboard import CertificateDashboardArgs
from components.dns01_identity import Dns01IdentityArgs
from components.dns_records import DnsRecordsArgs
from components.http_gateway import HttpGatewayArgs
from components.kube.kubeconfig import is_content
from components.mutual_tls import MutualTlsArgs
from components.reserved_address import ReservedAddressArgs
from components.shared_args import (
    AcmeIssuersArgs,
    CertManagerArgs,
    CredentialArgs,
    ExternalAccountArgs,
    GatewayCertificateArgs,
    Http01Args,
    IngressGatewayArgs,
    KeyArgs,
    TlsGatewayArgs,
)
from components.specs import addresses, client_ca, istio, names
from components.specs.acme import HTTP01, ISSUER
from config import proofs
from config.cluster import ISSUER_COMMANDS, ingress_commands
from config.fields import Section
from config.lookups import Zone
from config.models import Settings
from config.problems import Path


@dataclass(frozen=True)
class Composition:
    """The components' args for one stack."""

    settings: Settings
    stack: str
    """Its name tells this stack's Gateways from those of another one on the cluster."""
    cluster: str | None
    """The kubeconfig: a path or content; None is the ambient one."""
    secrets: Set[str] = frozenset()
    """Keys of the config that hold a secret, as a whole or somewhere inside."""
    challenge_domains: Mapping[Zone, str] = field(default_factory=dict)
    """The domains of the zones that DNS-01 is proven in, of those that are not the zones of the hosts."""
    delegations: Mapping[str, list[str]] = field(default_factory=dict)
    """The hosts of each gateway that a CNAME to such a zone is for."""
    pool: str | None = None
    """The cluster's workload identity pool, if cert-manager is granted access by it."""
    name: str = ""
    """The gateway's name; empty for the gateway of the stack's own keys."""
    path: Path = ()
    """Where that gateway is in the config."""

    @property
    def gateways(self) -> "list[Composition]":
        """The part of each gateway, as if it were the only one; the stack's own first."""
        return [replace(self, settings=view.settings, name=view.name, path=view.path) for view in self.settings.views]

    @property
    def other_gateways(self) -> "list[Composition]":
        """The part of each gateway but the stack's own."""
        return self.gateways[1:]

    @property
    def has_ipv6(self) -> bool:
        """Whether the hosts have AAAA records."""
        return 6 in addresses.FAMILIES[self.settings.ingress.family]

    @property
    def promotes(self) -> bool:
        """Whether the gateway's address is reserved."""
        return self.settings.ingress.address == addresses.PROMOTE

    def resource_name(self, name: str) -> str:
        """Return what a component of the gateway is called."""
        return f"{self.name}-{name}" if self.name else name

    def _secret_if_encrypted(self, key: str, value: Any) -> Any:
        """Return a value of a key as an input, which is a secret where the config has it as one."""
        keys = {key, "gateways"} if self.name else {key}
        return pulumi.Output.secret(value) if value is not None and self.secrets & keys else value

    @property
    def commands(self) -> dict[str, Mapping[str, str]]:
        """The commands that set inputs, by component: a component reports them in place of the input."""
        commands: dict[str, Mapping[str, str]] = {
            part.resource_name("ingress"): ingress_commands(part.path, gke=self.settings.gke is not None)
            for part in self.gateways
        }
        commands["issuers"] = ISSUER_COMMANDS
        return commands | {name: {"hosts": "pulumi config set --path dns.caa"} for name in self.caa({})}

    @property
    def kubeconfig(self) -> pulumi.Input[str] | None:
        """The kubeconfig as an input. Content is secret, since it may hold credentials."""
        if self.cluster is not None and ("kubeconfig" in self.secrets or is_content(self.cluster)):
            return pulumi.Output.secret(self.cluster)
        return self.cluster

    @property
    def context(self) -> pulumi.Input[str] | None:
        """A context of the kubeconfig, if not its current one."""
        context: pulumi.Input[str] | None = self._secret_if_encrypted("context", self.settings.context)
        return context

    @property
    def cluster_identifier(self) -> pulumi.Input[str] | None:
        """The name by which the provider knows the cluster when its endpoint or CA changes; GKE rotates both.

        Without it the provider, and with it every object, is replaced then (pulumi-kubernetes#4019).
        """
        gke = self.settings.gke
        project = gke.project or self.settings.gcp_project if gke else ""
        full_name = f"projects/{project}/locations/{gke.location}/clusters/{gke.cluster}" if gke else None
        named: pulumi.Input[str] | None = self._secret_if_encrypted(
            "clusterIdentifier", self.settings.cluster_identifier
        )
        return named or full_name

    @property
    def cert_manager(self) -> CertManagerArgs:
        """The chart and its values."""
        section = _shared(self.settings.cert_manager, CertManagerArgs)
        secret = {key: self._secret_if_encrypted("certManager", value) for key, value in section.items()}
        return cast(
            CertManagerArgs, {**secret, **{key: section[key] for key in ("install", "namespace", "pod_security")}}
        )

    @property
    def issuers(self) -> AcmeIssuersArgs:
        """Both environments, for this stack's names: anybody may ask a ClusterIssuer for any name that it solves."""
        acme = self.settings.acme
        return {
            "create": self.settings.creates_issuers,
            "read_accounts": any(view.settings.dns.caa for view in self.settings.views),
            "kind": acme.issuer_kind,
            "namespace": self.settings.ingress.namespace,
            "email": self._secret_if_encrypted("acme", acme.email),
            "servers": {name: self._secret_if_encrypted("acme", url) for name, url in acme.servers},
            "solvers": proofs.solvers(self.settings),
            "timeout": acme.timeout,
            "ca_bundle": self._secret_if_encrypted("acme", acme.ca_bundle),
            "profile": self._secret_if_encrypted("acme", acme.profile),
            "external_accounts": self._external_accounts,
            "cluster_namespace": self.settings.cert_manager.namespace,
        }

    @property
    def access(self) -> dict[str, Dns01IdentityArgs]:
        """cert-manager's access to each zone that DNS-01 is proven in, by the component's name."""
        return proofs.access(self.settings, self.stack, self.pool)

    def caa(self, accounts: pulumi.Input[Mapping[str, pulumi.Input[str]]]) -> dict[str, CaaRecordsArgs]:
        """Who may sign for the hosts: the accounts of both issuers; by the component's name, one for each zone."""
        return proofs.caa_records(self.settings, accounts)

    @property
    def _external_accounts(self) -> dict[str, ExternalAccountArgs]:
        accounts: dict[str, ExternalAccountArgs] = {}
        for environment, account in self.settings.acme.external_account:
            if account is not None:
                args = {key: self._secret_if_encrypted("acme", value) for key, value in account if value is not None}
                if account.key_secret is not None:
                    args["key_secret"] = pulumi.Output.secret(account.key_secret)
                accounts[environment] = cast(ExternalAccountArgs, args)
        return accounts

    @property
    def issuer_scope(self) -> str:
        """Who can ask the stack's issuers, and for which names, in words."""
        acme = self.settings.acme
        if acme.issuer_kind == ISSUER:
            return f"Certificates in {self.settings.ingress.namespace}"
        domains = [f"{domain} and every name below it" for domain in acme.dns_zones]
        hosts = [host.host for view in self.settings.views for host in view.settings.hosts]
        listed = ", ".join([*hosts, *acme.dns_names, *domains])
        what = listed if self.settings.creates_issuers else "what the stack lists that made the issuers"
        return f"Certificates in any namespace, for {what}"

    @property
    def ingress(self) -> IngressGatewayArgs:
        """The existing Service."""
        by_http = bool(self.settings.hosts_proven_by(HTTP01))
        args = {**_shared(self.settings.ingress, IngressGatewayArgs), "plain": by_http}
        if by_http:
            args["http01"] = _shared(self.settings.ingress, Http01Args)
        return cast(IngressGatewayArgs, args)

    def address(self, ip: pulumi.Input[str]) -> ReservedAddressArgs:
        """The address that the Service has."""
        gke = self.settings.gke
        return {
            "ip": ip,
            "region": self.settings.region,
            "object_name": self.resource_name(f"gateway-{names.stack_suffix(self.stack)}"),
            "project": gke.project if gke else None,
        }

    def records(self, ip: pulumi.Input[str], ipv6: pulumi.Input[str | None]) -> DnsRecordsArgs:
        """Every host, at the gateway's addresses."""
        versions = addresses.FAMILIES[self.settings.ingress.family]
        args = {
            **_shared(self.settings.dns, DnsRecordsArgs),
            "hosts": self._hosts,
            "challenge_domain": proofs.challenge_domain(self.settings, self.challenge_domains),
            "challenge_hosts": self.delegations.get(self.name, []),
        }
        if 4 in versions:
            args["ip"] = ip
        if 6 in versions:
            args["ipv6"] = pulumi.Output.from_input(ipv6).apply(str)
        return cast(DnsRecordsArgs, args)

    @property
    def http(self) -> HttpGatewayArgs:
        """Port 80."""
        return {
            "gateway": istio.http_gateway_name(self.stack, self.name),
            "namespace": self.settings.ingress.namespace,
            "selector": self.settings.ingress.selector,
            "hosts": self._hosts,
        }

    def certificate(self, issuer: pulumi.Input[str]) -> GatewayCertificateArgs:
        """The certificates, signed by `issuer`."""
        section, acme = self.settings.certificate, self.settings.acme
        return {
            "namespace": self.settings.ingress.namespace,
            "issuer": issuer,
            "issuer_kind": acme.issuer_kind,
            "credentials": self._credentials,
            "key": cast(KeyArgs, _shared(section, KeyArgs)),
            "timeout": acme.timeout,
            "profile": acme.profile,
            "renew_before_percentage": section.renew_before_percentage,
        }

    @property
    def tls(self) -> TlsGatewayArgs:
        """Port 443."""
        section = _shared(self.settings.tls, TlsGatewayArgs)
        name_or_pem, secret = section.pop("client_ca", ""), self.settings.client_ca_secret
        args = {
            **{key: self._secret_if_encrypted("tls", value) for key, value in section.items()},
            "gateway": istio.tls_gateway_name(self.stack, self.name),
            "namespace": self.settings.ingress.namespace,
            "selector": self.settings.ingress.selector,
            "credentials": self._credentials,
            "hosts": [host.served for host in self.settings.hosts],
        }
        if secret is not None:
            args["client_ca"] = {"secret_name": secret}
            if client_ca.is_pem(name_or_pem):
                args["client_ca"]["certificates"] = self._secret_if_encrypted("tls", name_or_pem)
        return cast(TlsGatewayArgs, args)

    @property
    def mutual_tls(self) -> MutualTlsArgs:
        """What the sidecars of the applications take."""
        return {
            "mode": self.settings.mtls,
            "namespaces": self.settings.mesh_namespaces,
            "gateway_namespace": self.settings.ingress.namespace,
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
            "labels": self._secret_if_encrypted("alertLabels", self.settings.alert_labels),
        }

    @property
    def dashboard(self) -> CertificateDashboardArgs:
        """This stack's certificates, for Grafana."""
        return {
            "object_name": f"certificates-dashboard-{names.stack_suffix(self.stack)}",
            "namespace": self.settings.ingress.namespace,
            "certificates": self._watched,
            "certificates_namespace": self.settings.ingress.namespace,
            "title": f"Gateway certificates of {self.stack}",
            "labels": self._secret_if_encrypted("dashboardLabels", self.settings.dashboard_labels),
        }

    @property
    def _watched(self) -> list[str]:
        """The Certificates of all gateways; those in another namespace than the stack's own gateway, with it."""
        own = self.settings.ingress.namespace
        return [
            name if view.settings.ingress.namespace == own else f"{view.settings.ingress.namespace}/{name}"
            for view in self.settings.views
            for name in view.settings.certificates
        ]

    @property
    def _hosts(self) -> list[str]:
        return [host.host for host in self.settings.hosts]

    @property
    def _credentials(self) -> list[CredentialArgs]:
        return [{"secret_name": secret, "hosts": hosts} for secret, hosts in self.settings.certificates.items()]


def _shared(section: Section, args: Any) -> dict[str, Any]:
    """Return the fields of a section that an args class has as well; they have the same names and meaning."""
    return section.model_dump(include=set(args.__annotations__), exclude_none=True)
