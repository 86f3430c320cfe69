"""Which hosts the gateway serves by TLS, from which objects, and which of them the config can express."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from components.problem import Problem
from components.shell import word
from components.specs import apis, gateway_api_limits, names
from components.specs.istio import NAMESPACE, SELECTOR
from tlsctl.adopt import gateway_api as of_gateway_api
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
from tlsctl.adopt.routes import Route, Routes
from tlsctl.own import Key


@dataclass
class Serving:
    """What the gateway serves."""

    api: str = apis.ISTIO
    """The API of the Gateways whose hosts the stack takes over."""
    hosts: list[dict[str, Any]] = field(default_factory=list)
    """As the config has them."""
    hsts: int = 0
    selector: Mapping[str, str] = field(default_factory=lambda: SELECTOR)
    service: Object | None = None
    gateways: list[Object] = field(default_factory=list)
    """The Gateways with that selector, on port 443 or 80."""
    own_pods: list[Object] = field(default_factory=list)
    """Gateways of the Gateway API for which Istio runs a gateway, whose hosts move to the stack's."""
    replaced: dict[str, list[Key]] = field(default_factory=dict)
    """For each host, the routes that the stack's replaces: VirtualServices or HTTPRoutes."""
    redirects: list[Key] = field(default_factory=list)
    """Routes that only redirect."""
    credentials: set[str] = field(default_factory=set)
    """Secrets that a Gateway presents."""
    notes: list[Problem] = field(default_factory=list)

    @property
    def reader(self) -> ModuleType:
        """The module that reads the routes of this API."""
        return of_gateway_api if self.api == apis.GATEWAY else istio

    @property
    def presented(self) -> set[Key]:
        """Namespace and name of the Secrets that Gateways present."""
        own = {(key(one)[0], secret) for one in self.own_pods for secret in _secrets(one)}
        return {(self.namespace, secret) for secret in self.credentials} | own

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


def serving(inventory: Inventory, challenge: Callable[[str], str]) -> Serving:
    """Return what the gateway serves, with notes on what the stack cannot take over; `challenge` is that of a host."""
    result = Serving()
    _choose_gateway(_choose_api(inventory, result), inventory, result)
    for gateway in result.gateways:
        _read_listeners(gateway, result)
    _read_routes(inventory, result, challenge)
    for host, of_host in ingresses.by_host(inventory.ingresses).items():
        if host in result.names:
            continue  # VirtualServices serve it already.
        routes = ingresses.routes_of(host, of_host, inventory.services)
        served = _host(host, routes.routes)
        reason = (
            routes.reason or _refusal(host, inventory, challenge(host), result.address) or _conflict(served, result)
        )
        if reason:
            result.notes.append(_stays(host, reason))
        else:
            result.hosts.append(served)
            result.notes += ingresses.changes(host, of_host)
    return result


def _choose_api(inventory: Inventory, result: Serving) -> Sequence[Object]:
    """Choose the API of most TLS Gateways, and return its Gateways: a gateway of a stack is written in one."""
    by_api = {apis.ISTIO: inventory.gateways, apis.GATEWAY: of_gateway_api.gateways(inventory)}
    tls = {api: [one for one in of_api if istio.listeners(one, istio.HTTPS)] for api, of_api in by_api.items()}
    result.api = max(by_api, key=lambda api: len(tls[api]))
    result.own_pods = [one for one in by_api[result.api] if of_gateway_api.has_own_pods(one)]
    for api in by_api:
        for gateway in tls[api] if api != result.api else ():
            what = f"is of the other API than most: its hosts stay as they are, since the stack's api is {result.api}"
            result.notes.append(note(gateway, what))
    return [one for one in by_api[result.api] if one not in result.own_pods]


def _choose_gateway(gateways: Sequence[Object], inventory: Inventory, result: Serving) -> None:
    """Choose the selector of most TLS Gateways, and the Service of type LoadBalancer that it matches."""
    tls = [
        gateway
        for gateway in gateways
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
    same = [gateway for gateway in gateways if mapping(gateway, "spec", "selector") == chosen]
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
    # A route of the Gateway API can name a listener.
    if secure and istio.listeners(gateway, istio.HTTP) and result.api == apis.ISTIO:
        what = "has both ports: until it is deleted, the application also answers on port 80"
        result.notes.append(note(gateway, what))


def _secrets(gateway: Object) -> set[str]:
    secure = istio.listeners(gateway, istio.HTTPS)
    return {text(listener, "tls", "credentialName") for listener in secure} - {""}


def _read_routes(inventory: Inventory, result: Serving, challenge: Callable[[str], str]) -> None:
    by_host: dict[str, list[tuple[Object, Routes]]] = {}
    reader = result.reader
    for obj in oldest_first(reader.routes(inventory)):
        routes = reader.routes_of(obj, inventory.services)
        if routes.redirects:
            result.redirects.append(key(obj))
            continue
        for host in reader.https_hosts_of_route(obj, [*result.gateways, *result.own_pods]):
            by_host.setdefault(host, []).append((obj, routes))
    ages = set()
    for host, parts in by_host.items():
        refused = (f"{reader.ROUTE} {qualified(obj)} {routes.reason}" for obj, routes in parts if routes.reason)
        reason = next((f"{why}, which the config cannot express" for why in refused), "")
        served = _host(host, reader.in_order([route for _, routes in parts for route in routes.routes]))
        reason = reason or _refusal(host, inventory, challenge(host), result.address) or _conflict(served, result)
        if reason:
            result.notes.append(_stays(host, reason))
        else:
            result.hosts.append(served)
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
    if any(mapping(record, "routingPolicy") for record in inventory.a_records(host)):
        return "has an A record with a routing policy, in whose place the stack would put one address"
    actual = inventory.addresses(host)
    if challenge == "http01" and actual and address and address not in actual:
        return (
            f"has a record with {', '.join(actual)} and not the gateway's address {address}: HTTP-01 would prove it"
            " there; --challenge dns01 moves it without a gap (docs/moving-in-from-ingress-nginx.md)"
        )
    return ""


def _conflict(served: Mapping[str, Any], result: Serving) -> str:
    """Return why the Gateway API cannot serve a host, or an empty string."""
    if result.api != apis.GATEWAY:
        return ""
    for _, what, _ in gateway_api_limits.host_conflicts({"routes": [served], **served}):
        return what
    for host, other in gateway_api_limits.connection_conflicts([[name] for name in (*result.names, served["host"])]):
        return f"shares connections of browsers with {other if host == served['host'] else host}, whose wildcard it is"
    return ""


def _stays(host: str, reason: str) -> Problem:
    return Problem(host, reason if reason.startswith(("is ", "lies ", "has ")) else f"stays as it is: {reason}")


def _host(host: str, routes: Sequence[Route]) -> dict[str, Any]:
    # Only a route in a list can have these.
    if len(routes) > 1 or any(key in route for route in routes for key in ("canary", "cors")):
        return {"host": host, "routes": list(routes)}
    only = dict(routes[0]) if routes else {}
    if only.get("path") == "/":
        del only["path"]
    return {"host": host, **only}
