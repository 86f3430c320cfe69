"""The shape of the stack config; each section is in a file of its own subject."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from components.rules.acme import group_names
from components.rules.addresses import region_of
from components.rules.dashboard import LABELS as DASHBOARD_LABELS
from settings.cluster import CertManager, Gke, Ingress
from settings.fields import Identifier, Section, text
from settings.signing import Acme, Certificate, Tls
from settings.traffic import Dns, Host


class Settings(Section):
    """The whole config of a stack."""

    gcp_project: Identifier = Field(
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
    context: str | None = Field(None, description="a context of the kubeconfig")
    cluster_identifier: str | None = Field(
        None,
        description="a name of the cluster, by which it stays the same one when its endpoint or CA changes"
        " (default with gke: its project, location and name)",
    )
    gke: Gke | None = Field(None, description="an object with the keys cluster, location")
    acme: Acme = Field(description="an object with the keys email, issuer")
    challenge: Literal["http01", "dns01"] = Field("http01", description="http01 or dns01", examples=["http01"])
    hosts: tuple[Host, ...] = Field(min_length=1, description="a list of at least one {host, service, namespace, port}")
    dns: Dns = Field(description="an object with the keys zone, project, ttl")
    ingress: Ingress = Field(Ingress(), description="an object with the keys namespace, service, selector")
    cert_manager: CertManager = Field(CertManager(), description="an object with the keys install, version, values")
    certificate: Certificate = Field(Certificate(), description="an object with the keys grouping, algorithm, size")
    tls: Tls = Field(Tls(), description="an object with the keys minVersion, cipherSuites, hsts")
    alerts: Literal["off", "prometheus", "gmp"] = Field(
        "off",
        description="off, prometheus (the Prometheus Operator) or gmp (Google Cloud Managed Service for Prometheus)",
        examples=["gmp"],
    )
    alert_labels: dict[str, str] = Field(
        {},
        description="labels by which a Prometheus selects rules and monitors",
        examples=['\'{"release":"kube-prometheus-stack"}\''],
    )
    dashboard: bool = Field(
        False, description="true for a Grafana dashboard of the certificates, as a ConfigMap", examples=[True]
    )
    dashboard_labels: dict[str, str] = Field(
        DASHBOARD_LABELS,
        min_length=1,
        description="labels by which Grafana's sidecar selects ConfigMaps",
        examples=['\'{"grafana_dashboard":"1"}\''],
    )
    protect: bool = Field(False, description="true or false", examples=[True])

    @property
    def creates_issuers(self) -> bool:
        """Whether this stack makes the issuers; by default they come with cert-manager."""
        create = self.acme.create_issuers
        return self.cert_manager.install if create is None else create

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
