"""What the gateway serves: Istio's Gateways and VirtualServices as specs, and their names.

Two traps shape them, and both break the first issuance or leak plain HTTP:

- `httpsRedirect: true` answers the HTTP-01 solver's path with a redirect as well (istio#27643). The redirect is a route
  without a match instead: a catch-all, which Istio sorts after the solver's exact path.
- A single Gateway with both ports would serve the application on port 80. There are two, and routes to applications
  name only the one of port 443.

A host without a namespace before it would accept routes of every namespace: a VirtualService anywhere could take a path
of it, since Istio sorts the prefix `/` after all other paths.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from . import client_ca, headers, names, tls

REDIRECT_CODE = 301

NAMESPACE = "istio-system"
"""Of the gateway that Istio's own charts install, and of its Pods, whose Secrets istiod hands to it."""

SERVICE = "istio-ingressgateway"
"""Its Service."""

CREDENTIAL = "istio-ingressgateway-certs"
"""The Secret that holds its certificate, by the name that Istio's documents have always used."""
MAINTENANCE_CODE = 503
MAINTENANCE_BODY = "Down for maintenance. Please try again later.\n"
RETRY_AFTER = 300
"""Seconds after which a client may ask again for a host in maintenance."""

MAX_RETRIES = 10

ANY_NAMESPACE = "*"
"""Stands for all namespaces, before a Gateway's host as well as in `routes_from`."""

GROUP = "networking.istio.io"
VERSION = f"{GROUP}/v1"

GATEWAY_SERVICE = "internal.istio.io/gateway-service"
"""Annotation: the host name of the Service whose Pods serve a Gateway, in place of its selector."""

MESH = "mesh"
"""A VirtualService's name for all sidecars, among its Gateways."""

OWN_NAMESPACE = "."
"""Before a Gateway's host: the Gateway's own namespace."""

SELECTOR = {"istio": "ingressgateway"}
"""The label that Istio's own gateway chart puts on the Pods of an ingress gateway of the usual name."""


def http_gateway_name(stack: str, gateway: str = "") -> str:
    """Return the name of a stack's Gateway of port 80, and of the VirtualService that redirects."""
    return "-".join(part for part in ("http", names.stack_suffix(stack), gateway) if part)


def tls_gateway_name(stack: str, gateway: str = "") -> str:
    """Return the name of a stack's Gateway of port 443, as `http_gateway_name` does."""
    return "-".join(part for part in ("tls", names.stack_suffix(stack), gateway) if part)


def gateway_hosts(
    hosts: Sequence[str], routes_from: Sequence[str] = (), owners: Mapping[str, str] | None = None
) -> list[str]:
    """Return hosts as a Gateway lists them, each with the namespaces from which it accepts routes.

    A host in `owners` accepts those of one namespace. The others accept those of the Gateway's own, and of
    `routes_from`.
    """
    listed: list[str] = []
    for host in hosts:
        namespaces = [owners[host]] if owners and host in owners else [OWN_NAMESPACE, *routes_from]
        qualified = [f"{namespace}/{host}" for namespace in namespaces]
        listed += [host] if ANY_NAMESPACE in namespaces else qualified
    return listed


def route_namespaces(own: str, routes_from: Collection[str]) -> set[str]:
    """Return the namespaces from which a Gateway accepts routes for a host without an owner, `*` for all."""
    return {ANY_NAMESPACE} if ANY_NAMESPACE in routes_from else {own, *routes_from}


def split_host(listed: str, namespace: str) -> tuple[str, str]:
    """Return the namespace from which a Gateway's host accepts routes, `*` for all, and the host in lower case.

    Args:
        listed: The host as the Gateway lists it: `HOST`, `./HOST`, `*/HOST` or `NAMESPACE/HOST`.
        namespace: The Gateway's own namespace.
    """
    accepted, _, host = listed.rpartition("/")
    return namespace if accepted == OWN_NAMESPACE else accepted or ANY_NAMESPACE, host.lower()


def resolve_gateway(reference: str, namespace: str) -> tuple[str, str]:
    """Return the namespace and name of the Gateway that a VirtualService of a namespace refers to.

    `NAME`, `NAMESPACE/NAME`, `./NAME`, and the old forms `NAME.NAMESPACE` and `NAME.NAMESPACE.svc.cluster.local`.
    """
    place, slash, name = reference.partition("/")
    if slash:
        return (namespace if place == OWN_NAMESPACE else place), name
    name, dot, rest = reference.partition(".")
    return (rest.partition(".")[0] if dot else namespace), name


def http_gateway_spec(
    selector: Any, hosts: Sequence[Any], routes_from: Sequence[Any] = (), owned_hosts: Sequence[Any] = ()
) -> dict[str, Any]:
    """Return the Gateway of port 80; its hosts are listed, so that two stacks can share a gateway.

    The redirect and the solvers' routes are in the Gateway's namespace, also those of `owned_hosts`.
    """
    port = {"number": 80, "name": "http", "protocol": "HTTP"}
    listed = gateway_hosts(hosts, routes_from, dict.fromkeys(owned_hosts, OWN_NAMESPACE))
    return {"selector": selector, "servers": [{"port": port, "hosts": listed}]}


def redirect_spec(gateway: Any, hosts: Sequence[Any]) -> dict[str, Any]:
    """Return the VirtualService that redirects to HTTPS: no match, on the Gateway of port 80 alone.

    Istio refuses hosts that another one of them takes ("duplicate hosts"), and redirects them with it.
    """
    wildcards = list(filter(names.is_wildcard, hosts))
    return {
        "hosts": [
            host
            for host in hosts
            if not any(wildcard != host and names.matches(wildcard, host) for wildcard in wildcards)
        ],
        "gateways": [gateway],
        "http": [{"redirect": {"scheme": "https", "redirectCode": REDIRECT_CODE}}],
    }


def tls_gateway_spec(
    selector: Any,
    credentials: Sequence[tuple[Any, Sequence[Any]]],
    min_version: str,
    cipher_suites: Sequence[str],
    client_ca_secret: str | None = None,
    routes_from: Sequence[Any] = (),
    owners: Sequence[tuple[Any, Any]] = (),
) -> dict[str, Any]:
    """Return the Gateway of port 443: one server per certificate, since a server presents one.

    `credentials` are each certificate's Secret and the hosts that it is presented for; `owners` are hosts, each with
    the namespace of its owner.
    """
    # Istio hardens nothing that is not written here, and TLS 1.3 takes no list of ciphers.
    hardened: dict[str, Any] = {"mode": "SIMPLE", "minProtocolVersion": tls.istio_version(min_version)}
    if client_ca_secret:
        hardened |= {"mode": "MUTUAL", "caCertCredentialName": client_ca.reference(client_ca_secret)}
    if min_version == "1.2":
        hardened["cipherSuites"] = list(cipher_suites)
    return {
        "selector": selector,
        "servers": [
            {
                # Port names are unique in a Gateway.
                "port": {"number": 443, "name": f"https-{number}" if number > 1 else "https", "protocol": "HTTPS"},
                "hosts": gateway_hosts(hosts, routes_from, dict(owners)),
                "tls": {**hardened, "credentialName": secret},
            }
            for number, (secret, hosts) in enumerate(credentials, start=1)
        ],
    }


def virtual_service_spec(
    gateway: Any, served: Mapping[str, Any], hsts: int = 0, others: Sequence[str] = ()
) -> dict[str, Any]:
    """Return a host's VirtualService on the Gateway of port 443 alone: its routes, its redirect, or its maintenance.

    Istio takes the first route that matches, and `/` matches everything: exact paths come first, then the longest
    prefix, and of one length the route that asks for the most headers. Regular expressions come before `/` alone, as in
    the Gateway API.

    `served` is a `HostArgs`. Istio gives a host the routes of a wildcard above it as well, and those first that are
    older: the wildcard's are not for the hosts below it, which are among `others`.
    """
    common = headers.of_every_route(served, hsts)
    if served.get("redirect_to"):
        # The path and the query stay as they are where a redirect does not name others.
        redirect = {"scheme": "https", "authority": served["redirect_to"], "redirectCode": REDIRECT_CODE}
        http = [{"redirect": redirect, **_set(common)}]
    elif served.get("maintenance"):
        answer = {"status": MAINTENANCE_CODE, "body": {"string": MAINTENANCE_BODY}}
        http = [{"directResponse": answer, **_set({**common, "retry-after": str(RETRY_AFTER)})}]
    else:
        http = [_route_spec(other, common) for other in sorted(served["routes"], key=_precedence)]
    host = served["host"]
    lower = (
        [other for other in others if other != host and names.matches(host, other)] if names.is_wildcard(host) else []
    )
    if lower:
        for route in http:
            route["match"] = [{**match, "withoutHeaders": _named(lower)} for match in route.get("match", [{}])]
    return {"hosts": [served["host"]], "gateways": [gateway], "http": http}


def _named(hosts: Sequence[str]) -> dict[str, Any]:
    """Return what a request's host is matched by: in any case, with a port or without."""
    patterns = "|".join(re.escape(host).replace(r"\*", ".+") for host in hosts)
    return {":authority": {"regex": rf"(?i)({patterns})(:\d+)?"}}


def _precedence(route: Mapping[str, Any]) -> tuple[int, int, int, str]:
    kind, path = path_of(route)
    headers_asked = len(route.get("headers") or ())
    is_last = kind == "prefix" and path == "/" and not headers_asked
    rank = 3 if is_last else {"exact": 0, "prefix": 1, "regex": 2}[kind]
    return rank, -len(path), -headers_asked, path


def path_of(route: Mapping[str, Any]) -> tuple[str, str]:
    """Return how a route matches a path, in Istio's word, and with what."""
    for kind in ("exact", "regex"):
        if route.get(kind):
            return kind, route[kind]
    return "prefix", route.get("path") or "/"


def _rewrite(kind: str, path: str, target: str) -> dict[str, Any]:
    """Return what replaces a path. Envoy joins what replaces a prefix and the rest of the path without a slash."""
    if kind == "regex":
        return {"uriRegexRewrite": {"match": f"^(?:{path})$", "rewrite": target}}
    if kind == "prefix" and (path.endswith("/") or target.endswith("/")):
        match = f"^{re.escape(path.rstrip('/'))}/?(.*)$"
        return {"uriRegexRewrite": {"match": match, "rewrite": rf"{target.rstrip('/')}/\1"}}
    return {"uri": target}


def _route_spec(route: Mapping[str, Any], common: Mapping[str, str]) -> dict[str, Any]:
    kind, path = path_of(route)
    match: dict[str, Any] = {"uri": {kind: path}}
    if wanted := route.get("headers"):
        match["headers"] = {header["name"]: _compared(header) for header in wanted}
    spec = {
        "match": [match],
        "route": _destinations(route),
        **_set({**common, **(route.get("response_headers") or {})}),
    }
    if route.get("rewrite"):
        spec["rewrite"] = _rewrite(kind, path, route["rewrite"])
    if mirror := route.get("mirror"):
        percentage = {"value": mirror.get("percent") or 100}
        spec |= {"mirror": _destination(mirror), "mirrorPercentage": percentage}
    if route.get("cors"):
        spec["corsPolicy"] = _cors(route["cors"])
    if route.get("timeout"):
        spec["timeout"] = f"{route['timeout']}s"
    if route.get("retries") is not None:
        spec["retries"] = {"attempts": route["retries"]}
    return spec


def _cors(cors: Mapping[str, Any]) -> dict[str, Any]:
    origins = cors["allow_origins"]
    return {
        "allowOrigins": [{"regex": ".*"} if origin == headers.ANY_ORIGIN else {"exact": origin} for origin in origins],
        "allowCredentials": bool(cors.get("allow_credentials")),
        "maxAge": f"{cors.get('max_age') or 5}s",
        # As with the Gateway API. The application would answer them otherwise.
        "unmatchedPreflights": "IGNORE",
        **headers.cors_lists(cors),
    }


def _destinations(route: Mapping[str, Any]) -> list[dict[str, Any]]:
    canary = route.get("canary")
    if not canary:
        return [{"destination": _destination(route)}]
    return [
        {"destination": _destination(route), "weight": 100 - canary["weight"]},
        {"destination": _destination(canary), "weight": canary["weight"]},
    ]


def _destination(service: Mapping[str, Any]) -> dict[str, Any]:
    host = names.service_host(service["service"], service["namespace"])
    return {"host": host, "port": {"number": service["port"]}}


def _compared(match: Mapping[str, Any]) -> dict[str, str]:
    kind = "prefix" if match.get("exact") is None else "exact"
    return {kind: match[kind]}


def _set(response_headers: Mapping[str, str]) -> dict[str, Any]:
    if not response_headers:
        return {}
    return {
        "headers": {"response": {"set": {name: headers.literal(value) for name, value in response_headers.items()}}}
    }
