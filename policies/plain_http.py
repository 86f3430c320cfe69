"""No application over plain HTTP: what a server without TLS carries is redirects to HTTPS.

Istio attaches a VirtualService to each server of its Gateways that has one of its hosts, the plain ones as well.
"""

from collections.abc import Iterator
from typing import Any

from pulumi_policy import PolicyResource

from components.problem import Problem
from policies.findings import Finding, StackRule, Unjudged, guarded
from policies.gateways import ISTIO, Server, is_foreign, servers
from policies.objects import KubernetesObject, Stack, get, items, named, own, reading

_MESH = "mesh"
"""The name that stands for all sidecars."""


def exposed(resource: PolicyResource, stack: Stack) -> Iterator[Finding]:
    """Yield the VirtualServices that serve anything but redirects without TLS."""
    gateways = stack.of_kind(ISTIO, "Gateway")
    for service in own(resource, ISTIO, "VirtualService"):
        for reference in service.items("spec", "gateways"):
            if reference != _MESH:
                yield from guarded(service.where, _exposed_on(service, reference, gateways))


def _exposed_on(service: KubernetesObject, reference: str, gateways: list[KubernetesObject]) -> Iterator[Finding]:
    key = resolve(reference, service.namespace)
    served = list(_served(service, key))
    if not served:
        return
    meant = named(gateways, *key)
    if not meant:
        yield Unjudged(service.where, f"is on the Gateway {'/'.join(key)}, which is not of this stack")
    for gateway in meant:
        with reading(gateway):
            plain = list(_plain_servers(gateway))
        for server in plain:
            if _attaches(service, server):
                yield Problem(
                    service.where, f"{served[0]} is served without TLS by server {server.name} of {gateway.where}"
                )


def _plain_servers(gateway: KubernetesObject) -> Iterator[Server]:
    if not is_foreign(gateway.get("spec", "selector")):
        for server in servers(gateway):
            if not server.encrypted and not server.redirects:
                yield server


def resolve(reference: str, namespace: str) -> tuple[str, str]:
    """Return the namespace and name that a VirtualService of a namespace means.

    `NAME`, `NAMESPACE/NAME`, `./NAME`, and the old forms `NAME.NAMESPACE` and `NAME.NAMESPACE.svc.cluster.local`.
    """
    place, slash, name = reference.partition("/")
    if slash:
        return (namespace if place == "." else place), name
    name, dot, rest = reference.partition(".")
    return (rest.partition(".")[0] if dot else namespace), name


def _served(service: KubernetesObject, key: tuple[str, str]) -> Iterator[str]:
    """Yield the routes that requests without TLS may take on a Gateway, all but redirects to HTTPS."""
    for position, route in enumerate(service.items("spec", "http"), start=1):
        if _is_for(route, key, service.namespace) and not _is_redirect(route):
            yield f"http route {get(route, 'name') or position}"
    for position, _ in enumerate(service.items("spec", "tcp"), start=1):
        yield f"tcp route {position}"


def _is_for(route: Any, key: tuple[str, str], namespace: str) -> bool:
    """Tell whether a route is for a Gateway: its matches may be for some of the VirtualService's only."""
    matches = items(get(route, "match"))
    return not matches or any(
        not items(get(match, "gateways"))
        or any(resolve(each, namespace) == key for each in items(get(match, "gateways")))
        for match in matches
    )


def _is_redirect(route: Any) -> bool:
    others = ("route", "directResponse", "delegate", "mirror", "mirrors")
    to_https = get(route, "redirect", "scheme") == "https"
    return to_https and not any(get(route, other) for other in others)


def _attaches(service: KubernetesObject, server: Server) -> bool:
    """Tell whether a server has a host of a VirtualService, `NAMESPACE/HOST` where it is for one namespace's."""
    for place, _, host in (each.rpartition("/") for each in items(get(server.spec, "hosts"))):
        place = server.gateway.namespace if place == "." else place
        if place in ("", "*", service.namespace) and any(
            _overlap(host, each) for each in service.items("spec", "hosts")
        ):
            return True
    return False


def _overlap(one: str, other: str) -> bool:
    """Tell whether a name fits both hosts: to Istio a wildcard stands for any number of labels."""
    one, other = one.lower(), other.lower()
    suffixes = [each[1:] for each in (one, other) if each.startswith("*")]
    return one == other or any(one.endswith(suffix) and other.endswith(suffix) for suffix in suffixes)


NO_PLAIN_HTTP = StackRule(
    name="no-plain-http",
    description="No application is served over plain HTTP: what a server without TLS carries is redirects to HTTPS.",
    fix=(
        "gateways: [NAMESPACE/TLS-GATEWAY]    # the application's routes, on a Gateway of port 443 alone",
        "redirect: {scheme: https, redirectCode: 301}    # all that the Gateway of port 80 carries; or use HttpGateway",
    ),
    stops="routes, direct responses and delegates on a server of any port and protocol without TLS, by whichever form"
    " the Gateway is named, beside `mesh` and among several Gateways; redirects to anything but HTTPS",
    cannot_see="VirtualServices on Gateways of other stacks (named as an advice); Services of type LoadBalancer or"
    " NodePort, which pass the gateway by; what a Helm release installs",
    find=exposed,
)
