"""The sections about what is served: hosts, where their requests go, and the managed zone of their names."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from components.fields import WorkloadPool
from components.specs import headers, istio, names
from config.fields import Domain, GoogleName, HostName, KubernetesName, Port, Section

_Path = Annotated[str, AfterValidator(headers.path_prefix)]
_Target = Annotated[str, AfterValidator(names.redirect_target)]
_HeaderName = Annotated[str, AfterValidator(headers.name)]
_HeaderValue = Annotated[str, AfterValidator(headers.value)]
_ResponseHeaders = Annotated[dict[str, str], AfterValidator(headers.response)]
_Timeout = Annotated[int, Field(ge=1, le=3600)]
_Retries = Annotated[int, Field(ge=0, le=istio.MAX_RETRIES)]

_PORT = Field(description="the Service's port, 1 to 65535", examples=[80])
_SERVICE = Field(description="a Service's name", examples=["NAME"])
_NAMESPACE = Field(description="a namespace's name", examples=["NAME"])
_PATH = Field(None, description="a path prefix that begins with / (default without exact: /)", examples=["/"])
_EXACT = Field(None, description="the whole path of a request, instead of path", examples=["/health"])
_TIMEOUT = Field(
    None,
    description="seconds for the whole answer, 1 to 3600; then the client gets 504 (default: no end)",
    examples=[60],
)
_RETRIES = Field(
    None,
    description="how often a request is sent again that the Service did not take, 0 to 10 (default: Istio's, 2)",
    examples=[2],
)


def _response_headers(of: str) -> Any:
    return Field(
        {},
        description=f"headers that are set on {of}: an object of names and values of visible ASCII",
        examples=['{"x-frame-options":"DENY"}'],
    )


class HeaderMatch(Section):
    """A header that a request must have: `exact` or `prefix` of its value."""

    name: _HeaderName = Field(description="the name of a header", examples=["x-version"])
    exact: _HeaderValue | None = Field(None, description="the header's whole value", examples=["beta"])
    prefix: _HeaderValue | None = Field(None, description="the beginning of the header's value", examples=["beta"])


class Route(Section):
    """The destination of requests whose path begins with `path`, or is `exact`, and that have `headers`."""

    path: _Path | None = _PATH
    exact: _Path | None = _EXACT
    headers: tuple[HeaderMatch, ...] = ()
    service: KubernetesName = _SERVICE
    namespace: KubernetesName = _NAMESPACE
    port: Port = _PORT
    timeout: _Timeout | None = _TIMEOUT
    retries: _Retries | None = _RETRIES
    response_headers: _ResponseHeaders = _response_headers("this route's answers")


class Host(Section):
    """A name that is served, with one destination (inline), several (`routes`), or a redirect of it all."""

    host: HostName = Field(description="a DNS name in the managed zone", examples=["shop.YOUR-DOMAIN"])
    service: KubernetesName | None = Field(None, description="a Service's name", examples=["NAME"])
    namespace: KubernetesName | None = Field(None, description="a namespace's name", examples=["NAME"])
    port: Port | None = Field(None, description="the Service's port, 1 to 65535", examples=[80])
    path: _Path | None = _PATH
    exact: _Path | None = _EXACT
    timeout: _Timeout | None = _TIMEOUT
    retries: _Retries | None = _RETRIES
    challenge: Literal["http01", "dns01"] | None = Field(
        None, description="http01 or dns01, if not what `challenge` says", examples=["dns01"]
    )
    routes: tuple[Route, ...] = ()
    redirect_to: _Target | None = Field(
        None,
        description="a DNS name that every request is redirected to, with its path and query",
        examples=["YOUR-DOMAIN"],
    )
    maintenance: bool = Field(
        False, description="true to answer every request with 503, false to serve", examples=[False]
    )
    response_headers: _ResponseHeaders = _response_headers("every answer of the host")

    @property
    def destinations(self) -> tuple[Route, ...]:
        """The routes, in the config's order; the inline destination is the only one where there is no list.

        A host that redirects has none, and one in maintenance may have none.
        """
        if self.routes or self.service is None:
            return self.routes
        return (Route.model_construct(**{key: getattr(self, key) for key in INLINE}),)

    @property
    def served(self) -> dict[str, Any]:
        """What the gateway serves, as `components.specs.istio` takes it."""
        return {
            "host": self.host,
            "routes": [route.model_dump() for route in self.destinations],
            "redirect_to": self.redirect_to,
            "maintenance": self.maintenance,
            "response_headers": self.response_headers,
        }


INLINE = tuple(name for name in Host.model_fields if name in Route.model_fields and name != "response_headers")
"""The keys of a host that stand for a single route."""


class ChallengeZone(Section):
    """A zone for the TXT records of DNS-01 alone, to which a CNAME of each name leads."""

    zone: GoogleName = Field(description="the name of a Cloud DNS managed zone", examples=["NAME"])
    project: GoogleName | None = Field(None, description="the zone's project, if not gcp:project", examples=["PROJECT"])


class Dns(Section):
    """The Cloud DNS managed zone that the A records go to."""

    zone: GoogleName = Field(description="the name of a Cloud DNS managed zone", examples=["NAME"])
    project: GoogleName | None = Field(None, description="the zone's project, if not gcp:project", examples=["PROJECT"])
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
        None, description="the zone in which DNS-01 is proven, if not `dns.zone`"
    )
    workload_identity: bool = Field(
        False,
        description="true to let cert-manager's ServiceAccount write the zone that DNS-01 is proven in, by Workload"
        " Identity Federation for GKE; false where it has access already",
        examples=[True],
    )
    workload_pool: WorkloadPool | None = Field(
        None,
        description="the cluster's pool, projects/NUMBER/locations/global/workloadIdentityPools/PROJECT.svc.id.goog"
        " (default: that of gke.project or gcp:project)",
        examples=["projects/NUMBER/locations/global/workloadIdentityPools/PROJECT.svc.id.goog"],
    )
