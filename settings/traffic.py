"""The sections about what is served: hosts, where their requests go, and the managed zone of their names."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from components.rules import values
from settings.fields import Domain, HostName, Identifier, KubernetesName, Port, Section

_PORT = Field(description="the Service's port, 1 to 65535", examples=[80])
_SERVICE = Field(description="a Service's name", examples=["NAME"])
_NAMESPACE = Field(description="a namespace's name", examples=["NAME"])
_PATH = Field("/", pattern=r"^/\S*$", description="a path prefix that begins with /", examples=["/"])


class Route(Section):
    """Where requests whose path begins with `path` go."""

    path: str = _PATH
    service: KubernetesName = _SERVICE
    namespace: KubernetesName = _NAMESPACE
    port: Port = _PORT


class Host(Section):
    """A name that is served, with one destination (inline) or several (`routes`)."""

    host: HostName = Field(description="a DNS name in the managed zone", examples=["shop.YOUR-DOMAIN"])
    service: KubernetesName | None = Field(None, description="a Service's name", examples=["NAME"])
    namespace: KubernetesName | None = Field(None, description="a namespace's name", examples=["NAME"])
    port: Port | None = Field(None, description="the Service's port, 1 to 65535", examples=[80])
    path: str = _PATH
    challenge: Literal["http01", "dns01"] | None = Field(
        None, description="http01 or dns01, if not what `challenge` says", examples=["dns01"]
    )
    routes: tuple[Route, ...] = Field((), description="a list of {path, service, namespace, port}")

    @property
    def destinations(self) -> tuple[Route, ...]:
        """The routes, in the config's order; the inline destination is the only one where there is no list."""
        inline = {"path": self.path, "service": self.service, "namespace": self.namespace, "port": self.port}
        return self.routes or (Route.model_validate(inline),)


class ChallengeZone(Section):
    """A zone for the TXT records of DNS-01 alone, to which a CNAME of each name leads."""

    zone: Identifier = Field(description="the name of a Cloud DNS managed zone", examples=["NAME"])
    project: Identifier | None = Field(None, description="the zone's project, if not gcp:project", examples=["PROJECT"])


class Dns(Section):
    """The Cloud DNS managed zone that the A records go to."""

    zone: Identifier = Field(description="the name of a Cloud DNS managed zone", examples=["NAME"])
    project: Identifier | None = Field(None, description="the zone's project, if not gcp:project", examples=["PROJECT"])
    ttl: int = Field(300, ge=1, le=86400, description="seconds, 1 to 86400", examples=[300])
    caa: bool = Field(
        False,
        description="true to let the issuers' own ACME accounts alone have certificates for the hosts (CAA records)",
        examples=[True],
    )
    caa_identities: tuple[Domain, ...] = Field(
        (),
        description="the CAs' domains in CAA records, `meta.caaIdentities` of the ACME servers' directories"
        " (default with Let's Encrypt's: letsencrypt.org)",
        examples=["CA-DOMAIN"],
    )
    challenge_zone: ChallengeZone | None = Field(
        None, description="an object with the keys zone, project: where DNS-01 is proven, if not in `dns.zone`"
    )
    workload_identity: bool = Field(
        False,
        description="true to let cert-manager's ServiceAccount write the zone that DNS-01 is proven in, by Workload"
        " Identity Federation for GKE; false where it has access already",
        examples=[True],
    )
    workload_pool: Annotated[str, AfterValidator(values.workload_pool)] | None = Field(
        None,
        description="the cluster's pool, projects/NUMBER/locations/global/workloadIdentityPools/PROJECT.svc.id.goog"
        " (default: that of gke.project or gcp:project)",
        examples=["projects/NUMBER/locations/global/workloadIdentityPools/PROJECT.svc.id.goog"],
    )
