"""Istio's own API: Gateways and VirtualServices.

A Gateway is created after its routes and deleted before them: Envoy answers 404 for a host that a Gateway serves and no
route. While a stack moves to another API, that would be the case until the Gateway is deleted too.
"""

from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes

from ..inputs import computed, recheck, resource_label
from ..kube.cutover import KUBERNETES, take_over_from
from ..kube.neighbours import warn_of_others
from ..routes import HostArgs, owners
from ..specs import external_dns, istio, names


def http(component: pulumi.ComponentResource, name: str, inputs: Any) -> pulumi.Output[str]:
    """Register the Gateway of port 80 and the VirtualService that redirects."""
    child = pulumi.ResourceOptions(parent=component)
    metadata = external_dns.unpublished(inputs["gateway"], inputs["namespace"])
    qualified = computed("{}/{}".format, inputs["namespace"], inputs["gateway"])
    redirect = kubernetes.apiextensions.CustomResource(
        f"{name}-redirect",
        api_version=istio.VERSION,
        kind="VirtualService",
        metadata=metadata,
        spec=computed(istio.redirect_spec, qualified, inputs["hosts"]),
        opts=child,
    )
    kubernetes.apiextensions.CustomResource(
        f"{name}-gateway",
        api_version=istio.VERSION,
        kind="Gateway",
        metadata=metadata,
        spec=computed(
            istio.http_gateway_spec,
            *(inputs["selector"], inputs["hosts"], inputs["routes_from"], inputs["owned_hosts"]),
        ),
        opts=pulumi.ResourceOptions(parent=component, depends_on=[redirect], hooks=warn_of_others(component, inputs)),
    )
    return pulumi.Output.from_input(inputs["service"])


def tls(component: pulumi.ComponentResource, name: str, inputs: Any, before: list[pulumi.Resource]) -> None:
    """Register the Gateway of port 443, with a server for each certificate, and a VirtualService for each host.

    A host with an owner has its VirtualServices in the owner's namespace.
    """
    child = pulumi.ResourceOptions(parent=component)
    qualified = computed("{}/{}".format, inputs["namespace"], inputs["gateway"])
    others = [host["host"] for host in inputs["hosts"]]
    routes: list[pulumi.Resource] = []
    for position, host in enumerate(inputs["hosts"]):
        if host["owner"]:
            continue
        served = recheck(component, name, ("hosts", position), host, HostArgs)
        # Only a wildcard has hosts below it. Pulumi walks through the list for each host that is given it.
        alone = isinstance(host["host"], str) and not names.is_wildcard(host["host"])
        route = kubernetes.apiextensions.CustomResource(
            f"{name}-{resource_label(host['host'], position)}",
            api_version=istio.VERSION,
            kind="VirtualService",
            metadata=external_dns.unpublished(computed(names.object_name, host["host"]), inputs["namespace"]),
            spec=computed(istio.virtual_service_spec, qualified, served, inputs["hsts"], [] if alone else others),
            opts=child,
        )
        routes.append(route)
    presented = [(credential["secret_name"], credential["hosts"]) for credential in inputs["credentials"]]
    authority = (inputs["client_ca"] or {}).get("secret_name")
    kubernetes.apiextensions.CustomResource(
        f"{name}-gateway",
        api_version=istio.VERSION,
        kind="Gateway",
        metadata=external_dns.unpublished(inputs["gateway"], inputs["namespace"]),
        spec=computed(
            istio.tls_gateway_spec,
            *(inputs["selector"], presented, inputs["min_version"], inputs["cipher_suites"]),
            *(authority, inputs["routes_from"], owners(inputs["hosts"])),
        ),
        # It names Secrets by a plain string, which is no dependency.
        opts=pulumi.ResourceOptions(
            parent=component,
            depends_on=[*before, *routes],
            hooks=take_over_from(KUBERNETES, component, inputs),
        ),
    )
