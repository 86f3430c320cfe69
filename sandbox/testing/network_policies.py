"""Which connections the cluster's NetworkPolicies allow.

The sandbox's network does not enforce them, so this evaluates the objects of the cluster.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sandbox.testing.cluster import items, live


@dataclass(frozen=True)
class Peer:
    """An end of a connection: a Pod, or without a namespace anything that is not a Pod."""

    namespace: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    ports: Mapping[str, int] = field(default_factory=dict)
    """By name."""


OUTSIDE = Peer()


@dataclass(frozen=True)
class Connection:
    """A connection to a port."""

    source: Peer
    target: Peer
    port: int
    protocol: str = "TCP"


def pod(namespace: str, labels: Mapping[str, str]) -> Peer:
    """Return a running Pod with these labels."""
    pods = items("pods", namespace)
    pod = next(pod for pod in pods if labels.items() <= (pod["metadata"].get("labels") or {}).items())
    ports = [port for container in pod["spec"]["containers"] for port in container.get("ports", [])]
    named = {port["name"]: port["containerPort"] for port in ports if "name" in port}
    return Peer(namespace, pod["metadata"]["labels"], named)


def allowed(connection: Connection) -> bool:
    """Tell whether the cluster's NetworkPolicies allow a connection."""
    source, target = connection.source, connection.target
    return _is_allowed("egress", "to", source, target, connection) and _is_allowed(
        "ingress", "from", target, source, connection
    )


def _is_allowed(direction: str, key: str, end: Peer, other: Peer, connection: Connection) -> bool:
    if end.namespace is None:
        return True
    policies = [
        policy["spec"]
        for policy in items("networkpolicies", end.namespace)
        if direction.capitalize() in policy["spec"]["policyTypes"]
        and _selects(policy["spec"]["podSelector"], end.labels)
    ]
    rules = [rule for policy in policies for rule in policy.get(direction) or []]
    return not policies or any(
        _is_peer(rule.get(key), other, end) and _is_port(rule.get("ports"), connection) for rule in rules
    )


def _is_peer(listed: list[dict[str, Any]] | None, other: Peer, end: Peer) -> bool:
    if not listed:
        return True
    name = {"kubernetes.io/metadata.name": other.namespace or ""}
    for peer in listed:
        assert peer.keys() <= {"namespaceSelector", "podSelector"}, "no other kind of peer is known here"
        selector = peer.get("namespaceSelector")
        in_namespace = other.namespace == end.namespace if selector is None else _selects(selector, name)
        if other.namespace is not None and in_namespace and _selects(peer.get("podSelector", {}), other.labels):
            return True
    return False


def _is_port(listed: list[dict[str, Any]] | None, connection: Connection) -> bool:
    named = connection.target.ports
    return not listed or any(
        port.get("protocol", "TCP") == connection.protocol and named.get(port["port"], port["port"]) == connection.port
        for port in listed
    )


def _selects(selector: dict[str, Any], labels: Mapping[str, str]) -> bool:
    assert selector.keys() <= {"matchLabels"}, "no other kind of selector is known here"
    return bool(selector.get("matchLabels", {}).items() <= labels.items())


def target_port(service: str, namespace: str, port: int) -> int:
    """Return the port at which a Service's Pods listen: policies apply after kube-proxy's translation."""
    ports = live("service", service, namespace)["spec"]["ports"]
    name = next(entry.get("name") or "" for entry in ports if entry["port"] == port)
    slices = [
        obj
        for obj in items("endpointslices", namespace)
        if obj["metadata"]["labels"].get("kubernetes.io/service-name") == service
    ]
    return next(int(entry["port"]) for obj in slices for entry in obj["ports"] if (entry.get("name") or "") == name)
