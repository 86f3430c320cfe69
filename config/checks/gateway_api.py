"""What the Gateway API cannot say: rules of gateways with `api: gateway`. docs/gateway-api.md has the table."""

from collections.abc import Iterator

from pydantic.alias_generators import to_camel

from components.problem import Problem
from components.specs import apis, cert_manager, gateway_api
from config.checks.keys import Keys
from config.problems import Path, value_at
from config.traffic import Host


def problems(gateway: Keys) -> Iterator[Problem]:
    """Yield the problems of a gateway that is written in the Gateway API."""
    if gateway.settings.api != apis.GATEWAY:
        return
    yield from _min_version(gateway)
    yield from _listeners(gateway)
    yield from _connections(gateway)
    for index, host in enumerate(gateway.settings.hosts):
        yield from _host(gateway, index, host)


def cert_manager_version(stack: Keys) -> Iterator[Problem]:
    """Yield the problem of a cert-manager that does not know the annotations by which a Certificate names a Gateway."""
    version = stack.settings.cert_manager.version
    if stack.settings.uses_gateway_api and version and not cert_manager.at_least(version, (1, 21, 2)):
        path: Path = ["certManager", "version"]
        fix = stack.set(path, cert_manager.VERSION)
        yield stack.problem(path, "is too old for api gateway", "v1.21.2 and later with it", fix)


def _min_version(gateway: Keys) -> Iterator[Problem]:
    lowest = gateway.settings.tls.min_version
    if lowest and lowest != gateway_api.MIN_VERSION:
        path: Path = ["tls", "minVersion"]
        accepted = (
            f"{gateway_api.MIN_VERSION} with api gateway; for every gateway of the mesh,"
            " meshConfig.tlsDefaults.minProtocolVersion of Istio"
        )
        fix = f"{gateway.set(path, gateway_api.MIN_VERSION)}, or {gateway.set(['api'], apis.ISTIO)}"
        yield gateway.problem(path, "cannot be set for a listener of the Gateway API", accepted, fix)


def _listeners(gateway: Keys) -> Iterator[Problem]:
    count = len(gateway.settings.hosts)
    if count > gateway_api.MAX_LISTENERS:
        accepted = f"at most {gateway_api.MAX_LISTENERS} with api gateway, which is the limit of listeners of a Gateway"
        fix = gateway.set(["api"], apis.ISTIO)
        yield gateway.problem(["hosts"], f"are {count} hosts", accepted, fix, default=count)


def _connections(gateway: Keys) -> Iterator[Problem]:
    """Yield the problem of hosts that a browser asks for over one connection: all but one would be answered 404."""
    hosts = [host.host for host in gateway.settings.hosts if host.host]
    certificate = gateway.settings.certificate
    if certificate.grouping == "shared" and len(hosts) > 1:
        path: Path = ["certificate", "grouping"]
        reason = (
            "shares a certificate among hosts, which browsers then ask for over one connection: a listener of the"
            " Gateway API answers 404 for all but its own"
        )
        fix = f"{gateway.set(path, 'perHost')}, or {gateway.set(['api'], apis.ISTIO)}"
        yield gateway.problem(path, reason, "perHost with api gateway", fix, default="shared")
        return
    for wildcard, host in gateway_api.connection_conflicts([[host] for host in hosts]):
        where: Path = ["hosts", hosts.index(host), "host"]
        reason = f"is covered by {wildcard}, over whose connections browsers ask for it: it would be answered 404"
        fix = f"{gateway.remove(where[:2])}, or {gateway.set(['api'], apis.ISTIO)}"
        yield gateway.problem(where, reason, "with api gateway, no host below a wildcard of the same gateway", fix)


def _host(gateway: Keys, index: int, host: Host) -> Iterator[Problem]:
    where: Path = ["hosts", index]
    inline = bool(host.inline) and not host.routes
    for place, reason, accepted in gateway_api.host_conflicts(host.served, gateway.settings.tls.hsts or 0):
        # A host's only route is written in the host itself.
        own = place[2:] if inline and place[:1] == ("routes",) else place
        path = [*where, *(to_camel(part) if isinstance(part, str) else part for part in own)]
        fix = f"{gateway.remove(path)}, or {gateway.set(['api'], apis.ISTIO)}"
        yield gateway.problem(path, reason, accepted, fix, default=value_at(host.served, place, ""))
