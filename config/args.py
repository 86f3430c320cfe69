"""The args of the components that a stack has once; those of each gateway are in gateway_args.py."""

from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from typing import Any, cast

import pulumi

from components.caa_records import CaaRecordsArgs
from components.certificate_alerts import CertificateAlertsArgs
from components.certificate_dashboard import CertificateDashboardArgs
from components.challenge_delegations import ChallengeDelegationsArgs
from components.dns01_identity import Dns01IdentityArgs
from components.kube.kubeconfig import is_content
from components.mutual_tls import MutualTlsArgs
from components.reserved_hosts import ReservedHostsArgs
from components.shared_args import AcmeIssuersArgs, CertManagerArgs, ExternalAccountArgs
from components.shell import word
from components.specs import names
from components.specs.acme import ISSUER
from config import proofs
from config.cluster import ISSUER_COMMANDS, ingress_commands
from config.gateway_args import GatewayComposition, shared_fields
from config.lookups import Zone
from config.models import Settings
from config.problems import dotted


@dataclass(frozen=True)
class Composition:
    """The components' args for one stack."""

    settings: Settings
    stack: str
    """The stack's name, or the name that its objects have kept."""
    cluster: str | None
    """The kubeconfig: a path or content; None is the ambient one."""
    secrets: Set[str] = frozenset()
    """Keys of the config that hold a secret, as a whole or somewhere inside."""
    challenge_domains: Mapping[Zone, str] = field(default_factory=dict)
    """The domains of the zones that DNS-01 is proven in, of those that are not the zones of the hosts."""
    pool: str | None = None
    """The cluster's workload identity pool, if cert-manager is granted access by it."""

    @property
    def gateways(self) -> list[GatewayComposition]:
        """The part of each gateway; the stack's own first."""
        delegations = proofs.delegations(self.settings)
        return [
            GatewayComposition(
                view,
                self.stack,
                secret_tls=bool(self.secrets & ({"tls", "gateways"} if view.name else {"tls"})),
                challenge_domain=proofs.challenge_domain(view.settings, self.challenge_domains),
                delegated_hosts=delegations[view.name],
            )
            for view in self.settings.views
        ]

    def _secret_if_encrypted(self, key: str, value: Any) -> Any:
        """Return a value of a key as an input, which is a secret where the config has it as one."""
        return pulumi.Output.secret(value) if value is not None and key in self.secrets else value

    @property
    def commands(self) -> dict[str, Mapping[str, str]]:
        """The commands that set inputs, by component: a component reports them in place of the input."""
        commands: dict[str, Mapping[str, str]] = {
            gateway.resource_name("ingress"): ingress_commands(
                gateway.view.path,
                shares_service=gateway.view.shares_service,
                gke=self.settings.gke is not None,
                labels=gateway.settings.ingress.selector,
            )
            for gateway in self.gateways
        }
        for gateway in self.gateways:
            for part in gateway.settings.zone_parts:
                keys = {"take_over": ("takeOver",), "caa": ("caa",), "zone": (*part.path, "zone")}
                setting = {
                    name: f"pulumi config set --path {word(dotted([*gateway.view.path_of('dns'), *path]))}"
                    for name, path in keys.items()
                }
                commands |= {gateway.zone_resource(name, part): setting for name in ("dns", "delegations")}
        commands["issuers"] = ISSUER_COMMANDS
        commands["cert-manager"] = {
            "install": "pulumi config set --path certManager.install",
            "create_namespace": "pulumi config set --path certManager.createNamespace",
        }
        commands |= {name: {"role_id": "pulumi config set --path dns.workloadRole"} for name in self.access}
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
        section = shared_fields(self.settings.cert_manager, CertManagerArgs)
        secret = {key: self._secret_if_encrypted("certManager", value) for key, value in section.items()}
        plain = {key: section[key] for key in ("install", "namespace", "create_namespace", "pod_security")}
        return cast(CertManagerArgs, {**secret, **plain, "gateway_api": self.settings.uses_gateway_api})

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
    def delegations(self) -> dict[str, ChallengeDelegationsArgs]:
        """The CNAMEs to the zones that DNS-01 is proven in, by the component's name, one for each gateway and zone."""
        return {name: args for gateway in self.gateways for name, args in gateway.delegations.items()}

    @property
    def _external_accounts(self) -> dict[str, ExternalAccountArgs]:
        accounts: dict[str, ExternalAccountArgs] = {}
        for environment, account in self.settings.acme.external_account:
            if account is not None:
                args = {key: self._secret_if_encrypted("acme", value) for key, value in account if value is not None}
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
    def mutual_tls(self) -> MutualTlsArgs:
        """What the sidecars of the applications take."""
        return {
            "mode": self.settings.mtls,
            "namespaces": self.settings.mesh_namespaces,
            "gateway_namespace": self.settings.ingress.namespace,
        }

    @property
    def reserved_hosts(self) -> ReservedHostsArgs:
        """The hosts and Secrets of all gateways."""
        views = [view.settings for view in self.settings.views]
        namespaces = [name for view in views for name in (view.ingress.namespace, *view.ingress.routes_from)]
        return {
            "hosts": [host.host for view in views for host in view.hosts],
            "namespaces": list(dict.fromkeys(namespaces)),
            "owners": {host: owner for view in views for host, owner in view.owners.items()},
            "secrets": [secret for view in views for secret in view.certificates],
            "selectors": [dict(view.ingress.selector) for view in views],
            "object_name": f"reserved-hosts-{names.stack_suffix(self.stack)}",
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
