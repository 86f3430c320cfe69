"""Which hosts the gateway serves by TLS, from which objects, and which of them the config can express."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from components.problem import Problem
from components.shell import word
from components.specs import names
from components.specs.istio import NAMESPACE, SELECTOR
from tlsctl.adopt import ingresses, istio
from tlsctl.adopt.objects import (
    Inventory,
    Object,
    at,
    key,
    mapping,
    mappings,
    note,
    oldest_first,
    qualified,
    selects,
    text,
)
from tlsctl.adopt.routes import Route, Routes, reachable
from tlsctl.own import Key


@dataclass
class Serving:
    """What the gateway serves."""

    hosts: list[dict[str, Any]] = field(default_factory=list)
    """As the config has them."""
    hsts: int = 0
    selector: Mapping[str, str] = field(default_factory=lambda: SELECTOR)
    service: Object | None = None
    gateways: list[Object] = field(default_factory=list)
    """The Gateways with that selector, on port 443 or 80."""
    replaced: dict[str, list[Key]] = field(default_factory=dict)
    """For each host, the VirtualServices that the stack's replaces."""
    redirects: list[Key] = field(default_factory=list)
    """VirtualServices that only redirect."""
    credentials: set[str] = field(default_factory=set)
    """Secrets that a Gateway presents."""
    notes: list[Problem] = field(default_factory=list)

    @property
    def names(self) -> list[str]:
        """The names of the hosts."""
        return [host["host"] for host in self.hosts]

    @property
    def namespace(self) -> str:
        """The namespace of the gateway's Service."""
        return key(self.service)[0] if self.service else NAMESPACE

    @property
    def address(self) -> str:
        """The gateway's IPv4 address, or an empty string."""
        points = mappings(self.service, "status", "loadBalancer", "ingress")
        return next((text(point, "ip") for point in points if "." in text(point, "ip")), "")

    def elsewhere(self, inventory: Inventory) -> list[str]:
        """Return the hosts whose record has another address than the gateway's."""
        address = self.address
        return [
            host for host in self.names if address and (actual := inventory.addresses(host)) and address not in actual
        ]


def serving(inventory: Inventory, challenge: str) -> Serving:
    """Return what the gateway serves, with notes on what the stack cannot take over."""
    result = Serving()
    _choose_gateway(inventory, result)
    for gateway in result.gateways:
        _read_listeners(gateway, result)
    _read_virtual_services(inventory, result, challenge)
    for host, of_host in ingresses.by_host(inventory.ingresses).items():
        if host in result.names:
            continue  # VirtualServices serve it already.
        routes = ingresses.routes_of(host, of_host, inventory.services)
        if reason := routes.reason or _refusal(host, inventory, challenge, result.address):
            result.notes.append(_stays(host, reason))
        else:
            result.hosts.append(_host(host, routes.routes))
            result.notes += ingresses.changes(host, of_host)
    return result


def _choose_gateway(inventory: Inventory, result: Serving) -> None:
    """Choose the selector of most TLS Gateways, and the Service of type LoadBalancer that it matches."""
    tls = [
        gateway
        for gateway in inventory.gateways
        if istio.listeners(gateway, istio.HTTPS) and mapping(gateway, "spec", "selector")
    ]
    selectors = [dict(mapping(gateway, "spec", "selector")) for gateway in tls] or [dict(SELECTOR)]
    chosen = max(selectors, key=selectors.count)
    result.selector = {str(name): str(value) for name, value in chosen.items()}
    services = [one for one in oldest_first(inventory.services) if selects(chosen, mapping(one, "spec", "selector"))]
    result.service = next((one for one in services if at(one, "spec", "type") == "LoadBalancer"), None)
    if result.service is None:
        labels = ",".join(f"{name}={value}" for name, value in result.selector.items())
        fix = (f"kubectl get services --all-namespaces --selector {word(labels)}",)
        result.notes.append(Problem("gateway", f"has no Service of type LoadBalancer with the selector {labels}", fix))
    same = [gateway for gateway in inventory.gateways if mapping(gateway, "spec", "selector") == chosen]
    result.gateways = [
        gateway
        for gateway in oldest_first(same)
        if istio.listeners(gateway, istio.HTTPS) or istio.listeners(gateway, istio.HTTP)
    ]
    for gateway in tls:
        if gateway not in same:
            what = (
                f"is on other Pods than {qualified(result.gateways[0])}: add that gateway to the config's `gateways`"
                " yourself (docs/gateways.md)"
            )
            result.notes.append(note(gateway, what))


def _read_listeners(gateway: Object, result: Serving) -> None:
    secure = istio.listeners(gateway, istio.HTTPS)
    for listener in secure:
        if secret := text(listener, "tls", "credentialName").rpartition("/")[2]:
            result.credentials.add(secret)
        elif file := text(listener, "tls", "serverCertificate"):
            what = f"has its certificate in the file {file}; the stack's Gateway reads it from the Secret, unmounted"
            result.notes.append(note(gateway, what))
    if secure and istio.listeners(gateway, istio.HTTP):
        what = "has both ports: until it is deleted, the application also answers on port 80"
        result.notes.append(note(gateway, what))


def _read_virtual_services(inventory: Inventory, result: Serving, challenge: str) -> None:
    by_host: dict[str, list[tuple[Object, Routes]]] = {}
    for obj in oldest_first(inventory.virtual_services):
        routes = istio.routes_of(obj, inventory.services)
        if routes.redirects:
            result.redirects.append(key(obj))
            continue
        for host in istio.https_hosts_of_route(obj, result.gateways):
            by_host.setdefault(host, []).append((obj, routes))
    ages = set()
    for host, parts in by_host.items():
        refused = (f"VirtualService {qualified(obj)} {routes.reason}" for obj, routes in parts if routes.reason)
        reason = next((f"{why}, which the config cannot express" for why in refused), "")
        if reason := reason or _refusal(host, inventory, challenge, result.address):
            result.notes.append(_stays(host, reason))
        else:
            result.hosts.append(_host(host, reachable([route for _, routes in parts for route in routes.routes])))
            result.replaced[host] = [key(obj) for obj, _ in parts]
            ages.add(max(routes.hsts for _, routes in parts))
    result.hsts = ages.pop() if len(ages) == 1 else 0


def _refusal(host: str, inventory: Inventory, challenge: str, address: str) -> str:
    try:
        names.dns_name(host)
    except ValueError as error:
        return str(error)
    if not names.lies_in(inventory.domain, host):
        return f"lies outside the managed zone {inventory.zone} ({inventory.domain})"
    if challenge == "http01" and names.is_wildcard(host):
        return "is a wildcard, which HTTP-01 cannot prove: --challenge dns01"
    actual = inventory.addresses(host)
    if challenge == "http01" and actual and address and address not in actual:
        return (
            f"has a record with {', '.join(actual)} and not the gateway's address {address}: HTTP-01 would prove it"
            " there; --challenge dns01 moves it without a gap (docs/moving-in-from-ingress-nginx.md)"
        )
    return ""


def _stays(host: str, reason: str) -> Problem:
    return Problem(host, reason if reason.startswith(("is ", "lies ", "has ")) else f"stays as it is: {reason}")


def _host(host: str, routes: Sequence[Route]) -> dict[str, Any]:
    if len(routes) > 1:
        return {"host": host, "routes": list(routes)}
    only = dict(routes[0])
    if only["path"] == "/":
        del only["path"]
    return {"host": host, **only}
