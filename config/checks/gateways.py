"""Rules between the keys of one gateway, and between gateways."""

from collections.abc import Iterator, Sequence

from components.problem import Problem
from components.specs import acme, addresses, mutual_tls, tls
from config.checks.keys import Keys
from config.problems import Path


def problems(gateway: Keys) -> Iterator[Problem]:
    """Yield the problems between the keys of a gateway. What it shares with the stack is reported once, there."""
    if gateway.has("ingress"):
        yield from _reserved_address(gateway)
    elif gateway.settings.ingress.managed:
        accepted = "a Service of its own for each gateway with ingress.deployment managed"
        yield gateway.problem(["ingress"], "is missing", accepted, gateway.set(["ingress", "service"], "NAME"))
    if gateway.has("dns"):
        yield from _caa(gateway)
    if gateway.has("certificate"):
        yield from _key_size(gateway)
    if gateway.has("tls"):
        yield from _hsts(gateway)


def _reserved_address(gateway: Keys) -> Iterator[Problem]:
    ingress = gateway.settings.ingress
    if ingress.address != addresses.PROMOTE:
        return
    if ingress.family == addresses.IPV6:
        path: Path = ["ingress", "address"]
        reason = "has no effect on an IPv6 address, which Google reserves in a subnet only"
        fix = gateway.set(path, addresses.EPHEMERAL)
        yield gateway.problem(path, reason, "promote with ingress.family ipv4 or dual", fix)
    if not gateway.settings.region:
        path = ["ingress", "region"]
        fix = gateway.set(path, "REGION")
        yield gateway.problem(path, "is missing", "the region of the reserved address, where gke names none", fix)


def _caa(gateway: Keys) -> Iterator[Problem]:
    if gateway.settings.dns.caa and gateway.settings.caa_identities is None:
        path: Path = ["dns", "caaIdentities"]
        accepted = "the CAs' domains, `meta.caaIdentities` of acme.servers"
        yield gateway.problem(path, "is missing", accepted, gateway.set([*path, 0], "CA-DOMAIN"))


def _key_size(gateway: Keys) -> Iterator[Problem]:
    certificate = gateway.settings.certificate
    sizes = tls.KEY_SIZES.get(certificate.algorithm, ())
    if sizes and certificate.size is not None and certificate.size not in sizes:
        path: Path = ["certificate", "size"]
        reason, accepted = f"is not a size of {certificate.algorithm} keys", ", ".join(map(str, sizes))
        yield gateway.problem(path, reason, accepted, gateway.set(path, sizes[0]))


def _hsts(gateway: Keys) -> Iterator[Problem]:
    # Browsers remember HSTS, and then refuse the untrusted staging certificate with no way around it.
    if gateway.settings.tls.hsts and gateway.settings.acme.issuer == acme.STAGING:
        path: Path = ["tls", "hsts"]
        reason = "would lock browsers out: staging certificates are not trusted"
        yield gateway.problem(path, reason, "0 with acme.issuer staging", gateway.set(path, 0))


def _users_of_dns(gateway: Keys, gateways: Sequence[Keys]) -> Sequence[Keys]:
    """Return the gateways that the section `dns` of one applies to: the stack's own, to every one that has none."""
    return [gateway, *(other for other in gateways if not gateway.view.name and not other.has("dns"))]


def zones(gateways: Sequence[Keys]) -> Iterator[Problem]:
    """Yield the zones of a section `dns` that have the domain of another one, or none of the hosts."""
    for gateway in gateways:
        dns, earlier = gateway.settings.dns, dict[str, int]()
        if not gateway.has("dns") or not all(zone.domain for zone in dns.zones):
            continue
        hosts = [host.host for user in _users_of_dns(gateway, gateways) for host in user.settings.hosts if host.host]
        for number, zone in enumerate(dns.zones):
            place: Path = ["dns", "zones", number]
            path, fix = [*place, "domain"], gateway.remove(place)
            first = earlier.setdefault(zone.domain, number)
            if first != number:
                reason = f"is {gateway.dotted(['dns', 'zones', first, 'domain'])} as well"
                yield gateway.problem(path, reason, "each domain once", fix)
            elif not any(dns.zone_of(host) is zone for host in hosts):
                yield gateway.problem(path, "has none of the hosts", "a domain at or above a host", fix)


def unused_dns01_keys(gateways: Sequence[Keys]) -> Iterator[Problem]:
    """Yield the keys for DNS-01 of a section `dns` none of whose hosts is proven by it."""
    for gateway in gateways:
        users = _users_of_dns(gateway, gateways)
        proven = any(acme.DNS01 in (user.settings.challenge, *user.settings.challenges.values()) for user in users)
        if proven or not gateway.has("dns"):
            continue
        dns = gateway.settings.dns
        for key, value in (
            ("challengeZone", dns.challenge_zone),
            ("workloadIdentity", dns.workload_identity),
            ("workloadAccount", dns.workload_account),
            ("workloadPool", dns.workload_pool),
            ("workloadRole", dns.workload_role),
        ):
            if value:
                fix = f"{gateway.remove(['dns', key])}, or {gateway.set(['challenge'], acme.DNS01)}"
                yield gateway.problem(["dns", key], "has no effect without dns01", "dns01", fix)


def duplicates(gateways: Sequence[Keys]) -> Iterator[Problem]:
    """Yield what two gateways cannot share."""
    seen: dict[tuple[str, str], tuple[Keys, str]] = {}
    for gateway in gateways:
        for what, path, value in _unique(gateway):
            first, key = seen.setdefault((what, value), (gateway, gateway.dotted(path)))
            if first is not gateway:  # within one gateway another rule compares
                accepted, fix = f"each {what} once, in all gateways", gateway.set(path, "NAME")
                if what == "Service" and not first.view.name:
                    accepted = "a Service of its own; or no ingress, to share that of the stack's own gateway"
                yield gateway.problem(path, f"is {key} as well", accepted, fix, default=value.rpartition("/")[2])


def _unique(gateway: Keys) -> Iterator[tuple[str, Path, str]]:
    """Yield what no other gateway may have: what it is, its key, and its value."""
    ingress, certificate = gateway.settings.ingress, gateway.settings.certificate
    if gateway.view.name:
        yield "name", ["name"], gateway.view.name
    if gateway.has("ingress") and ingress.namespace and ingress.service:
        yield "Service", ["ingress", "service"], f"{ingress.namespace}/{ingress.service}"
    if ingress.namespace and certificate.secret_name:
        yield "Secret", ["certificate", "secretName"], f"{ingress.namespace}/{certificate.secret_name}"
    for index, host in enumerate(gateway.settings.hosts):
        if host.host:
            yield "host", ["hosts", index, "host"], host.host


def strict_mtls(gateways: Sequence[Keys]) -> Iterator[Problem]:
    """Yield the first reason why an application's namespace cannot be strict: ACME solvers run there."""
    stack = gateways[0]
    if stack.settings.mtls != mutual_tls.STRICT:
        return
    for application in stack.settings.application_namespaces:
        for gateway in gateways:
            if reason := mutual_tls.refuses_strict(application, gateway.settings.ingress.namespace):
                accepted = "strict with applications in namespaces of their own"
                fix = stack.set(["mtls"], "permissive")
                yield stack.problem(["mtls"], f"cannot be had: the namespace of an application {reason}", accepted, fix)
                return
