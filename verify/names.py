"""The A record: at the zone's own name servers, which have it first, and at a resolver, as clients do."""

from collections.abc import Iterator

import dns.exception
import dns.message
import dns.name
import dns.query
import dns.rdatatype
import dns.resolver

from verify.checks import Result
from verify.environment import Environment, probe_name

_TIMEOUT = 3.0


def make_resolver(address: str | None) -> dns.resolver.Resolver:
    """Return a resolver at `address`, or the system's; it caches nothing.

    Raises:
        ValueError: it is not an IP address.
        dns.resolver.NoResolverConfiguration: the system has none.
    """
    resolver = dns.resolver.Resolver(configure=address is None)
    if address is not None:
        resolver.nameservers = [address]
    resolver.lifetime = resolver.timeout = _TIMEOUT
    return resolver


def look(environment: Environment, host: str, resolver: dns.resolver.Resolver) -> list[Result]:
    """Ask for a host's address twice: of the zone's name servers and of the resolver."""
    return [_record(environment, host, resolver), _resolved(environment, host, resolver)]


def _record(environment: Environment, host: str, resolver: dns.resolver.Resolver) -> Result:
    name = dns.name.from_text(probe_name(host))
    try:
        zone = dns.resolver.zone_for_name(name, resolver=resolver)
        servers = list(_addresses(zone, resolver))
    except dns.exception.DNSException as error:
        mend = (f"dig +trace {name}", "gcloud dns managed-zones list")
        return Result("record", host, "failed", f"no name servers of its zone are found: {_words(error)}", mend)
    for server, address in servers:
        try:
            found, ttl = _ask(name, address)
        except (dns.exception.DNSException, OSError) as error:
            detail = f"{server} does not answer: {_words(error)}"
            return Result("record", host, "failed", detail, (f"dig @{server} {name} A",))
        if found != [environment.ip]:
            seen = f"is {', '.join(found)}" if found else "does not exist"
            detail = f"the A record {seen} at {server}; the gateway is {environment.ip}"
            return Result("record", host, "failed", detail, (environment.up,))
    count = f"{len(servers)} name server{'s' if len(servers) > 1 else ''}"
    return Result("record", host, "ok", f"{environment.ip} at {count} of {zone}, TTL {ttl} s")


def _addresses(zone: dns.name.Name, resolver: dns.resolver.Resolver) -> Iterator[tuple[str, str]]:
    """Yield name and address of each of the zone's name servers, every address once."""
    seen: set[str] = set()
    for server in sorted(str(each.target) for each in resolver.resolve(zone, "NS")):
        for address in (str(each) for each in resolver.resolve(server, "A")):
            if address not in seen:
                seen.add(address)
                yield server.rstrip("."), address


def _ask(name: dns.name.Name, address: str) -> tuple[list[str], int]:
    """Return the A records that a name server answers, and their TTL."""
    answer, _ = dns.query.udp_with_fallback(dns.message.make_query(name, "A"), address, timeout=_TIMEOUT)
    sets = [found for found in answer.answer if found.rdtype == dns.rdatatype.A]
    return sorted(str(each) for found in sets for each in found), min((found.ttl for found in sets), default=0)


def _resolved(environment: Environment, host: str, resolver: dns.resolver.Resolver) -> Result:
    where = f"resolver {resolver.nameservers[0]}"
    wait = (f"python -m verify --stack {environment.stack} --watch",)
    try:
        answer = resolver.resolve(f"{probe_name(host)}.", "A")
    except dns.exception.DNSException as error:
        return Result("resolver", host, "failed", f"{where} has no answer: {_words(error)}", wait)
    found = sorted(str(each) for each in answer)
    ttl = answer.rrset.ttl if answer.rrset is not None else 0
    if found != [environment.ip]:
        detail = f"{where} answers {', '.join(found)}, for {ttl} s more; the gateway is {environment.ip}"
        return Result("resolver", host, "failed", detail, wait)
    return Result("resolver", host, "ok", f"{environment.ip} at {where}, TTL {ttl} s left")


def _words(error: Exception) -> str:
    return str(error).rstrip(".") or type(error).__name__
