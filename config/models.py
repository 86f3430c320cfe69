"""The shape of the stack config; each section is in a file of its own subject."""

from typing import Annotated, Literal, NamedTuple

from pydantic import BeforeValidator, Field

from components.specs import caa, client_ca
from components.specs.acme import group_names
from components.specs.addresses import region_of
from components.specs.dashboard import LABELS as DASHBOARD_LABELS
from config.cluster import CertManager, Gke, Ingress
from config.fields import GoogleName, KubernetesName, Labels, Line, Section, text
from config.signing import Acme, Certificate, Tls
from config.traffic import Dns, Host

Challenge = Literal["http01", "dns01"]


class Gateway(Section):
    """Another gateway of the cluster. What is not given here is as the stack's own keys have it."""

    name: KubernetesName = Field(
        description="a name, which its resources and its Istio Gateways begin with", examples=["internal"]
    )
    ingress: Ingress = Field(description="an object with the keys namespace, service, selector")
    hosts: tuple[Host, ...] = Field(min_length=1, description="a list of at least one {host, service, namespace, port}")
    challenge: Challenge | None = Field(None, description="http01 or dns01", examples=["dns01"])
    dns: Dns | None = Field(None, description="an object with the keys zone, project, ttl")
    certificate: Certificate | None = Field(
        None,
        description="an object with the keys secretName, grouping, algorithm (default of secretName: NAME-certs)",
    )
    tls: Tls | None = Field(None, description="an object with the keys minVersion, cipherSuites, hsts")


class View(NamedTuple):
    """One gateway's part of a config."""

    name: str
    """Empty for the gateway of the stack's own keys."""
    path: tuple[str | int, ...]
    """Where in the config it is: `()`, or `("gateways", 0)`."""
    settings: "Settings"
    """The config as if the gateway were the only one."""


class Settings(Section):
    """The whole config of a stack."""

    gcp_project: GoogleName = Field(
        alias="gcp:project", description="the project of the DNS zone", examples=["PROJECT"]
    )
    production: bool = Field(
        False,
        description="true where users depend on it: the policies then ask for protection and trusted certificates",
        examples=[True],
    )
    # What is not in `repr` is not in a report either: it may hold credentials.
    kubeconfig: Annotated[str, BeforeValidator(text)] | None = Field(
        None, repr=False, description="a path or the content of a kubeconfig", examples=["PATH"]
    )
    context: Line | None = Field(None, description="a context of the kubeconfig")
    cluster_identifier: Line | None = Field(
        None,
        description="a name of the cluster, by which it stays the same one when its endpoint or CA changes"
        " (default with gke: its project, location and name)",
    )
    gke: Gke | None = Field(None, description="an object with the keys cluster, location")
    acme: Acme = Field(description="an object with the keys email, issuer")
    challenge: Challenge = Field(
        "http01", description="http01 or dns01, for hosts that do not say it themselves", examples=["http01"]
    )
    hosts: tuple[Host, ...] = Field(min_length=1, description="a list of at least one {host, service, namespace, port}")
    dns: Dns = Field(description="an object with the keys zone, project, ttl")
    gateways: tuple[Gateway, ...] = Field(
        (), description="other gateways of the cluster: a list of {name, ingress, hosts}"
    )
    ingress: Ingress = Field(Ingress(), description="an object with the keys namespace, service, selector")
    cert_manager: CertManager = Field(CertManager(), description="an object with the keys install, version, values")
    certificate: Certificate = Field(Certificate(), description="an object with the keys grouping, algorithm, size")
    tls: Tls = Field(Tls(), description="an object with the keys minVersion, cipherSuites, clientCa, hsts")
    mtls: Literal["off", "permissive", "strict"] = Field(
        "off",
        description="what the sidecars of the applications' namespaces take from the mesh: off (as Istio has it),"
        " permissive (plain text as well) or strict (mutual TLS alone)",
        examples=["permissive"],
    )
    alerts: Literal["off", "prometheus", "gmp"] = Field(
        "off",
        description="off, prometheus (the Prometheus Operator) or gmp (Google Cloud Managed Service for Prometheus)",
        examples=["gmp"],
    )
    alert_labels: Labels = Field(
        {},
        description="labels by which a Prometheus selects rules and monitors",
        examples=['{"release":"kube-prometheus-stack"}'],
    )
    dashboard: bool = Field(
        False, description="true for a Grafana dashboard of the certificates, as a ConfigMap", examples=[True]
    )
    dashboard_labels: Labels = Field(
        DASHBOARD_LABELS,
        min_length=1,
        description="labels by which Grafana's sidecar selects ConfigMaps",
        examples=['{"grafana_dashboard":"1"}'],
    )
    protect: bool = Field(False, description="true or false", examples=[True])

    @property
    def creates_issuers(self) -> bool:
        """Whether this stack makes the issuers; by default they come with cert-manager."""
        create = self.acme.create_issuers
        return self.cert_manager.install if create is None else create

    def hosts_proven_by(self, challenge: str) -> list[str]:
        """Return the hosts whose ownership is proven by `http01` or `dns01`."""
        return [host for host, own in self.challenges.items() if own == challenge]

    @property
    def challenges(self) -> dict[str, str]:
        """How each host is proven, in the config's order."""
        return {host.host: host.challenge or self.challenge for host in self.hosts}

    @property
    def caa_identities(self) -> list[str] | None:
        """The CAs' domains, as CAA records have them; None where nobody says."""
        servers = self.acme.servers
        return list(self.dns.caa_identities) or caa.identities([servers.staging, servers.prod])

    @property
    def views(self) -> list[View]:
        """Each gateway's part, the one of the stack's own keys first."""
        return [View("", (), self), *(self._view(number, each) for number, each in enumerate(self.gateways))]

    def _view(self, number: int, gateway: Gateway) -> View:
        given = {key: value for key in OF_A_GATEWAY if (value := getattr(gateway, key)) is not None}
        certificate = gateway.certificate or self.certificate
        if gateway.certificate is None or "secret_name" not in gateway.certificate.model_fields_set:
            certificate = certificate.model_copy(update={"secret_name": f"{gateway.name}-certs"})
        return View(
            gateway.name,
            ("gateways", number),
            self.model_copy(update={**given, "certificate": certificate, "gateways": ()}),
        )

    @property
    def application_namespaces(self) -> list[str]:
        """Where the hosts' applications are, of all gateways, each namespace once."""
        hosts = (host for view in self.views for host in view.settings.hosts)
        return sorted({route.namespace for host in hosts for route in host.destinations})

    @property
    def mesh_namespaces(self) -> list[str]:
        """The applications' namespaces that `mtls` is for: the gateways' own are left as they are, for the solvers."""
        gateways = {view.settings.ingress.namespace for view in self.views}
        return [each for each in self.application_namespaces if self.mtls != "off" and each not in gateways]

    @property
    def client_ca_secret(self) -> str | None:
        """The Secret with the CA of client certificates: the named one, or the one that is made beside the first."""
        given = self.tls.client_ca
        if given is None or not client_ca.is_pem(given):
            return given
        return client_ca.reference(self.certificate.secret_name)

    @property
    def region(self) -> str:
        """The region of the gateway's load balancer; empty where nothing says it."""
        return self.ingress.region or (region_of(self.gke.location) if self.gke else "")

    @property
    def certificates(self) -> dict[str, list[str]]:
        """The hosts of each certificate, by its Secret, which the Certificate is named after."""
        given = self.certificate
        hosts = [host.host for host in self.hosts]
        return group_names(hosts, given.grouping, given.secret_name, self.acme.profile)


OF_A_GATEWAY = tuple(name for name in Gateway.model_fields if name in Settings.model_fields)
"""The keys that each gateway may have of its own."""
