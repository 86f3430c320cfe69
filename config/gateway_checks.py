"""Rules between the keys of one gateway, and between gateways."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

from components.problem import Problem
from components.specs import acme, addresses, caa, istio, mutual_tls, names, tls

from .keys import Keys
from .problems import Path
from .served import served


def gateway_checks(keys: Keys, gateways: Sequence[Keys]) -> Iterator[Problem]:
    """Yield the problems between the keys of a gateway.

    Args:
        keys: the gateway's.
        gateways: those of every gateway.
    """
    yield from _address(keys)
    yield from _duplicate_hosts(keys)
    yield from _wildcards(keys)
    yield from _dns01(keys, gateways)
    yield from _caa(keys)
    yield from served(keys)
    yield from _key_size(keys)
    yield from _hsts(keys)


def between_gateways(gateways: Sequence[Keys]) -> Iterator[Problem]:
    """Yield what two gateways cannot both have: a name, a Service, a host, a Secret."""
    seen: dict[tuple[str, Any], tuple[Keys, str]] = {}
    for keys in gateways:
        for what, path, value in _unique(keys):
            if not isinstance(value, str):
                continue  # its own field has said so
            first, key = seen.setdefault((what, value), (keys, keys.named(path)))
            if first is not keys:  # within one gateway another rule compares
                accepted = f"each {what} once, in all gateways"
                yield keys.problem(path, f"is {key} as well", accepted, keys.set(path, "NAME"), value)


def _unique(keys: Keys) -> Iterator[tuple[str, Path, Any]]:
    """Yield what no other gateway may have: what it is, where, and its value."""
    name = keys.raw.get("name") if keys.gateway else None
    if name:
        yield "name", ["name"], name
    namespace, service = keys.place
    yield "Service", ["ingress", "service"], f"{namespace}/{service}"
    secret = keys.section("certificate").get("secretName") if keys.has("certificate") else None
    secret = secret or (f"{name}-certs" if name else istio.CREDENTIAL)
    yield "Secret", ["certificate", "secretName"], f"{namespace}/{secret}"
    for index, host in _host_names(keys):
        yield "host", ["hosts", index, "host"], host


def _address(keys: Keys) -> Iterator[Problem]:
    section = keys.section("ingress")
    if section.get("address") != addresses.PROMOTE or not keys.has("ingress"):
        return
    if section.get("family") == addresses.IPV6:
        path: Path = ["ingress", "address"]
        reason = "has no effect on an IPv6 address, which Google reserves in a subnet alone"
        fix = keys.set(path, addresses.EPHEMERAL)
        yield keys.problem(path, reason, "promote with ingress.family ipv4 or dual", fix, section["address"])
    if not section.get("region") and not keys.section("gke").get("location"):
        path = ["ingress", "region"]
        fix = keys.set(path, "REGION")
        yield keys.problem(path, "is missing", "the region of the reserved address, where gke names none", fix)


def _duplicate_hosts(keys: Keys) -> Iterator[Problem]:
    seen: dict[str, int] = {}
    for index, name in _host_names(keys):
        if name in seen:
            path: Path = ["hosts", index, "host"]
            yield keys.problem(
                path,
                f"is the same name as {keys.named(['hosts', seen[name], 'host'])}",
                "each name once; give one host several `routes`",
                f"{keys.remove(['hosts', index])}, or {keys.set(path, 'other.YOUR-DOMAIN')}",
                keys.hosts[index]["host"],
            )
        seen.setdefault(name, index)


def _wildcards(keys: Keys) -> Iterator[Problem]:
    for index, name in _host_names(keys):
        host = keys.hosts[index]
        if names.is_wildcard(name) and keys.challenge(host) == acme.HTTP01:
            where: Path = ["hosts", index, "challenge"] if host.get("challenge") else ["challenge"]
            yield keys.problem(
                ["hosts", index, "host"],
                "is a wildcard, which HTTP-01 cannot prove",
                "wildcards with challenge dns01, full names with http01",
                keys.set(where, acme.DNS01),
                host["host"],
            )


def _dns01(keys: Keys, gateways: Sequence[Keys]) -> Iterator[Problem]:
    # The stack's own section is that of every gateway which has none.
    using = [keys, *(each for each in gateways if not keys.gateway and not each.has("dns"))]
    if not keys.has("dns") or any(acme.DNS01 in each.challenges for each in using):
        return
    for key in ("challengeZone", "workloadIdentity", "workloadPool"):
        value = keys.section("dns").get(key)
        if value and str(value).lower() != "false":
            fix = f"{keys.remove(['dns', key])}, or {keys.set(['challenge'], acme.DNS01)}"
            yield keys.problem(["dns", key], "has no effect without dns01", "dns01", fix, value)


def _caa(keys: Keys) -> Iterator[Problem]:
    dns, servers = keys.section("dns"), keys.section("acme").get("servers")
    given = servers if isinstance(servers, dict) else {}
    if str(dns.get("caa", False)).lower() != "true" or dns.get("caaIdentities") or not keys.has("dns"):
        return
    if not caa.identities({**acme.DIRECTORIES, **given}.values()):
        path: Path = ["dns", "caaIdentities"]
        accepted, fix = "the CAs' domains, `meta.caaIdentities` of acme.servers", keys.set([*path, 0], "CA-DOMAIN")
        yield keys.problem(path, "", accepted, fix)


def _host_names(keys: Keys) -> Iterator[tuple[int, str]]:
    for index, host in enumerate(keys.hosts):
        with contextlib.suppress(ValueError, TypeError, AttributeError):
            yield index, names.dns_name(host.get("host") or "")


def _key_size(keys: Keys) -> Iterator[Problem]:
    certificate = keys.section("certificate")
    algorithm, size = certificate.get("algorithm", "ECDSA"), certificate.get("size")
    sizes = tls.KEY_SIZES.get(algorithm, ()) if isinstance(algorithm, str) else ()
    if sizes and size is not None and size not in sizes and keys.has("certificate"):
        path: Path = ["certificate", "size"]
        accepted = ", ".join(map(str, sizes))
        yield keys.problem(path, f"is not a size of {algorithm} keys", accepted, keys.set(path, sizes[0]), size)


def _hsts(keys: Keys) -> Iterator[Problem]:
    # Browsers remember HSTS and then refuse the untrusted staging certificate with no way around it.
    hsts, path = keys.section("tls").get("hsts"), ["tls", "hsts"]
    if hsts and keys.section("acme").get("issuer") == acme.STAGING and keys.has("tls"):
        reason = "would lock browsers out: staging certificates are not trusted"
        yield keys.problem(path, reason, "0 with acme.issuer staging", keys.set(path, 0), hsts)


def strict(gateways: Sequence[Keys]) -> Iterator[Problem]:
    """Yield why `mtls` cannot be strict: an application is where an ACME solver runs."""
    stack = gateways[0]
    for host in (
        (host for keys in gateways for host in keys.hosts) if stack.raw.get("mtls") == mutual_tls.STRICT else ()
    ):
        given = host.get("routes")
        several = [route for route in given if isinstance(route, dict)] if isinstance(given, list) else []
        for namespace in (each.get("namespace") for each in (host, *several)):
            for of_a_gateway in (keys.place[0] for keys in gateways):
                if isinstance(namespace, str) and (reason := mutual_tls.refuses_strict(namespace, of_a_gateway)):
                    where = f"cannot be had: the namespace of an application {reason}"
                    accepted = "strict with applications in namespaces of their own"
                    yield stack.problem(["mtls"], where, accepted, stack.set(["mtls"], "permissive"), mutual_tls.STRICT)
                    return
