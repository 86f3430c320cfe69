"""The records of addresses: at the zone's own name servers, which have it first, and at a resolver, as clients do."""

import itertools
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import dns.exception
import dns.message
import dns.name
import dns.query
import dns.rdatatype
import dns.resolver

from components.shell import word
from tlsctl.verify.environment import Environment, probe_name
from tlsctl.verify.results import Result

T = TypeVar("T")

_TIMEOUT = 3.0
_TRY = _TIMEOUT / 2
"""Seconds for each question; a datagram may get lost, so there are two."""


class SilentError(Exception):
    """A server does not answer; the text says what came instead."""


def make_resolver(address: str | None) -> dns.resolver.Resolver:
    """Return a resolver at `address`, or the system's; it caches nothing.

    Raises:
        ValueError: it is not an IP address.
        dns.resolver.NoResolverConfiguration: the system has none.
    """
    resolver = dns.resolver.Resolver(configure=address is None)
    if address is not None:
        resolver.nameservers = [address]
    resolver.timeout, resolver.lifetime = _TRY, _TIMEOUT
    return resolver


class Lookups:
    """Questions to name servers and to the resolver, of many hosts at once.

    Each zone is looked up once, and a server that has not answered is not waited for again.
    """

    def __init__(self, resolver: dns.resolver.Resolver) -> None:
        self._resolver = resolver
        self._zones: dict[dns.name.Name, Sequence[tuple[str, str]]] = {}
        self._silent: dict[str, str] = {}
        self._lock = threading.Lock()

    @property
    def resolver(self) -> str:
        """What the resolver is called."""
        return f"resolver {self._resolver.nameservers[0]}"

    def zone(self, name: dns.name.Name) -> tuple[dns.name.Name, Sequence[tuple[str, str]]]:
        """Return a name's zone, and name and address of each of its servers.

        Raises:
            dns.exception.DNSException: they cannot be found.
            SilentError: the resolver does not answer.
        """
        zone = self._unless_silent(self.resolver, lambda: dns.resolver.zone_for_name(name, resolver=self._resolver))
        with self._lock:
            if zone not in self._zones:
                self._zones[zone] = self._unless_silent(self.resolver, lambda: list(self._servers(zone)))
            return zone, self._zones[zone]

    def ask(self, name: dns.name.Name, address: str, kind: str = "A") -> tuple[list[str], int]:
        """Return the records of a type that a name server answers, and their TTL.

        Raises:
            SilentError: it does not answer.
        """
        return self._unless_silent(address, lambda: _ask(name, address, kind))

    def resolve(self, name: str, kind: str = "A") -> tuple[list[str], int]:
        """Return the records of a type that the resolver answers, and for how long.

        Raises:
            dns.exception.DNSException: there are none.
            SilentError: it does not answer.
        """
        answer = self._unless_silent(self.resolver, lambda: self._resolver.resolve(name, kind))
        return sorted(str(each) for each in answer), answer.rrset.ttl if answer.rrset is not None else 0

    def caa(self, name: dns.name.Name) -> list[str]:
        """Return the CAA records of one name, as the resolver answers them; none where there are none.

        Raises:
            dns.exception.DNSException: the resolver cannot tell.
            SilentError: it does not answer.
        """
        try:
            answer = self._unless_silent(self.resolver, lambda: self._resolver.resolve(name, "CAA"))
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return []
        return sorted(each.to_text() for each in answer)

    def _servers(self, zone: dns.name.Name) -> Iterator[tuple[str, str]]:
        seen: set[str] = set()
        for server in sorted(str(each.target) for each in self._resolver.resolve(zone, "NS")):
            for address in (str(each) for each in self._resolver.resolve(server, "A")):
                if address not in seen:
                    seen.add(address)
                    yield server.rstrip("."), address

    def _unless_silent(self, server: str, work: Callable[[], T]) -> T:
        if server in self._silent:
            raise SilentError(self._silent[server])
        try:
            return work()
        except (dns.exception.Timeout, OSError) as error:
            self._silent[server] = words(error)
            raise SilentError(self._silent[server]) from None


def _ask(name: dns.name.Name, address: str, kind: str) -> tuple[list[str], int]:
    question = dns.message.make_query(name, kind)
    try:
        answer, _ = dns.query.udp_with_fallback(question, address, timeout=_TRY)
    except dns.exception.Timeout:
        answer, _ = dns.query.udp_with_fallback(question, address, timeout=_TRY)
    sets = [found for found in answer.answer if found.rdtype == question.question[0].rdtype]
    return sorted(str(each) for found in sets for each in found), min((found.ttl for found in sets), default=0)


def look(environment: Environment, host: str, lookups: Lookups) -> list[Result]:
    """Ask for a host's address twice: of the zone's name servers and of the resolver."""
    return [_record(environment, host, lookups), _resolved(environment, host, lookups)]


def _record(environment: Environment, host: str, lookups: Lookups) -> Result:
    name = dns.name.from_text(probe_name(host))
    fix = (f"dig +trace {word(name)}", "gcloud dns managed-zones list")
    try:
        zone, servers = lookups.zone(name)
    except (dns.exception.DNSException, SilentError) as error:
        return Result("record", host, "failed", f"no name servers of its zone are found: {words(error)}", fix)
    if not servers:
        return Result("record", host, "failed", f"the zone {zone} has no name servers", fix)
    ttl = 0
    for (server, address), (kind, wanted) in itertools.product(servers, environment.addresses.items()):
        try:
            found, ttl = lookups.ask(name, address, kind)
        except (dns.exception.DNSException, SilentError) as error:
            detail = f"{server} does not answer: {words(error)}"
            return Result("record", host, "failed", detail, (f"dig {word(f'@{server}')} {word(zone)} SOA",))
        if found != [wanted]:
            seen = f"is {', '.join(found)}" if found else "does not exist"
            detail = f"the {kind} record {seen} at {server}; the gateway is {wanted}"
            return Result("record", host, "failed", detail, environment.fix("record", host=host))
    count = f"{len(servers)} name server{'s' if len(servers) > 1 else ''}"
    return Result("record", host, "ok", f"{_all(environment)} at {count} of {zone}, TTL {ttl} s")


def _resolved(environment: Environment, host: str, lookups: Lookups) -> Result:
    where, fix = lookups.resolver, environment.fix("resolver", host=host)
    ttl = 0
    for kind, wanted in environment.addresses.items():
        try:
            found, ttl = lookups.resolve(f"{probe_name(host)}.", kind)
        except (dns.exception.DNSException, SilentError) as error:
            return Result("resolver", host, "failed", f"{where} has no answer: {words(error)}", fix)
        if found != [wanted]:
            detail = f"{where} answers {', '.join(found)}, for {ttl} s more; the gateway is {wanted}"
            return Result("resolver", host, "failed", detail, fix)
    return Result("resolver", host, "ok", f"{_all(environment)} at {where}, TTL {ttl} s left")


def _all(environment: Environment) -> str:
    return ", ".join(environment.addresses.values())


def words(error: Exception) -> str:
    """Return an error of DNS as an engineer would say it."""
    return str(error).rstrip(".") or type(error).__name__
