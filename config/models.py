"""The shape of the stack config; each section is in a file of its own subject."""

from typing import Annotated, Literal, NamedTuple

from pydantic import BeforeValidator, Field
from pydantic.alias_generators import to_camel

from components.fields import Api, Challenge, GoogleName, KubernetesName, Labels, Line, Selector
from components.specs import apis, caa, client_ca
from components.specs.acme import HTTP01, group_names
from components.specs.addresses import region_of
from components.specs.dashboard import LABELS as DASHBOARD_LABELS
from config.cluster import CertManager, Gke, Ingress
from config.fields import Section, text
from config.signing import Acme, Certificate, Tls
from config.traffic import Dns, Host, ManagedZone


class Gateway(Section):
    """Another gateway of the cluster. The stack's own keys apply where it has none."""

    name: KubernetesName = Field(
        description="a name, the prefix of its resources and its Istio Gateways", examples=["internal"]
    )
    ingress: Ingress | None = Field(
        None, description="without it, the gateway is the stack's own: for hosts with another `tls`, for instance"
    )
    hosts: tuple[Host, ...] = Field(min_length=1)
    api: Api | None = Field(None, description="istio or gateway", examples=["gateway"])
    challenge: Challenge | None = Field(None, description="http01 or dns01", examples=["dns01"])
    dns: Dns | None = None
    certificate: Certificate | None = Field(None, description="secretName is NAME-certs by default")
    tls: Tls | None = None


class ZonePart(NamedTuple):
    """The part of a gateway in one managed zone: the hosts that have their records there."""

    path: tuple[str | int, ...]
    """The path of the zone below `dns`: `()`, or `("zones", 0)`."""
    domain: str | None
    """The zone's domain, as the config states it; None for `dns.zone`."""
    settings: "Settings"
    """As if these hosts were the only ones of the gateway, and the zone `dns.zone`."""

    @property
    def zone(self) -> tuple[str, str | None]:
        """The zone's name, and its project if that is not gcp:project."""
        return self.settings.dns.zone, self.settings.dns.project


class View(NamedTuple):
    """A config as if one of its gateways were the only one."""

    name: str
    """Empty for the gateway of the stack's own keys."""
    path: tuple[str | int, ...]
    """The gateway's place in the config: `()`, or `("gateways", 0)`."""
    settings: "Settings"
    """With the stack's own keys where the gateway has none."""
    own: frozenset[str]
    """The keys that the gateway has itself."""

    @property
    def shares_service(self) -> bool:
        """Whether the Service is that of the stack's own keys."""
        return "ingress" not in self.own

    def path_of(self, key: str) -> tuple[str | int, ...]:
        """Return the place of a key in the config: the stack's own key where the gateway has none."""
        return (*self.path, key) if key in self.own else (key,)


class Settings(Section):
    """The whole config of a stack."""

    gcp_project: GoogleName = Field(
        alias="gcp:project", description="the project of the DNS zone", examples=["PROJECT"]
    )
    production: bool = Field(
        False,
        description="true for a stack that users depend on: policies then require protection and trusted certificates",
        examples=[True],
    )
    # It may hold credentials: a report does not show what `repr` does not.
    kubeconfig: Annotated[str, BeforeValidator(text)] | None = Field(
        None, repr=False, description="a path or the content of a kubeconfig", examples=["PATH"]
    )
    context: Line | None = Field(None, description="a context of the kubeconfig")
    cluster_identifier: Line | None = Field(
        None,
        description="an identifier of the cluster that stays the same when its endpoint or CA changes"
        " (default with gke: its project, location and name)",
    )
    gke: Gke | None = None
    acme: Acme
    api: Api = Field(
        "istio",
        description="istio (Gateways and VirtualServices of Istio) or gateway (the Gateway API of Kubernetes)",
        examples=["gateway"],
    )
    challenge: Challenge = Field("http01", description="http01 or dns01, for hosts that have no `challenge`")
    hosts: tuple[Host, ...] = Field(min_length=1)
    dns: Dns
    gateways: tuple[Gateway, ...] = Field((), description="other gateways of the cluster")
    ingress: Ingress = Ingress()
    cert_manager: CertManager = CertManager()
    certificate: Certificate = Certificate()
    tls: Tls = Tls()
    mtls: Literal["off", "permissive", "strict"] = Field(
        "off",
        description="what the sidecars in the applications' namespaces accept: off (Istio's own setting), permissive"
        " (mutual TLS and plain text) or strict (mutual TLS only)",
        examples=["permissive"],
    )
    alerts: Literal["off", "prometheus", "gmp"] = Field(
        "off",
        description="off, prometheus (the Prometheus Operator) or gmp (Google Cloud Managed Service for Prometheus)",
        examples=["gmp"],
    )
    alert_labels: Labels[str] = Field(
        {},
        description="labels by which a Prometheus selects rules and monitors",
        examples=['{"release":"kube-prometheus-stack"}'],
    )
    dashboard: bool = Field(
        False, description="true for a Grafana dashboard of the certificates, as a ConfigMap", examples=[True]
    )
    dashboard_labels: Selector[str] = Field(
        DASHBOARD_LABELS,
        description="labels by which Grafana's sidecar selects ConfigMaps",
        examples=['{"grafana_dashboard":"1"}'],
    )
    reserve_hosts: bool = Field(
        False,
        description="true for a ValidatingAdmissionPolicy (Kubernetes 1.30) that refuses Gateways, routes, Ingresses"
        " and ACME Orders with a host of the stack, unless they are in a namespace of its gateways or of"
        " `ingress.routesFrom`; routes of a host's `owner` may name it",
        examples=[True],
    )
    protect: bool = Field(False, description="true or false", examples=[True])
    stack_name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,100}$")] | None = Field(
        None,
        description="letters, digits, `_`, `.`, `-`: what objects are named after (default: the stack's name). It is"
        " set to the old name before a stack is renamed",
        examples=["NAME"],
    )

    @property
    def creates_issuers(self) -> bool:
        """Whether this stack makes the issuers; by default they come with cert-manager."""
        create = self.acme.create_issuers
        return self.cert_manager.install if create is None else create

    def hosts_proven_by(self, challenge: str) -> list[str]:
        """Return the hosts whose ownership is proven by `http01` or `dns01`."""
        return [host for host, own in self.challenges.items() if own == challenge]

    @property
    def proves_over_http(self) -> bool:
        """Whether a host is proven by HTTP-01: the CA asks for it at port 80 of the gateway."""
        return HTTP01 in self.challenges.values()

    @property
    def uses_gateway_api(self) -> bool:
        """Whether a gateway is written in the Gateway API."""
        return any(view.settings.api == apis.GATEWAY for view in self.views)

    @property
    def challenges(self) -> dict[str, str]:
        """The challenge of each host, in the config's order."""
        return {host.host: host.challenge or self.challenge for host in self.hosts}

    @property
    def caa_identities(self) -> list[str] | None:
        """The CAs' domains, as CAA records have them; None where they are unknown."""
        servers = self.acme.servers
        return list(self.dns.caa_identities) or caa.identities([servers.staging, servers.prod])

    @property
    def zone_parts(self) -> list[ZonePart]:
        """The part in each managed zone that has hosts, that of `dns.zone` first."""
        parts = [ZonePart((), None, self._in_zone(self.dns))]
        parts += [
            ZonePart(("zones", number), zone.domain, self._in_zone(zone)) for number, zone in enumerate(self.dns.zones)
        ]
        return [part for part in parts if part.settings.hosts]

    def _in_zone(self, zone: ManagedZone) -> "Settings":
        hosts = tuple(host for host in self.hosts if self.dns.zone_of(host.host) is zone)
        dns = self.dns.model_copy(update={"zone": zone.zone, "project": zone.project, "zones": ()})
        return self.model_copy(update={"hosts": hosts, "dns": dns, "gateways": ()})

    @property
    def views(self) -> list[View]:
        """Each gateway's part, the one of the stack's own keys first."""
        own = View("", (), self, frozenset(map(to_camel, Settings.model_fields)))
        return [own, *(self._view(number, gateway) for number, gateway in enumerate(self.gateways))]

    def _view(self, number: int, gateway: Gateway) -> View:
        changes = {key: value for key in SHARED if (value := getattr(gateway, key)) is not None}
        certificate = gateway.certificate or self.certificate
        if gateway.certificate is None or "secret_name" not in gateway.certificate.model_fields_set:
            certificate = certificate.model_copy(update={"secret_name": f"{gateway.name}-certs"})
        changes |= {"certificate": certificate, "gateways": ()}
        own = frozenset(to_camel(key) for key in gateway.model_fields_set if getattr(gateway, key) is not None)
        return View(gateway.name, ("gateways", number), self.model_copy(update=changes), own)

    @property
    def owners(self) -> dict[str, str]:
        """The owner's namespace of each host that has one."""
        return {host.host: host.owner for host in self.hosts if host.owner}

    @property
    def application_namespaces(self) -> list[str]:
        """The namespaces of the hosts' applications, of all gateways."""
        hosts = (host for view in self.views for host in view.settings.hosts)
        return sorted({service.namespace for host in hosts for service in host.services if service.namespace})

    @property
    def mesh_namespaces(self) -> list[str]:
        """The applications' namespaces that `mtls` applies to; the solvers keep it out of the gateways' own."""
        gateways = {view.settings.ingress.namespace for view in self.views}
        return [name for name in self.application_namespaces if self.mtls != "off" and name not in gateways]

    @property
    def client_ca_secret(self) -> str | None:
        """The Secret with the CA of client certificates, by default one beside that of the first certificate."""
        name_or_pem = self.tls.client_ca
        if name_or_pem is None or not client_ca.is_pem(name_or_pem):
            return name_or_pem
        return client_ca.reference(self.certificate.secret_name)

    @property
    def region(self) -> str:
        """The region of the gateway's load balancer; empty where it is unknown."""
        return self.ingress.region or (region_of(self.gke.location) if self.gke and self.gke.location else "")

    @property
    def certificates(self) -> dict[str, list[str]]:
        """The hosts of each Certificate, by the name that it shares with its Secret."""
        section = self.certificate
        hosts = [host.host for host in self.hosts]
        return group_names(hosts, section.grouping, section.secret_name, self.acme.profile)


SHARED = tuple(name for name in Gateway.model_fields if name in Settings.model_fields)
"""The keys of the stack that a gateway may have itself."""
