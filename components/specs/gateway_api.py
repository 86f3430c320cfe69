"""What the gateway serves, as objects of the Gateway API (https://gateway-api.sigs.k8s.io/reference/spec/).

The functions take the same inputs as those of `istio.py`. As there, the ports are Gateways of their own: a route that
names the Gateway of port 443 does not serve plain HTTP.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from . import headers, names
from .cert_manager import ACME_GROUP
from .istio import ANY_NAMESPACE, REDIRECT_CODE, path_of

T = TypeVar("T")

GROUP = "gateway.networking.k8s.io"
VERSION = f"{GROUP}/v1"
GRANT_VERSION = f"{GROUP}/v1beta1"
"""Of ReferenceGrant, which has v1 only from v1.5 of the API on."""

CLASS = "istio"
"""The GatewayClass that istiod makes and answers."""

KINDS = ("gatewayclasses", "gateways", "httproutes", "referencegrants")
"""Those that are used, all of the standard channel."""

MANAGED_KINDS = (*KINDS, "listenersets")
"""Those of a gateway that Istio runs; ListenerSets are in the standard channel since v1.5."""

GATEWAY, LISTENER_SET = "Gateway", "ListenerSet"

MAX_PARENTS = 32
"""Of one HTTPRoute, and so Gateways of port 80 that one redirects."""

MAX_LISTENERS = 64
"""Of one Gateway, and of one ListenerSet. Hosts beyond it are listeners of another one."""

CIPHER_SUITES = "gateway.istio.io/tls-cipher-suites"
"""An option of a listener's TLS, since Istio 1.29."""

TERMINATE_MODE = "gateway.istio.io/tls-terminate-mode"
"""Another one: a mode of Istio's own Gateways in place of Terminate."""

NAMESPACE_NAME = "kubernetes.io/metadata.name"
"""A label that the API server puts on every namespace."""

PARENT_KIND = f"{ACME_GROUP}/http01-parentrefkind"
PARENT_NAME = f"{ACME_GROUP}/http01-parentrefname"
"""Annotations of a Certificate: the parent of the routes on which its HTTP-01 challenges are answered."""


class Holder(NamedTuple):
    """What has the listeners of some hosts: a Gateway, or a ListenerSet that adds them to one."""

    kind: str
    name: str


def http_holders(gateway: str, count: int, managed: bool) -> list[Holder]:
    """Return what has the listeners of port 80 for so many hosts, in their order.

    Where Istio runs the gateway, it does so for the first Gateway, and ListenerSets have the further listeners.
    """
    return [_holder(gateway, start, managed and start > 0) for start in range(0, count, MAX_LISTENERS)]


def tls_holders(gateway: str, count: int, managed: bool) -> list[Holder]:
    """Return what has the listeners of port 443 for so many hosts: ListenerSets, where Istio runs the gateway."""
    return [_holder(gateway, start, managed) for start in range(0, count, MAX_LISTENERS)]


def near(holders: Sequence[Holder], position: int | None) -> Sequence[Holder]:
    """Return what has the listener of the host at a position, and what has it once a few hosts before it come or go.

    Those are the ones beside it, or all where the position is not known. With all sixteen of a thousand hosts, each
    route's status has 50 KB, and istiod takes 800 MiB for them instead of 300.
    """
    if position is None:
        return holders
    block = position // MAX_LISTENERS
    return holders[max(block - 1, 0) : block + 2]


def _holder(gateway: str, start: int, in_set: bool) -> Holder:
    # istiod confuses a Gateway and a ListenerSet of one name: when the first is deleted, the other loses its listeners.
    name = numbered(gateway, start // MAX_LISTENERS)
    return Holder(LISTENER_SET, f"{name}-listeners") if in_set else Holder(GATEWAY, name)


def numbered(name: str, index: int) -> str:
    """Return a name for each block of hosts: the first one has no number."""
    return f"{name}-{index + 1}" if index else name


def blocks(hosts: Sequence[T]) -> list[Sequence[T]]:
    """Divide what there is for each host by the limit of listeners."""
    return [hosts[start : start + MAX_LISTENERS] for start in range(0, len(hosts), MAX_LISTENERS)]


def challenge_annotations(gateway: Any, position: int, managed: bool) -> dict[str, Any]:
    """Return the annotations of a Certificate whose challenge is answered on the listener of port 80 at a position."""
    holder = http_holders(gateway, position + 1, managed)[-1]
    return {PARENT_KIND: holder.kind, PARENT_NAME: holder.name}


def gateway_spec(
    service: Any, namespace: Any, listeners: Sequence[Mapping[str, Any]], client_ca_secret: str | None = None
) -> dict[str, Any]:
    """Return a Gateway at the Pods of a Service: without an address, Istio would deploy others for it."""
    addresses = [address(names.service_host(service, namespace))]
    spec: dict[str, Any] = {"gatewayClassName": CLASS, "addresses": addresses, "listeners": list(listeners)}
    if client_ca_secret:
        validation = {"caCertificateRefs": [{"group": "", "kind": "Secret", "name": client_ca_secret}]}
        spec["tls"] = {"frontend": {"default": {"validation": validation}}}
    return spec


def managed_spec(
    managed: Mapping[str, Any], selector: Mapping[str, str], listeners: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Return a Gateway for which Istio makes a Deployment and a Service; `managed` is a `ManagedGatewayArgs`.

    Without an infrastructure of its own, Istio would copy the Gateway's annotations to the Service.
    """
    infrastructure: dict[str, Any] = {
        "labels": {**(managed["labels"] or {}), **selector},
        "annotations": dict(managed["annotations"] or {}),
    }
    if managed["parameters"]:
        infrastructure["parametersRef"] = {"group": "", "kind": "ConfigMap", "name": managed["parameters"]}
    spec: dict[str, Any] = {
        "gatewayClassName": CLASS,
        "infrastructure": infrastructure,
        "allowedListeners": {"namespaces": {"from": "Same"}},
        "listeners": list(listeners),
    }
    if managed["address"]:
        spec["addresses"] = [{"type": "IPAddress", "value": managed["address"]}]
    return spec


def deployment_annotations(service: Any) -> dict[str, Any]:
    """Return the annotations by which Istio gives a Service, a Deployment and a ServiceAccount their name."""
    return {"gateway.istio.io/name-override": service, "gateway.istio.io/service-account": service}


def listener_set_spec(gateway: Any, listeners: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the ListenerSet that adds listeners to a Gateway."""
    return {"parentRef": _parent(Holder(GATEWAY, gateway)), "listeners": list(listeners)}


def address(host: str) -> dict[str, str]:
    """Return the address by which a Gateway is served by the Pods of a Service, by the Service's host name."""
    return {"type": "Hostname", "value": host}


def http_listeners(
    hosts: Sequence[str], namespace: str, routes_from: Sequence[str] = (), owned_hosts: Sequence[str] = ()
) -> list[dict[str, Any]]:
    """Return the listeners of port 80, whose routes are the redirect and those of the solvers."""
    return [
        _listener(host, 80, "HTTP", _route_namespaces(namespace, () if host in owned_hosts else routes_from))
        for host in hosts
    ]


def tls_listeners(
    credentials: Sequence[tuple[Any, str]],
    cipher_suites: Sequence[str],
    namespace: str,
    routes_from: Sequence[str] = (),
    owners: Sequence[tuple[str, str]] = (),
) -> list[dict[str, Any]]:
    """Return the listeners of port 443.

    Args:
        credentials: Each host's Secret and the host.
        cipher_suites: Those of TLS 1.2.
        namespace: The Gateway's own.
        routes_from: The namespaces that may have routes for a host without an owner, beside the Gateway's own.
        owners: Hosts, each with the one namespace that may have routes for it.
    """
    owner_of = dict(owners)
    return [
        {
            **_listener(host, 443, "HTTPS", _route_namespaces(namespace, routes_from, owner_of.get(host))),
            "tls": {
                "mode": "Terminate",
                "certificateRefs": [{"group": "", "kind": "Secret", "name": secret}],
                "options": {CIPHER_SUITES: ",".join(cipher_suites)},
            },
        }
        for secret, host in credentials
    ]


def _route_namespaces(namespace: str, routes_from: Sequence[str], owner: str | None = None) -> dict[str, Any]:
    """Return the namespaces whose routes a listener accepts: its owner's, or its own and those that are listed."""
    accepted = [owner] if owner else [namespace, *routes_from]
    if ANY_NAMESPACE in accepted:
        return {"from": "All"}
    if accepted == [namespace]:
        return {"from": "Same"}
    named = {"key": NAMESPACE_NAME, "operator": "In", "values": accepted}
    return {"from": "Selector", "selector": {"matchExpressions": [named]}}


def accepted_namespaces(allowed: Any, own: str, default: str = "Same") -> Sequence[str]:
    """Return the namespaces from which a listener accepts routes, or a Gateway accepts ListenerSets; `*` for all.

    Args:
        allowed: Its `allowedRoutes` or `allowedListeners`, of any form.
        own: Its own namespace.
        default: What `from` is where it is not set.
    """
    source = _at(allowed, "namespaces", "from") or default
    if source in ("Same", "None"):
        return [own] if source == "Same" else []
    if source == "Selector":
        selector = _at(allowed, "namespaces", "selector")
        if named := _at(selector, "matchLabels", NAMESPACE_NAME):
            return [named]
        for expression in _at(selector, "matchExpressions") or ():
            if (_at(expression, "key"), _at(expression, "operator")) == (NAMESPACE_NAME, "In"):
                return list(_at(expression, "values") or ())
    # Anyone who may label a namespace decides about other labels.
    return [ANY_NAMESPACE]


def _at(value: Any, *path: str) -> Any:
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def _listener(host: str, port: int, protocol: str, route_namespaces: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": names.object_name(host),
        "hostname": host,
        "port": port,
        "protocol": protocol,
        "allowedRoutes": {"namespaces": dict(route_namespaces)},
    }


def redirect_spec(holders: Sequence[Holder]) -> dict[str, Any]:
    """Return the HTTPRoute that redirects every host of port 80 to HTTPS.

    The exact path of a challenge precedes the prefix of the redirect.
    """
    redirect = {"scheme": "https", "statusCode": REDIRECT_CODE}
    return {
        "parentRefs": [_parent(holder) for holder in holders],
        "rules": [{"matches": [_path("PathPrefix", "/")], "filters": [_redirect(redirect)]}],
    }


def route_spec(holders: Sequence[Holder], served: Mapping[str, Any], hsts: int = 0) -> dict[str, Any]:
    """Return a host's HTTPRoute on its listener of port 443: its routes, or its redirect.

    `served` is a `HostArgs`. The holders are those `near` it: the listener moves to another one when a host before it
    goes, and has its route there then.
    """
    common = headers.of_every_route(served, hsts)
    if served.get("redirect_to"):
        redirect = {"scheme": "https", "hostname": served["redirect_to"], "statusCode": REDIRECT_CODE}
        rules = [{"matches": [_path("PathPrefix", "/")], "filters": [_redirect(redirect), *_set(common)]}]
    else:
        rules = [_rule(route, common) for route in served["routes"]]
    host = served["host"]
    return {
        "parentRefs": [_parent(holder, names.object_name(host)) for holder in holders],
        "hostnames": [host],
        "rules": rules,
    }


def grant_spec(namespace: Any, services: Sequence[Any]) -> dict[str, Any]:
    """Return the ReferenceGrant that lets the HTTPRoutes of a namespace lead to Services of another one."""
    return {
        "from": [{"group": GROUP, "kind": "HTTPRoute", "namespace": namespace}],
        "to": [{"group": "", "kind": "Service", "name": service} for service in services],
    }


def _parent(holder: Holder, section: str | None = None) -> dict[str, Any]:
    parent = {"group": GROUP, "kind": holder.kind, "name": holder.name}
    return {**parent, "sectionName": section} if section else parent


def _path(kind: str, path: str) -> dict[str, Any]:
    return {"path": {"type": kind, "value": path}}


def _redirect(redirect: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "RequestRedirect", "requestRedirect": dict(redirect)}


def _rule(route: Mapping[str, Any], common: Mapping[str, str]) -> dict[str, Any]:
    kind, path = path_of(route)
    match = _path({"exact": "Exact", "prefix": "PathPrefix", "regex": "RegularExpression"}[kind], path)
    if wanted := route.get("headers"):
        match["headers"] = [_compared(header) for header in wanted]
    canary = route.get("canary")
    backends = (
        [_backend(route, 100 - canary["weight"]), _backend(canary, canary["weight"])]
        if canary
        else [_backend(route, 1)]
    )
    rule: dict[str, Any] = {"matches": [match], "backendRefs": backends}
    filters = _set({**common, **(route.get("response_headers") or {})})
    if route.get("rewrite"):
        how = "replacePrefixMatch" if kind == "prefix" else "replaceFullPath"
        replaced = {"type": how[0].upper() + how[1:], how: route["rewrite"]}
        filters.append({"type": "URLRewrite", "urlRewrite": {"path": replaced}})
    if mirror := route.get("mirror"):
        copies = {"backendRef": _reference(mirror), "percent": mirror.get("percent") or 100}
        filters.append({"type": "RequestMirror", "requestMirror": copies})
    if route.get("cors"):
        filters.append({"type": "CORS", "cors": _cors(route["cors"])})
    if filters:
        rule["filters"] = filters
    if route.get("timeout"):
        rule["timeouts"] = {"request": f"{route['timeout']}s"}
    return rule


def _cors(cors: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "allowOrigins": list(cors["allow_origins"]),
        "allowCredentials": bool(cors.get("allow_credentials")),
        "maxAge": cors.get("max_age") or 5,
        **headers.cors_lists(cors),
    }


def _backend(service: Mapping[str, Any], weight: int) -> dict[str, Any]:
    return {**_reference(service), "weight": weight}


def _reference(service: Mapping[str, Any]) -> dict[str, Any]:
    reference = {"group": "", "kind": "Service", "name": service["service"], "namespace": service["namespace"]}
    return {**reference, "port": service["port"]}


def _compared(match: Mapping[str, Any]) -> dict[str, str]:
    if match.get("exact") is not None:
        return {"type": "Exact", "name": match["name"], "value": match["exact"]}
    return {"type": "RegularExpression", "name": match["name"], "value": f"{re.escape(match['prefix'])}.*"}


def _set(response_headers: Mapping[str, str]) -> list[dict[str, Any]]:
    if not response_headers:
        return []
    # Istio takes a value over as it is, and Envoy reads it as in a VirtualService.
    values = [{"name": name, "value": headers.literal(value)} for name, value in response_headers.items()]
    return [{"type": "ResponseHeaderModifier", "responseHeaderModifier": {"set": values}}]
