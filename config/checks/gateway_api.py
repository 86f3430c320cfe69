"""What the Gateway API cannot say: rules of gateways with `api: gateway`. docs/gateway-api.md has the table."""

from collections.abc import Iterator

from pydantic.alias_generators import to_camel

from components.problem import Problem
from components.specs import addresses, apis, gateway_api, gateway_api_limits
from config.checks.keys import Keys
from config.problems import Path, value_at
from config.traffic import Host


def problems(gateway: Keys) -> Iterator[Problem]:
    """Yield the problems of a gateway that is written in the Gateway API, or that Istio is to run for it."""
    if gateway.has("ingress"):
        yield from _deployment(gateway)
    if gateway.settings.api != apis.GATEWAY:
        return
    yield from _min_version(gateway)
    yield from _listeners(gateway)
    yield from _connections(gateway)
    for index, host in enumerate(gateway.settings.hosts):
        yield from _host(gateway, index, host)


def _min_version(gateway: Keys) -> Iterator[Problem]:
    lowest = gateway.settings.tls.min_version
    if lowest and lowest != gateway_api_limits.MIN_VERSION:
        path: Path = ["tls", "minVersion"]
        accepted = (
            f"{gateway_api_limits.MIN_VERSION} with api gateway; for every gateway of the mesh,"
            " meshConfig.tlsDefaults.minProtocolVersion of Istio"
        )
        fix = f"{gateway.set(path, gateway_api_limits.MIN_VERSION)}, or {gateway.set(['api'], apis.ISTIO)}"
        yield gateway.problem(path, "cannot be set for a listener of the Gateway API", accepted, fix)


def _deployment(gateway: Keys) -> Iterator[Problem]:
    """Yield the problems of who runs the gateway."""
    ingress = gateway.settings.ingress
    path: Path = ["ingress", "deployment"]
    if not ingress.managed:
        if ingress.infrastructure.model_fields_set:
            where: Path = ["ingress", "infrastructure"]
            fix = f"{gateway.remove(where)}, or {gateway.set(path, 'managed')}"
            yield gateway.problem(
                where, "has no effect on a gateway that others run", "ingress.deployment managed", fix
            )
        return
    if gateway.settings.api != apis.GATEWAY:
        fix = f"{gateway.set(['api'], apis.GATEWAY)}, or {gateway.set(path, 'existing')}"
        yield gateway.problem(path, "has no effect in Istio's own API", "managed with api gateway", fix)
    if "service" not in ingress.model_fields_set:
        where = ["ingress", "service"]
        accepted = "the name that the Service and the Deployment are to get with ingress.deployment managed"
        yield gateway.problem(where, "is missing", accepted, gateway.set(where, "NAME"))
    if ingress.address == addresses.PROMOTE:
        where = ["ingress", "address"]
        accepted = "ephemeral with ingress.deployment managed, and a reserved address as ingress.infrastructure.address"
        fix = gateway.set(where, addresses.EPHEMERAL)
        yield gateway.problem(where, "keeps the address of a Service that others run", accepted, fix)
    if gateway.settings.tls.client_ca is not None:
        where = ["tls", "clientCa"]
        fix = f"{gateway.remove(where)}, or {gateway.set(path, 'existing')}"
        yield gateway.problem(where, "cannot be set for a ListenerSet", "ingress.deployment existing with it", fix)


def _listeners(gateway: Keys) -> Iterator[Problem]:
    count = len(gateway.settings.hosts)
    most = gateway_api.MAX_LISTENERS * gateway_api.MAX_PARENTS
    if count > most:
        accepted = f"at most {most} with api gateway: one HTTPRoute redirects {gateway_api.MAX_PARENTS} Gateways"
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
    for wildcard, host in gateway_api_limits.connection_conflicts([[host] for host in hosts]):
        where: Path = ["hosts", hosts.index(host), "host"]
        reason = f"is covered by {wildcard}, over whose connections browsers ask for it: it would be answered 404"
        fix = f"{gateway.remove(where[:2])}, or {gateway.set(['api'], apis.ISTIO)}"
        yield gateway.problem(where, reason, "with api gateway, no host below a wildcard of the same gateway", fix)


def _host(gateway: Keys, index: int, host: Host) -> Iterator[Problem]:
    where: Path = ["hosts", index]
    inline = bool(host.inline) and not host.routes
    for place, reason, accepted in gateway_api_limits.host_conflicts(host.served, gateway.settings.tls.hsts or 0):
        # A host's only route is written in the host itself.
        own = place[2:] if inline and place[:1] == ("routes",) else place
        path = [*where, *(to_camel(part) if isinstance(part, str) else part for part in own)]
        fix = f"{gateway.remove(path)}, or {gateway.set(['api'], apis.ISTIO)}"
        yield gateway.problem(path, reason, accepted, fix, default=value_at(host.served, place, ""))
