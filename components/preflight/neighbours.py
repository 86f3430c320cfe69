"""Gateways of others that have a host of the stack: on one port of the same Pods, Istio serves the older one."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..problem import Problem
from ..shell import word
from ..specs import istio


@dataclass(frozen=True)
class Neighbours:
    """The Gateways of Istio's own API in all namespaces, beside a gateway that is to serve some hosts."""

    namespace: str
    gateway: str
    """The name of the Gateway that is to be created."""
    hosts: Sequence[str]
    selector: Mapping[str, str]
    """Labels of the gateway's Pods."""
    gateways: Sequence[Mapping[str, Any]] = field(default_factory=tuple)
    moves: bool = False
    """Whether the stack uses the Gateway API: Gateways of its own namespace may be those that it moves away from."""


def same_host(neighbours: Neighbours) -> Iterator[Problem]:
    """Yield each Gateway of another that may serve hosts in place of the stack, or answer their challenges."""
    for gateway in neighbours.gateways:
        namespace, name = gateway["metadata"]["namespace"], gateway["metadata"]["name"]
        spec = gateway.get("spec") or {}
        known = neighbours.selector
        for_pods = all(known.get(label, value) == value for label, value in (spec.get("selector") or {}).items())
        own = namespace == neighbours.namespace and (neighbours.moves or name == neighbours.gateway)
        if not for_pods or own:
            continue
        for server in spec.get("servers") or ():
            tls, number = server.get("tls") or {}, (server.get("port") or {}).get("number")
            listed = {istio.split_host(host, namespace)[1] for host in server.get("hosts") or ()}
            shared = [host for host in neighbours.hosts if host in listed]
            if not shared or not tls:
                continue
            consequence = "Istio serves the older of two Gateways"
            if tls.get("httpsRedirect"):
                consequence = "its httpsRedirect answers HTTP-01 challenges too"
            more = f" and {len(shared) - 1} more" if len(shared) > 1 else ""
            yield Problem(
                f"Gateway {namespace}/{name}",
                f"lists {shared[0]}{more} on port {number} of the same Pods: {consequence}",
                (f"kubectl --namespace {word(namespace)} edit gateways.networking.istio.io {word(name)}",),
            )
