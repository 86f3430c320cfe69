"""The Gateway API: Gateways, HTTPRoutes, and ReferenceGrants for the applications' Services.

As with Istio's own API, a Gateway is created after its routes and deleted before them. Where Istio runs the gateway, it
does so for the Gateway of port 80, and ListenerSets add all further listeners.
"""

from collections.abc import Mapping
from operator import attrgetter, itemgetter
from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes

from ..inputs import NOT_KNOWN, InputsError, computed, dotted, recheck, resource_label
from ..kube.cutover import ISTIOS, take_over_from
from ..kube.neighbours import warn_of_others
from ..problem import Problem
from ..routes import HostArgs, owners
from ..specs import external_dns, gateway_api, gateway_api_limits, names

WAIT_FOR_PROGRAMMED = {"pulumi.com/waitFor": "condition=Programmed"}
"""Annotation: a create or an update ends when Istio has the Gateway in force, with an address where it runs one."""

WAIT_FOR_ACCEPTED = {"pulumi.com/waitFor": "condition=Accepted"}
"""Annotation of port 80: a Service without this port, which DNS-01 does not need, leaves the Gateway unprogrammed."""


def http(component: pulumi.ComponentResource, name: str, inputs: Any) -> pulumi.Output[str]:
    """Register the Gateways of port 80 and the HTTPRoute that redirects."""
    managed = inputs["managed"] is not None
    holders = computed(gateway_api.http_holders, inputs["gateway"], len(inputs["hosts"]), managed)
    redirect = kubernetes.apiextensions.CustomResource(
        f"{name}-redirect",
        api_version=gateway_api.VERSION,
        kind="HTTPRoute",
        metadata=external_dns.unpublished(inputs["gateway"], inputs["namespace"]),
        spec=computed(gateway_api.redirect_spec, holders),
        opts=pulumi.ResourceOptions(parent=component),
    )
    gateways: list[kubernetes.apiextensions.CustomResource] = []
    others = warn_of_others(component, inputs, moves=True)
    wait = WAIT_FOR_PROGRAMMED if managed else WAIT_FOR_ACCEPTED
    for index, hosts in enumerate(gateway_api.blocks(inputs["hosts"])):
        listeners = computed(
            gateway_api.http_listeners, hosts, *(inputs["namespace"], inputs["routes_from"], inputs["owned_hosts"])
        )
        holder = computed(itemgetter(index), holders)
        owner = inputs["gateway"] if gateways and managed else None
        label = gateway_api.numbered(f"{name}-gateway", index)
        hooks = None if gateways else others
        opts = pulumi.ResourceOptions(parent=component, depends_on=[redirect, *gateways[:1]], hooks=hooks)
        gateways.append(_listen(label, holder, inputs, listeners, owner, wait, opts))
    if not managed:
        return pulumi.Output.from_input(inputs["service"])
    return gateways[0].id.apply(lambda _: inputs["service"])


def tls(component: pulumi.ComponentResource, name: str, inputs: Any, before: list[pulumi.Resource]) -> None:
    """Register the Gateways of port 443, with a listener for each host, and an HTTPRoute for each host.

    A host with an owner has its HTTPRoutes in the owner's namespace.
    """
    _refuse(component, name, inputs)
    child = pulumi.ResourceOptions(parent=component)
    owner = inputs["http_gateway"]
    grants = _grants(name, inputs, child)
    presented = [
        (credential["secret_name"], host) for credential in inputs["credentials"] for host in credential["hosts"]
    ]
    holders = computed(gateway_api.tls_holders, inputs["gateway"], len(presented), owner is not None)
    positions = {host: position for position, (_, host) in enumerate(presented) if isinstance(host, str)}
    routes: list[pulumi.Resource] = []
    for position, host in enumerate(inputs["hosts"]):
        if host["owner"]:
            continue
        near = computed(gateway_api.near, holders, positions.get(host["host"]))
        served = recheck(component, name, ("hosts", position), host, HostArgs)
        route = kubernetes.apiextensions.CustomResource(
            f"{name}-{resource_label(host['host'], position)}",
            api_version=gateway_api.VERSION,
            kind="HTTPRoute",
            metadata=external_dns.unpublished(computed(names.object_name, host["host"]), inputs["namespace"]),
            spec=computed(gateway_api.route_spec, near, served, inputs["hsts"]),
            # It names Services by plain strings, which are no dependency.
            opts=pulumi.ResourceOptions.merge(child, pulumi.ResourceOptions(depends_on=grants)),
        )
        routes.append(route)
    gateways: list[pulumi.Resource] = []
    blocks = gateway_api.blocks(presented)
    for index, credentials in enumerate(blocks):
        listeners = computed(
            gateway_api.tls_listeners,
            credentials,
            *(inputs["cipher_suites"], inputs["namespace"], inputs["routes_from"], owners(inputs["hosts"])),
        )
        holder, last = computed(itemgetter(index), holders), index + 1 == len(blocks)
        label = gateway_api.numbered(f"{name}-gateway", index)
        opts = pulumi.ResourceOptions(
            parent=component,
            # One after the other: a listener that moves to an earlier Gateway is there before the later one loses it.
            depends_on=[*before, *routes, *gateways],
            # Where Istio runs the gateway, the old one has other Pods.
            hooks=take_over_from(ISTIOS, component, inputs) if last and owner is None else None,
        )
        gateways.append(_listen(label, holder, inputs, listeners, owner, WAIT_FOR_PROGRAMMED, opts))


def _listen(
    name: str,
    holder: Any,
    inputs: Any,
    listeners: Any,
    owner: Any,
    wait: Mapping[str, str],
    opts: pulumi.ResourceOptions,
) -> kubernetes.apiextensions.CustomResource:
    """Register a Gateway with some listeners, or the ListenerSet that adds them to its owner."""
    metadata = external_dns.unpublished(computed(attrgetter("name"), holder), inputs["namespace"])
    metadata["annotations"] |= wait
    kind = gateway_api.GATEWAY
    if owner is not None:
        kind, spec = gateway_api.LISTENER_SET, computed(gateway_api.listener_set_spec, owner, listeners)
    elif (managed := inputs.get("managed")) is not None:
        metadata["annotations"] |= gateway_api.deployment_annotations(inputs["service"])
        spec = computed(gateway_api.managed_spec, managed, inputs["selector"], listeners)
    else:
        authority = (inputs.get("client_ca") or {}).get("secret_name")
        spec = computed(gateway_api.gateway_spec, inputs["service"], inputs["namespace"], listeners, authority)
    return kubernetes.apiextensions.CustomResource(
        name, api_version=gateway_api.VERSION, kind=kind, metadata=metadata, spec=spec, opts=opts
    )


def _grants(name: str, inputs: Any, opts: pulumi.ResourceOptions) -> list[pulumi.Resource]:
    """Register a ReferenceGrant in each namespace of the applications, except for the gateway's own."""
    services: dict[str, tuple[Any, list[Any]]] = {}
    for position, host in enumerate(inputs["hosts"]):
        for number, route in enumerate(host["routes"] or ()):
            unknown = str(position * gateway_api_limits.MAX_RULES + number)
            for service, suffix in ((route, ""), (route["canary"], "-canary"), (route["mirror"], "-mirror")):
                if not service:
                    continue
                known = isinstance(service["namespace"], str)
                label = service["namespace"] if known else f"{unknown}{suffix}"
                _, listed = services.setdefault(label, (service["namespace"], []))
                if service["service"] not in listed:
                    listed.append(service["service"])
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
    if inputs["min_version"] != gateway_api_limits.MIN_VERSION and isinstance(inputs["min_version"], str):
        what = f"{inputs['min_version']!r} cannot be set for a listener of the Gateway API"
        problems.append(Problem("min_version", f"{what}; accepted: {gateway_api_limits.MIN_VERSION}"))
    if inputs["client_ca"] and inputs["http_gateway"] is not None:
        what = "cannot be set for a ListenerSet; accepted: without it, or without http_gateway"
        problems.append(Problem("client_ca", what))
    for position, host in enumerate(inputs["hosts"]):
        if not isinstance(host, Mapping) or not isinstance(host["routes"] or [], list):
            problems.append(Problem(dotted(("hosts", position, "routes")), NOT_KNOWN))
            continue
        for path, what, accepted in gateway_api_limits.host_conflicts(host, inputs["hsts"]):
            problems.append(Problem(dotted(("hosts", position, *path)), f"{what}; accepted: {accepted}"))
    known = [[host for host in credential["hosts"] if isinstance(host, str)] for credential in inputs["credentials"]]
    for host, other in gateway_api_limits.connection_conflicts(known):
        what = f"{host} and {other} share a connection of browsers, which one listener cannot serve"
        problems.append(Problem("credentials", f"{what}; accepted: certificates without each other's names"))
    if problems:
        raise InputsError(f"{type(component).__name__} {name!r}", problems)
