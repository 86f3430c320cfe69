"""What the cluster's NetworkPolicies would let through.

The sandbox's network enforces none, so it is worked out, from the objects that the cluster has, and with the ports at
which its Pods and its API server listen.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sandbox.testing.cluster import get, items


@dataclass(frozen=True)
class Peer:
    """An end of a connection: a Pod, or with no namespace something outside of the cluster's Pods."""

    namespace: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    ports: Mapping[str, int] = field(default_factory=dict)
    """By name."""


OUTSIDE = Peer()


@dataclass(frozen=True)
class Connection:
    """What one end opens to a port of the other."""

    source: Peer
    target: Peer
    port: int
    protocol: str = "TCP"


def pod(namespace: str, labels: Mapping[str, str]) -> Peer:
    """A running Pod with these labels."""
    found = next(
        each for each in items("pods", namespace) if labels.items() <= (each["metadata"].get("labels") or {}).items()
    )
    ports = [port for each in found["spec"]["containers"] for port in each.get("ports", [])]
    named = {port["name"]: port["containerPort"] for port in ports if "name" in port}
    return Peer(namespace, found["metadata"]["labels"], named)


def allowed(connection: Connection) -> bool:
    """Whether the cluster's NetworkPolicies let a connection through."""
    source, target = connection.source, connection.target
    return _lets("egress", "to", source, target, connection) and _lets("ingress", "from", target, source, connection)


def _lets(direction: str, key: str, end: Peer, other: Peer, connection: Connection) -> bool:
    if end.namespace is None:
        return True
    policies = [
        each["spec"]
        for each in items("networkpolicies", end.namespace)
        if direction.capitalize() in each["spec"]["policyTypes"] and _selects(each["spec"]["podSelector"], end.labels)
    ]
    rules = [rule for policy in policies for rule in policy.get(direction) or []]
    return not policies or any(
        _is_peer(rule.get(key), other, end) and _is_port(rule.get("ports"), connection) for rule in rules
    )


def _is_peer(listed: list[dict[str, Any]] | None, other: Peer, end: Peer) -> bool:
    if not listed:
        return True
    for each in listed:
        assert each.keys() <= {"namespaceSelector", "podSelector"}, "no other kind of peer is known here"
        name = {"kubernetes.io/metadata.name": other.namespace or ""}
        near = (
            _selects(each["namespaceSelector"], name)
            if "namespaceSelector" in each
            else other.namespace == end.namespace
        )
        if other.namespace is not None and near and _selects(each.get("podSelector", {}), other.labels):
            return True
    return False


def _is_port(listed: list[dict[str, Any]] | None, connection: Connection) -> bool:
    named = connection.target.ports
    return not listed or any(
        each.get("protocol", "TCP") == connection.protocol and named.get(each["port"], each["port"]) == connection.port
        for each in listed
    )


def _selects(selector: dict[str, Any], labels: Mapping[str, str]) -> bool:
    assert selector.keys() <= {"matchLabels"}, "no other kind of selector is known here"
    return bool(selector.get("matchLabels", {}).items() <= labels.items())


def target_port(service: str, namespace: str, port: int) -> int:
    """The port at which what is behind a Service listens: policies see connections after kube-proxy has led them on."""
    slices = [
        each
        for each in items("endpointslices", namespace)
        if each["metadata"]["labels"].get("kubernetes.io/service-name") == service
    ]
    found = get("service", service, namespace)
    assert found is not None, "the Service is there"
    name = next(each.get("name") or "" for each in found["spec"]["ports"] if each["port"] == port)
    return next(int(each["port"]) for slice_ in slices for each in slice_["ports"] if (each.get("name") or "") == name)
