"""What makes the gateway's Service unfit: its type, ports and addresses, the Pods that it leads to, who may connect."""

import ipaddress
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..kube.client import Object
from ..problem import Problem, set_input
from ..shell import word
from ..specs import addresses

Commands = Mapping[str, str]
"""What sets an input, without its value: see `set_input`."""

_INTERNAL = ("networking.gke.io/load-balancer-type", "cloud.google.com/load-balancer-type")
"""Annotations of GKE with the value Internal (https://cloud.google.com/kubernetes-engine/docs/how-to/internal-load-balancing)."""

_NOT_ROUTED = [
    ipaddress.ip_network(network)
    for network in (
        "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16", "127.0.0.0/8",
        "fc00::/7", "fe80::/10", "::1/128",
    )
]  # fmt: skip
"""Networks that the internet does not route: RFC 1918, 6598, 3927, 4193. Python's `is_private` also has TEST-NET."""


@dataclass(frozen=True)
class Wanted:
    """What a Service is read for."""

    family: str = addresses.IPV4
    """Of the external addresses: one of `addresses.FAMILIES`."""
    plain: bool = True
    """Whether port 80 is needed."""
    managed: bool = False
    """Whether Istio makes the Service, and its port 443 with the first host."""
    commands: Commands = field(default_factory=dict)
    """Without any, a fix names the inputs of the component."""
    selector: Mapping[str, str] = field(default_factory=dict)
    """Labels of the Pods that Gateways select; empty where these find the Pods by the Service."""
    public_ca: bool = False
    """Whether a CA on the internet has to reach port 80."""


def wrong_type(service: Object, _: Wanted) -> Iterator[Problem]:
    """Yield the problem of a Service that gets no external IP."""
    kind = service["spec"].get("type")
    if kind != "LoadBalancer":
        fix = _patch(service, {"spec": {"type": "LoadBalancer"}})
        yield Problem(_where(service), f"is of type {kind}; only a LoadBalancer gets an external IP", (fix,))


def missing_port(service: Object, wanted: Wanted) -> Iterator[Problem]:
    """Yield the ports that are needed and missing."""
    ports = {port["port"]: port for port in service["spec"].get("ports") or []}
    # A gateway that listens on unprivileged ports does so for both.
    unprivileged = any(port.get("targetPort") in (8080, 8443) for port in ports.values())
    for number, protocol, high in ((80, "http", 8080), (443, "https", 8443)):
        needed = wanted.plain if number == 80 else not wanted.managed
        if number not in ports and needed:
            target = high if unprivileged else number
            port = {"name": protocol, "port": number, "targetPort": target}
            fix = _patch(service, [{"op": "add", "path": "/spec/ports/-", "value": port}])
            yield Problem(_where(service), f"has no port {number} ({protocol})", (fix,))


def wrong_address(service: Object, wanted: Wanted) -> Iterator[Problem]:
    """Yield why a load balancer that is ready has not the addresses that the records need."""
    points, ips = _points(service), addresses_of(service)
    if points and not ips:
        what = f"has the hostname {points[0].get('hostname')} and no IP; an A record needs an IP"
        fix = set_input(wanted.commands, "service", "NAME", "a Service whose load balancer has an IP")
        yield Problem(_where(service), what, (fix,))
    elif points:
        yield from _wrong_versions(service, ips, wanted)


def _wrong_versions(service: Object, ips: Mapping[int, str], wanted: Wanted) -> Iterator[Problem]:
    versions, families = addresses.FAMILIES[wanted.family], service["spec"].get("ipFamilies") or []
    lacking = [version for version in versions if version not in ips]
    if not lacking or (all(f"IPv{version}" in families for version in versions) and len(versions) > 1):
        # With both, the second address may still be on its way.
        return
    has = ", ".join(f"the IPv{version} address {address}" for version, address in ips.items())
    record = addresses.RECORD_TYPES[lacking[0]]
    dual = {"ipFamilyPolicy": "RequireDualStack"}
    change = dual if len(versions) > 1 else {"ipFamilies": [f"IPv{lacking[0]}"]}
    other = next(name for name, family in addresses.FAMILIES.items() if family == tuple(sorted(ips)))
    fix = (
        _patch(service, {"spec": change}),
        set_input(wanted.commands, "family", other, "in place of the above"),
    )
    yield Problem(_where(service), f"has only {has}; an {record} record needs IPv{lacking[0]}", fix)


def other_pods(service: Object, wanted: Wanted) -> Iterator[Problem]:
    """Yield the contradiction between the Service's own selector and that of the Gateways: no Pod has both."""
    own: Mapping[str, str] = service["spec"].get("selector") or {}
    differing = {label: own[label] for label, value in wanted.selector.items() if own.get(label, value) != value}
    if differing:
        what = f"leads to the Pods with {_labels(own)}, and the Gateways are for those with {_labels(wanted.selector)}"
        fix = (set_input(wanted.commands, f"selector.{label}", value) for label, value in differing.items())
        yield Problem(_where(service), f"{what}: its requests would find no host", tuple(fix))


def unreachable(service: Object, wanted: Wanted) -> Iterator[Problem]:
    """Yield why a CA on the internet cannot connect to the gateway, without which HTTP-01 fails."""
    if not wanted.public_ca:
        return
    by_dns = set_input(wanted.commands, "challenge", "dns01", "it needs no connection to the gateway")
    annotations = service["metadata"].get("annotations") or {}
    internal = [name for name in _INTERNAL if annotations.get(name) == "Internal"]
    ranges = service["spec"].get("loadBalancerSourceRanges") or []
    inside = [ip for ip in addresses_of(service).values() if _is_inside(ip)]
    if internal:
        what = f"is internal ({internal[0]}: Internal)"
    elif inside:
        what = f"has the address {', '.join(inside)}, which the internet does not route"
    elif ranges and not _includes_all(ranges):
        what = f"is open to {', '.join(ranges)} only (loadBalancerSourceRanges)"
    else:
        return
    yield Problem(_where(service), f"{what}: the CA cannot reach it, and HTTP-01 would fail", (by_dns,))


def _is_inside(ip: str) -> bool:
    address = ipaddress.ip_address(ip)
    return any(address in network for network in _NOT_ROUTED)


def _includes_all(ranges: Sequence[str]) -> bool:
    """Tell whether source ranges include every address of an IP version."""
    networks: list[Any] = [ipaddress.ip_network(text.strip(), strict=False) for text in ranges]
    versions = ([network for network in networks if network.version == version] for version in (4, 6))
    return any(network.prefixlen == 0 for alike in versions for network in ipaddress.collapse_addresses(alike))


def addresses_of(service: Object) -> dict[int, str]:
    """Return the first address of each IP version."""
    ips: dict[int, str] = {}
    for point in _points(service):
        if ip := point.get("ip"):
            ips.setdefault(ipaddress.ip_address(ip).version, ip)
    return ips


def _points(service: Object) -> list[Object]:
    balancer = service.get("status", {}).get("loadBalancer") or {}
    return balancer.get("ingress") or []


def service_name(namespace: str, service: str) -> str:
    """Return the `where` of a Service's problem."""
    return f"Service {namespace}/{service}"


def _where(service: Object) -> str:
    return service_name(service["metadata"]["namespace"], service["metadata"]["name"])


def _labels(labels: Mapping[str, str]) -> str:
    return ", ".join(f"{name}={value}" for name, value in labels.items())


def _patch(service: Object, change: Any) -> str:
    """Return the command that changes a Service: by the operations of a JSON patch, or by an object to merge."""
    kind, patch = "json" if isinstance(change, list) else "merge", json.dumps(change, separators=(",", ":"))
    metadata = service["metadata"]
    where = f"--namespace {word(metadata['namespace'])} patch service {word(metadata['name'])}"
    return f"kubectl {where} --type {kind} --patch {word(patch)}"
