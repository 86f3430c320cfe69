"""No application over plain HTTP: listeners without TLS only redirect to HTTPS.

A route is served by every listener of its gateways that has one of its hosts, the listeners without TLS included.
"""

from collections.abc import Iterator

from components.problem import Problem
from policies import istio
from policies.findings import Finding, StackRule, Unjudged, guarded
from policies.objects import KubernetesObject, Stack


def _exposed(service: KubernetesObject, stack: Stack) -> Iterator[Finding]:
    for name in istio.gateway_names(service):
        yield from guarded(service.where, _exposed_on(service, name, stack))


def _exposed_on(service: KubernetesObject, name: tuple[str, str], stack: Stack) -> Iterator[Finding]:
    route = next(istio.application_routes(service, name), None)
    if not route:
        return
    gateways = istio.find_gateways(stack, *name)
    if not gateways:
        yield Unjudged(service.where, f"is on the Gateway {'/'.join(name)}, which is not of this stack")
    for gateway in gateways:
        for listener in istio.unencrypted_listeners(gateway):
            if istio.attaches(service, listener):
                yield Problem(
                    service.where, f"{route} is served without TLS by server {listener.name} of {gateway.where}"
                )


NO_PLAIN_HTTP = StackRule(
    name="no-plain-http",
    description="No application is served over plain HTTP: servers without TLS only redirect to HTTPS.",
    fix=(
        "gateways: [NAMESPACE/TLS-GATEWAY]    # the application's routes, on a Gateway of port 443 alone",
        "redirect: {scheme: https, redirectCode: 301}    # all that the Gateway of port 80 serves; or use HttpGateway",
    ),
    stops="routes, direct responses and delegates on a server without TLS, whatever its port and protocol and however"
    " the route names the Gateway; redirects to anything but HTTPS",
    cannot_see="VirtualServices on Gateways of other stacks (reported as an advisory); Services of type LoadBalancer or"
    " NodePort, which bypass the gateway; what a Helm release installs",
    subjects=istio.routes_of,
    find=_exposed,
)
