"""The Gateway API: Gateways, HTTPRoutes, and ReferenceGrants for the applications' Services.

As with Istio's own API, a Gateway is created after its routes and deleted before them.
"""

from collections.abc import Mapping
from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes

from ..inputs import InputsError, computed, recheck, resource_label
from ..problem import Problem
from ..routes import HostArgs
from ..specs import gateway_api, names

WAIT_FOR_PROGRAMMED = {"pulumi.com/waitFor": "condition=Programmed"}
"""Annotation: a create or an update ends when Istio has the Gateway in force."""


def http(component: pulumi.ComponentResource, name: str, inputs: Any) -> None:
    """Register the Gateway of port 80 and the HTTPRoute that redirects."""
    child = pulumi.ResourceOptions(parent=component)
    redirect = kubernetes.apiextensions.CustomResource(
        f"{name}-redirect",
        api_version=gateway_api.VERSION,
        kind="HTTPRoute",
        metadata=gateway_api.metadata(inputs["gateway"], inputs["namespace"]),
        spec=computed(gateway_api.redirect_spec, inputs["gateway"]),
        opts=child,
    )
    listeners = computed(gateway_api.http_listeners, inputs["hosts"])
    _gateway(name, inputs, listeners, None, pulumi.ResourceOptions(parent=component, depends_on=[redirect]))


def tls(component: pulumi.ComponentResource, name: str, inputs: Any, before: list[pulumi.Resource]) -> None:
    """Register the Gateway of port 443, with a listener for each host, and an HTTPRoute for each host."""
    _refuse(component, name, inputs)
    child = pulumi.ResourceOptions(parent=component)
    grants = _grants(name, inputs, child)
    routes: list[pulumi.Resource] = []
    for position, host in enumerate(inputs["hosts"]):
        served = recheck(component, name, ("hosts", position), host, HostArgs)
        route = kubernetes.apiextensions.CustomResource(
            f"{name}-{resource_label(host['host'], position)}",
            api_version=gateway_api.VERSION,
            kind="HTTPRoute",
            metadata=gateway_api.metadata(computed(names.object_name, host["host"]), inputs["namespace"]),
            spec=computed(gateway_api.route_spec, inputs["gateway"], served, inputs["hsts"]),
            # It names Services by plain strings, which are no dependency.
            opts=pulumi.ResourceOptions.merge(child, pulumi.ResourceOptions(depends_on=grants)),
        )
        routes.append(route)
    presented = [(credential["secret_name"], credential["hosts"]) for credential in inputs["credentials"]]
    listeners = computed(gateway_api.tls_listeners, presented, inputs["cipher_suites"])
    authority = (inputs["client_ca"] or {}).get("secret_name")
    opts = pulumi.ResourceOptions(parent=component, depends_on=[*before, *routes])
    _gateway(name, inputs, listeners, authority, opts)


def _gateway(name: str, inputs: Any, listeners: Any, authority: Any, opts: pulumi.ResourceOptions) -> None:
    metadata = gateway_api.metadata(inputs["gateway"], inputs["namespace"])
    metadata["annotations"] |= WAIT_FOR_PROGRAMMED
    kubernetes.apiextensions.CustomResource(
        f"{name}-gateway",
        api_version=gateway_api.VERSION,
        kind="Gateway",
        metadata=metadata,
        spec=computed(gateway_api.gateway_spec, inputs["service"], inputs["namespace"], listeners, authority),
        opts=opts,
    )


def _grants(name: str, inputs: Any, opts: pulumi.ResourceOptions) -> list[pulumi.Resource]:
    """Register a ReferenceGrant in each namespace of the applications, except for the gateway's own."""
    services: dict[str, tuple[Any, list[Any]]] = {}
    for position, host in enumerate(inputs["hosts"]):
        for number, route in enumerate(host["routes"] or ()):
            label = resource_label(route["namespace"], position * gateway_api.MAX_RULES + number)
            _, listed = services.setdefault(label, (route["namespace"], []))
            if route["service"] not in listed:
                listed.append(route["service"])
    return [
        kubernetes.apiextensions.CustomResource(
            f"{name}-grant-{label}",
            api_version=gateway_api.GRANT_VERSION,
            kind="ReferenceGrant",
            metadata={"name": inputs["gateway"], "namespace": namespace},
            spec=computed(gateway_api.grant_spec, inputs["namespace"], listed),
            opts=opts,
        )
        for label, (namespace, listed) in services.items()
        if namespace != inputs["namespace"]
    ]


def _refuse(component: pulumi.ComponentResource, name: str, inputs: Any) -> None:
    """Refuse what the Gateway API cannot say, as far as it is known.

    Raises:
        InputsError: with every such input.
    """
    problems = []
    if inputs["min_version"] != gateway_api.MIN_VERSION and isinstance(inputs["min_version"], str):
        what = f"{inputs['min_version']!r} cannot be set for a listener of the Gateway API"
        problems.append(Problem("min_version", f"{what}; accepted: {gateway_api.MIN_VERSION}"))
    for position, host in enumerate(inputs["hosts"]):
        if not isinstance(host, Mapping) or not isinstance(host["routes"] or [], list):
            problems.append(
                Problem(f"hosts[{position}].routes", "is an Output; the program has to know it when it runs")
            )
            continue
        for path, what, accepted in gateway_api.host_conflicts(host, inputs["hsts"]):
            problems.append(Problem(_dotted(("hosts", position, *path)), f"{what}; accepted: {accepted}"))
    known = [[host for host in credential["hosts"] if isinstance(host, str)] for credential in inputs["credentials"]]
    for host, other in gateway_api.connection_conflicts(known):
        what = f"{host} and {other} share a connection of browsers, which one listener cannot serve"
        problems.append(Problem("credentials", f"{what}; accepted: certificates without each other's names"))
    if problems:
        raise InputsError(f"{type(component).__name__} {name!r}", problems)


def _dotted(path: gateway_api.Path) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")
