"""The sections about what is served: hosts, where their requests go, and the managed zone of their names."""

from typing import Any

from pydantic import Field

from components.args import dump, model_in
from components.fields import AccountUid, Challenge, Domain, GoogleName, RoleId, Ttl, WorkloadPool
from components.routes import HostArgs, RouteArgs
from components.specs import names
from config.fields import Section, section_of

_route: Any = section_of(RouteArgs)
_host: Any = section_of(HostArgs)
INLINE = tuple(
    name
    for name, field in _route.model_fields.items()
    if name not in _host.model_fields and model_in(field.annotation) is None
)
"""The keys of a host that stand for a single route: those of a route, without its headers."""


class Host(section_of(RouteArgs, *INLINE, optional=True), section_of(HostArgs)):  # type: ignore[misc]
    """A name that is served, with one destination (inline), several (`routes`), or a redirect of the whole host."""

    challenge: Challenge | None = Field(
        None, description="http01 or dns01, if not the stack's `challenge`", examples=["dns01"]
    )

    @property
    def destinations(self) -> list[Any]:
        """The routes, in the config's order. A host that redirects has none, and one in maintenance may have none."""
        if self.routes or not self.inline:
            return self.routes or []
        return [_route.model_construct(**{key: getattr(self, key) for key in INLINE})]

    @property
    def services(self) -> list[Any]:
        """The Services of the routes, of their canaries and of their mirrors, each with its namespace."""
        routes = self.destinations
        return [service for route in routes for service in (route, route.canary, route.mirror) if service]

    @property
    def inline(self) -> list[str]:
        """The keys of a single route that are set in the host itself."""
        return [key for key in INLINE if key in self.model_fields_set]

    @property
    def served(self) -> dict[str, Any]:
        """The host as a component accepts it, a `HostArgs`."""
        fields = {name: getattr(self, name) for name in HostArgs.__annotations__}
        return {name: dump(value) for name, value in {**fields, "routes": self.destinations}.items()}


class ManagedZone(Section):
    """A managed zone of Cloud DNS."""

    zone: GoogleName = Field(description="the name of a Cloud DNS managed zone", examples=["NAME"])
    project: GoogleName | None = Field(None, description="the zone's project, if not gcp:project", examples=["PROJECT"])


class HostsZone(ManagedZone):
    """A managed zone of some of the hosts."""

    domain: Domain = Field(
        description="the zone's domain: hosts at or below it have their records there; of several, the longest one",
        examples=["YOUR-DOMAIN"],
    )


class Dns(ManagedZone):
    """The zone of the hosts' records."""

    zones: tuple[HostsZone, ...] = Field((), description="more zones; dns.zone is that of all other hosts")
    ttl: Ttl = Field(300, description="seconds that resolvers may cache the records for, 1 to 86400")
    take_over: bool = Field(
        False,
        description="true to take hosts away from other addresses than the gateway's, which their records have; where"
        " all hosts of a gateway are proven by dns01, when it serves them",
        examples=[True],
    )
    caa: bool = Field(
        False,
        description="true for CAA records that allow only the ACME accounts of the issuers certificates for the hosts",
        examples=[True],
    )
    caa_identities: tuple[Domain, ...] = Field(
        (),
        description="the CAs' domains in CAA records, `meta.caaIdentities` of the ACME servers' directories"
        " (default with Let's Encrypt's: letsencrypt.org)",
        examples=["CA-DOMAIN"],
    )
    challenge_zone: ManagedZone | None = Field(
        None, description="a zone for the TXT records of DNS-01 only, to which a CNAME of each name leads"
    )
    workload_identity: bool = Field(
        False,
        description="true to let cert-manager's ServiceAccount, of every cluster of the project without"
        " dns.workloadAccount, write the zone that DNS-01 is proven in, by Workload Identity Federation for GKE; false"
        " where it has access already",
        examples=[True],
    )
    workload_account: AccountUid | None = Field(
        None,
        description="the UID of cert-manager's ServiceAccount, which alone may then write the zone by"
        " dns.workloadIdentity",
    )
    workload_role: RoleId | None = Field(
        None,
        description="the id of the custom role that dns.workloadIdentity makes (default: certManagerDns01_STACK); the"
        " id of a deleted role is taken for 37 days",
        examples=["certManagerDns01_ID"],
    )
    workload_pool: WorkloadPool | None = Field(
        None,
        description="the cluster's pool, projects/NUMBER/locations/global/workloadIdentityPools/PROJECT.svc.id.goog"
        " (default: that of gke.project or gcp:project)",
        examples=["projects/NUMBER/locations/global/workloadIdentityPools/PROJECT.svc.id.goog"],
    )

    def zone_of(self, host: str) -> ManagedZone:
        """Return the zone in which a host has its records."""
        fitting = (zone for zone in self.zones if names.lies_in(zone.domain, host))
        return max(fitting, key=lambda zone: len(zone.domain), default=self)
