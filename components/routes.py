"""What a gateway serves, in whichever API it is written: hosts, their routes, and what contradicts itself in them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any, NotRequired, TypedDict

from .args import Path, with_cross_check
from .fields import (
    Default,
    Domain,
    HeaderName,
    HeaderValue,
    HostName,
    Input,
    KubernetesName,
    Method,
    NonEmpty,
    Origin,
    Percentage,
    Port,
    ResponseHeaders,
    Retries,
    Rewrite,
    RoutePath,
    RouteRegex,
    Seconds,
    Share,
    Ttl,
)
from .specs import headers, istio, names, patterns


def _match_conflicts(match: Mapping[str, Any]) -> Iterator[tuple[Path, str]]:
    if (match["exact"] is None) == (match["prefix"] is None):
        yield (), "set exactly one of exact or prefix"


@with_cross_check(_match_conflicts, "exact", "prefix")
class HeaderMatchArgs(TypedDict):
    """A header that a request must have: set exactly one of `exact` and `prefix`."""

    name: Input[HeaderName]
    """The header's name, in any case."""
    exact: NotRequired[Input[HeaderValue]]
    """The header's whole value."""
    prefix: NotRequired[Input[HeaderValue]]
    """The beginning of the header's value."""


def path_conflicts(route: Mapping[str, Any]) -> Iterator[tuple[Path, str]]:
    """Yield the problem of a route with two ways to match a path, or with a rewrite by groups that it does not have."""
    if len([key for key in PATHS if route[key] is not None]) > 1:
        yield (), "set exactly one of exact, path or regex"
    groups = patterns.last_group(route["rewrite"] or "")
    if groups and route["regex"] is None:
        yield ("rewrite",), f"names the group {groups}, and only regex has groups"
    elif groups and groups > patterns.group_count(route["regex"]):
        yield ("rewrite",), f"names the group {groups}, which regex does not have"


class CanaryArgs(TypedDict):
    """A second Service for a share of the requests of a route."""

    service: Input[KubernetesName]
    """The name of the Service."""
    namespace: Input[KubernetesName]
    """The namespace of the Service."""
    port: Input[Port]
    """The port of the Service."""
    weight: Input[Percentage]
    """Per cent of the requests that it gets."""


class MirrorArgs(TypedDict):
    """A second Service that gets copies of the requests of a route; its answers go nowhere."""

    service: Input[KubernetesName]
    """The name of the Service."""
    namespace: Input[KubernetesName]
    """The namespace of the Service."""
    port: Input[Port]
    """The port of the Service."""
    percent: NotRequired[Annotated[Input[Share], Default(100)]]
    """Per cent of the requests that are copied."""


def _cors_conflicts(cors: Mapping[str, Any]) -> Iterator[tuple[Path, str]]:
    if cors["allow_credentials"] and headers.ANY_ORIGIN in cors["allow_origins"]:
        yield ("allow_credentials",), "contradicts the origin *: every site could act for a user"


@with_cross_check(_cors_conflicts, "allow_origins", "allow_credentials")
class CorsArgs(TypedDict):
    """What pages of other origins may request by scripts (https://fetch.spec.whatwg.org/#http-cors-protocol)."""

    allow_origins: NonEmpty[Input[Origin]]
    """The origins of those pages."""
    allow_methods: NotRequired[Annotated[Sequence[Input[Method]], Default(())]]
    """Methods beside GET, HEAD and POST."""
    allow_headers: NotRequired[Annotated[Sequence[Input[HeaderName]], Default(())]]
    """Headers that requests may have."""
    expose_headers: NotRequired[Annotated[Sequence[Input[HeaderName]], Default(())]]
    """Headers of answers that scripts may read."""
    allow_credentials: NotRequired[Annotated[Input[bool], Default(False)]]
    """Whether requests may have cookies and client certificates."""
    max_age: NotRequired[Annotated[Input[Ttl], Default(5)]]
    """Seconds that browsers may keep the permission."""


PATHS = ("exact", "path", "regex")
"""The fields of a route that match a path."""


@with_cross_check(path_conflicts, *PATHS, "rewrite")
class RouteArgs(TypedDict):
    """Where requests for a path go: set at most one of `exact`, `path` and `regex`."""

    service: Input[KubernetesName]
    """The name of the Service."""
    namespace: Input[KubernetesName]
    """The namespace of the Service."""
    port: Input[Port]
    """The port of the Service."""
    path: NotRequired[Input[RoutePath]]
    """The beginning of the path of a request. Without `exact` and `regex`, the default is `/`."""
    exact: NotRequired[Input[RoutePath]]
    """The whole path of a request, without its query. It wins over every `path`."""
    regex: NotRequired[Input[RouteRegex]]
    """A regular expression for the whole path of a request, without its query. It is tried after every `exact` and
    `path`, except for the path `/`; of several, the longest comes first."""
    rewrite: NotRequired[Input[Rewrite]]
    """What the application gets in place of `path`, and the rest of the path after it; or, with `exact` and `regex`, in
    place of the whole path. `\\1` to `\\9` stand for groups of `regex`."""
    canary: NotRequired[CanaryArgs | None]
    """A second Service that gets some of the requests, such as a new version."""
    mirror: NotRequired[MirrorArgs | None]
    """A second Service that gets copies of the requests, to try a new version without its answers."""
    cors: NotRequired[CorsArgs | None]
    """What pages of other origins may request. The gateway answers their preflight requests itself."""
    headers: NotRequired[Annotated[Input[Sequence[HeaderMatchArgs]], Default(())]]
    """Headers that a request must have, all of them. Of routes with one path, the one with most headers comes first."""
    timeout: NotRequired[Input[Seconds]]
    """Seconds for the whole answer, retries included; then the client gets 504. Without it there is no limit."""
    retries: NotRequired[Input[Retries]]
    """How often a request that failed is sent again. Istio's default is 2."""
    response_headers: NotRequired[Annotated[Input[ResponseHeaders[Input[str]]], Default({})]]
    """Headers that are set on the answers of this route, beside those of the host."""


def host_conflicts(host: Mapping[str, Any]) -> Iterator[tuple[Path, str]]:
    """Yield what contradicts the rest of a `HostArgs` that has all its fields."""
    if host["owner"]:
        for key in ("routes", "redirect_to", "maintenance", "response_headers"):
            if host[key]:
                yield (key,), "contradicts owner: only the routes of that namespace answer"
        return
    if host["redirect_to"]:
        if host["redirect_to"] == host["host"]:
            yield ("redirect_to",), "is the host itself, so the redirect would never end"
        if host["routes"]:
            yield ("routes",), "contradicts the redirect of the whole host"
        if host["maintenance"]:
            yield ("maintenance",), "contradicts the redirect of the whole host"
    elif not host["routes"] and not host["maintenance"]:
        yield ("routes",), "is missing: a host has routes, an owner, a redirect, or is in maintenance"
    seen: set[Any] = set()
    for position, route in enumerate(host["routes"] or ()):
        requests = same_requests(route)
        if requests in seen:
            key = next((key for key in PATHS if route.get(key) is not None), "path")
            yield ("routes", position, key), "is the path of an earlier route with the same headers"
        seen.add(requests)


def same_requests(route: Mapping[str, Any]) -> Any:
    """Return what routes for the same requests have in common; only the first of them would ever be used."""
    matches = ((match["name"].lower(), match.get("exact"), match.get("prefix")) for match in route.get("headers") or ())
    return (*istio.path_of(route), frozenset(matches))


@with_cross_check(host_conflicts)
class HostArgs(TypedDict):
    """A name, with its routes or its other answer."""

    host: Input[HostName]
    """A DNS name; `*.` may lead it."""
    routes: NotRequired[Input[Sequence[RouteArgs]]]
    """In any order: the longest matching path wins. Required unless the host has an owner, redirects, or is in
    maintenance."""
    owner: NotRequired[KubernetesName | None]
    """A namespace whose VirtualServices or HTTPRoutes alone serve the host on port 443. The host then has no routes,
    redirect, maintenance or headers here."""
    redirect_to: NotRequired[Input[Domain]]
    """A DNS name that every request is redirected to (301), with its path and query. The host then has no routes."""
    maintenance: NotRequired[Annotated[Input[bool], Default(False)]]
    """True answers every request with 503 and Retry-After; routes, if there are any, are ignored meanwhile."""
    response_headers: NotRequired[Annotated[Input[ResponseHeaders[Input[str]]], Default({})]]
    """Headers that are set on every answer; they replace the application's own of the same names."""


def owners(hosts: Iterable[Mapping[str, Any]]) -> list[tuple[Any, str]]:
    """Return the hosts that have an owner, each with its owner's namespace."""
    return [(host["host"], host["owner"]) for host in hosts if host["owner"]]


def borrowed_routes(args: Mapping[str, Any]) -> Iterator[tuple[Path, str]]:
    """Yield the hosts that a namespace could serve through a wildcard above them, and not by themselves.

    Istio lets a namespace that has routes for a wildcard have routes for every name below it.
    """
    hosts, routes_from = args["hosts"], args["routes_from"]
    for wildcard in hosts if owners(hosts) else ():
        for position, host in enumerate(hosts):
            above, below, owner = wildcard["host"], host["host"], wildcard["owner"]
            if not names.is_wildcard(above) or above == below or not names.matches(above, below):
                continue
            if owner and host["owner"] != owner:
                what = f"is not {owner}, which could serve {below} through its {above}"
                yield ("hosts", position, "owner"), what
            elif not owner and host["owner"] and set(routes_from) - {host["owner"]}:
                what = f"could serve {below}, which has an owner, through {above}"
                yield ("routes_from",), what


def redirect_loop(targets: Mapping[str, str], host: str) -> list[str]:
    """Return the names through which a request for a host comes back to one of them; empty without a loop.

    `targets` has an empty text for hosts that do not redirect. A wildcard serves the names that no other host is.
    """
    seen = [host]
    while target := targets.get(_serving(targets, seen[-1]), ""):
        seen.append(target)
        if _serving(targets, target) in [_serving(targets, name) for name in seen[:-1]]:
            return seen
    return []


def _serving(hosts: Iterable[str], name: str) -> str:
    """Return the host that serves a name; the name itself where none does."""
    wildcard = f"{names.WILDCARD}{name.partition('.')[2]}"
    return wildcard if name not in hosts and wildcard in hosts else name
