"""Which hosts the gateway serves by TLS, from which objects, and what of that the config can have."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from components.problem import Problem
from components.shell import word
from components.specs import istio, names
from tlsctl.adopt import ingresses as of_ingresses
from tlsctl.adopt import routes
from tlsctl.adopt.objects import (
    Found,
    Key,
    Object,
    at,
    key,
    mapping,
    mappings,
    oldest_first,
    qualified,
    selects,
    text,
    texts,
)


@dataclass
class Serving:
    """What is served."""

    hosts: list[dict[str, Any]] = field(default_factory=list)
    """As the config has them."""
    hsts: int = 0
    selector: Mapping[str, str] = field(default_factory=lambda: istio.SELECTOR)
    service: Object | None = None
    """Of the gateway."""
    gateways: list[Object] = field(default_factory=list)
    """On that selector, on port 443 or 80."""
    moved: dict[str, list[Key]] = field(default_factory=dict)
    """The VirtualServices that served each of the hosts."""
    redirects: list[Key] = field(default_factory=list)
    """VirtualServices that only redirect."""
    credentials: set[str] = field(default_factory=set)
    """Secrets that a Gateway presents."""
    notes: list[Problem] = field(default_factory=list)

    @property
    def names(self) -> list[str]:
        """The hosts' names."""
        return [each["host"] for each in self.hosts]

    @property
    def namespace(self) -> str:
        """Where the gateway's Service is."""
        return key(self.service)[0] if self.service else istio.NAMESPACE

    @property
    def address(self) -> str:
        """The gateway's IPv4 address, or an empty string."""
        points = mappings(self.service, "status", "loadBalancer", "ingress")
        return next((text(each, "ip") for each in points if "." in text(each, "ip")), "")


def servers(gateway: Object, port: int) -> list[Object]:
    """Return a Gateway's servers of a port."""
    return [each for each in mappings(gateway, "spec", "servers") if at(each, "port", "number") == port]


def server_hosts(server: Object) -> list[str]:
    """Return a server's hosts, without the namespace that may lead one."""
    return [host.rpartition("/")[2].lower() for host in texts(server, "hosts")]


def bound(virtual_service: Object) -> list[Key]:
    """Return the Gateways that a VirtualService names."""
    own = key(virtual_service)[0]
    found = []
    for each in texts(virtual_service, "spec", "gateways"):
        namespace, slash, name = each.rpartition("/")
        found.append((namespace if slash else own, name) if each != "mesh" else ("", "mesh"))
    return found


def shared(server: str, route: str) -> str | None:
    """Return the host that a Gateway's and a VirtualService's have in common: the narrower one."""
    for broad, narrow in ((server, route), (route, server)):
        if broad in ("*", narrow) or (names.is_wildcard(broad) and narrow.endswith(broad[1:])):
            return narrow
    return None


def serving(found: Found, challenge: str) -> Serving:
    """Return what is served, and what of it cannot be taken over.

    Args:
        found: the cluster and the zone.
        challenge: how ownership of a name is proven.
    """
    result = Serving()
    _choose_gateway(found, result)
    order: dict[str, list[tuple[Object, routes.Routes]]] = {}
    for gateway in result.gateways:
        _read_servers(gateway, result)
    for obj in oldest_first(found.virtual_services):
        read = routes.of_virtual_service(obj, found.services)
        if read.redirects:
            result.redirects.append(key(obj))
            continue
        for host in _hosts_of(obj, result.gateways):
            order.setdefault(host, []).append((obj, read))
    ages = set()
    for host, parts in order.items():
        if reason := next((read.reason for _, read in parts if read.reason), ""):
            where = f"VirtualService {qualified(next(key(obj) for obj, read in parts if read.reason))}"
            result.notes.append(_left(host, f"{where} {reason}, which the config does not know"))
        elif _admitted(host, found, result, challenge):
            merged = routes.reached([route for _, read in parts for route in read.routes])
            result.hosts.append(_host(host, merged))
            result.moved[host] = [key(obj) for obj, _ in parts]
            ages.add(max(read.hsts for _, read in parts))
    result.hsts = ages.pop() if len(ages) == 1 else 0
    for host, ingresses in of_ingresses.by_host(found.ingresses).items():
        _read_ingresses(host, ingresses, found, result, challenge)
    return result


def _choose_gateway(found: Found, result: Serving) -> None:
    """Choose the selector with most TLS hosts, and the load balancer's Service behind it."""
    tls = [each for each in found.gateways if servers(each, 443) and mapping(each, "spec", "selector")]
    selectors = [dict(mapping(each, "spec", "selector")) for each in tls] or [dict(istio.SELECTOR)]
    chosen = max(selectors, key=selectors.count)
    result.selector = {str(name): str(value) for name, value in chosen.items()}
    balancers = [each for each in oldest_first(found.services) if at(each, "spec", "type") == "LoadBalancer"]
    result.service = next((each for each in balancers if selects(chosen, mapping(each, "spec", "selector"))), None)
    if result.service is None:
        labels = ",".join(f"{name}={value}" for name, value in result.selector.items())
        fix = (f"kubectl get services --all-namespaces --selector {word(labels)}",)
        result.notes.append(Problem("gateway", f"has no Service of type LoadBalancer with the selector {labels}", fix))
    same = [each for each in found.gateways if mapping(each, "spec", "selector") == chosen]
    result.gateways = [each for each in oldest_first(same) if servers(each, 443) or servers(each, 80)]
    for each in tls:
        if each not in same:
            what = (
                f"is on other Pods than {qualified(key(result.gateways[0]))}: add that gateway to the config's"
                " `gateways` by hand (docs/gateways.md)"
            )
            result.notes.append(Problem(f"Gateway {qualified(key(each))}", what))


def _read_servers(gateway: Object, result: Serving) -> None:
    where = f"Gateway {qualified(key(gateway))}"
    for server in servers(gateway, 443):
        if secret := text(server, "tls", "credentialName"):
            result.credentials.add(secret.rpartition("/")[2])
        elif file := text(server, "tls", "serverCertificate"):
            what = f"has its certificate in the file {file}; the stack's gets it from the Secret, without a mount"
            result.notes.append(Problem(where, what))
    if servers(gateway, 443) and servers(gateway, 80):
        what = "has both ports: until it is deleted, the application answers on port 80 as well"
        result.notes.append(Problem(where, what))


def _hosts_of(obj: Object, gateways: Sequence[Object]) -> Iterator[str]:
    """Yield the hosts that a VirtualService routes by TLS, each once."""
    named = bound(obj)
    found = {
        host: None
        for gateway in gateways
        if key(gateway) in named
        for server in servers(gateway, 443)
        if text(server, "tls", "mode") in ("", "SIMPLE")
        for broad in server_hosts(server)
        for narrow in texts(obj, "spec", "hosts")
        if (host := shared(broad, narrow.lower()))
    }
    yield from found


def _admitted(host: str, found: Found, result: Serving, challenge: str) -> bool:
    """Tell whether the config can have a host; note why not."""
    if host in result.names:
        return False
    reason = _refusal(host, found, challenge, result.address)
    if reason:
        result.notes.append(_left(host, reason))
    return not reason


def _refusal(host: str, found: Found, challenge: str, address: str) -> str:
    try:
        names.dns_name(host)
    except ValueError as error:
        return str(error)
    if not names.lies_in(found.domain, host):
        return f"lies outside the managed zone {found.zone} ({found.domain})"
    if challenge == "http01" and names.is_wildcard(host):
        return "is a wildcard, which HTTP-01 cannot prove: --challenge dns01"
    led = records(found, host)
    if challenge == "http01" and led and address and address not in led:
        return (
            f"is led to {', '.join(led)} by its record, and not to the gateway at {address}: HTTP-01 would prove it"
            " there; --challenge dns01 moves it without a gap (docs/moving-in-from-ingress-nginx.md)"
        )
    return ""


def records_of(found: Found, host: str) -> list[Object]:
    """Return a host's A records."""
    return [
        each
        for each in found.record_sets
        if text(each, "type") == "A" and text(each, "name").rstrip(".").lower() == host
    ]


def records(found: Found, host: str) -> list[str]:
    """Return the addresses of a host's A records."""
    return [address for each in records_of(found, host) for address in texts(each, "rrdatas")]


def elsewhere(found: Found, served: Serving) -> list[str]:
    """Return the hosts whose record leads to another address than the gateway's."""
    address = served.address
    return [host for host in served.names if address and (led := records(found, host)) and address not in led]


def _left(host: str, reason: str) -> Problem:
    return Problem(host, f"stays as it is: {reason}" if not reason.startswith(("is ", "lies ", "has ")) else reason)


def _host(host: str, found: list[routes.Route]) -> dict[str, Any]:
    if len(found) > 1:
        return {"host": host, "routes": found}
    only = dict(found[0])
    if only["path"] == "/":
        del only["path"]
    return {"host": host, **only}


def _read_ingresses(host: str, ingresses: Sequence[Object], found: Found, result: Serving, challenge: str) -> None:
    """Take over a host of Ingresses, unless VirtualServices serve it already."""
    if host in result.names:
        return
    read = of_ingresses.routes(host, ingresses, found.services)
    if read.reason:
        result.notes.append(_left(host, read.reason))
    elif _admitted(host, found, result, challenge):
        result.hosts.append(_host(host, read.routes))
        result.notes += of_ingresses.changes(host, ingresses)
