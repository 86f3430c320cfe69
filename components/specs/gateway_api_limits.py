"""What the Gateway API cannot say, of what Istio's own API can.

A listener has one host name. Envoy knows the routes of one listener in a connection (measured on Istio 1.31: the others
are answered 404, and not 421), so that hosts which a browser would ask for over one connection cannot have listeners of
their own: `connection_conflicts` finds them.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from . import apis, names, patterns
from .istio import path_of

MAX_RULES = 16
"""Of one HTTPRoute."""

MAX_ITEMS = 16
"""Headers in one match, and in one filter."""

MIN_VERSION = "1.2"
"""The lowest version of TLS that Envoy offers by default. Istio has a setting for the whole mesh
(`meshConfig.tlsDefaults`), and none for a listener (istio#59470)."""

Path = tuple[str | int, ...]
Conflict = tuple[Path, str, str]
"""Where in the inputs it is, what is wrong, and what is accepted."""


def host_conflicts(served: Mapping[str, Any], hsts: int = 0) -> Iterator[Conflict]:
    """Yield what an HTTPRoute cannot say of a `HostArgs`."""
    own = f"without it, or {apis.ISTIO} for the gateway's api"
    if served.get("maintenance"):
        what = "has no counterpart in the Gateway API: a route has no answer of its own but a redirect"
        accepted = f"{own}; nearest is a route to a Service that answers 503, or redirectTo"
        yield ("maintenance",), what, accepted
    common = len(served.get("response_headers") or {}) + bool(hsts)
    if common > MAX_ITEMS:
        what = f"has {common} headers with hsts"
        yield ("response_headers",), what, f"at most {MAX_ITEMS} headers in one filter of the Gateway API"
    routes = served.get("routes") or ()
    if len(routes) > MAX_RULES:
        yield ("routes",), f"has {len(routes)} routes", f"at most {MAX_RULES} rules in one HTTPRoute of the Gateway API"
    broad = any(path_of(route) == ("prefix", "/") for route in routes)
    for position, route in enumerate(routes):
        where = ("routes", position)
        if route.get("retries") is not None:
            what = "is only in the experimental channel of the Gateway API"
            yield (
                (*where, "retries"),
                what,
                f"{own}; nearest is Istio's default, which sends a failed request twice more",
            )
        kind, path = path_of(route)
        if kind == "regex" and broad:
            # `getURIRank` in pilot/pkg/config/kube/gateway/conversion.go of Istio 1.31.
            what = "is tried after every path, and the host has a route for the path /"
            yield (*where, "regex"), what, f"regex /.* in place of that path, or {own}"
        if patterns.last_group(route.get("rewrite") or ""):
            yield (*where, "rewrite"), "has groups, which the Gateway API does not know", f"a path without them; {own}"
        elif route.get("rewrite") and (kind, path) == ("prefix", "/"):
            what = "replaces the path /, and Istio joins it and the rest of the path without a slash"
            yield (*where, "rewrite"), what, f"rewrite of a longer path; {own}"
        if kind == "prefix" and path != "/" and path.endswith("/"):
            what = "ends in a slash, and the Gateway API compares whole parts of a path"
            yield (*where, "path"), what, f"{path.rstrip('/')}, which is the path itself and every path below it"
        for key, count in (
            ("headers", len(route.get("headers") or ())),
            ("response_headers", common + len(route.get("response_headers") or {})),
        ):
            if count > MAX_ITEMS >= common:
                what = f"has {count} headers" + (" with those of the host" if key == "response_headers" else "")
                yield (*where, key), what, f"at most {MAX_ITEMS} headers in one match or filter of the Gateway API"


def connection_conflicts(credentials: Sequence[Sequence[str]]) -> Iterator[tuple[str, str]]:
    """Yield pairs of hosts that a browser asks for over one connection; `credentials` are each certificate's hosts.

    It does so where the certificate of the connection covers both.
    """
    every = [host for hosts in credentials for host in hosts]
    for hosts in credentials:
        for host in hosts:
            for other in every:
                if other != host and any(names.covers(name, other) for name in hosts):
                    yield host, other
