"""What DNS answers for a host: its addresses, at the zone's own name servers and at a resolver, and its CAA records."""

import itertools
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import TypeVar

import dns.exception
import dns.message
import dns.name
import dns.query
import dns.rdatatype
import dns.resolver

from components.shell import word
from components.specs import caa, gcloud, names
from components.specs.addresses import RECORD_TYPES
from tlsctl.verify.checks import UP
from tlsctl.verify.environment import Environment, probe_name
from tlsctl.verify.results import Result, failed, ok, skipped

T = TypeVar("T")

_TIMEOUT = 3.0
_TRY = _TIMEOUT / 2
"""Seconds for each question; there are two, since a datagram may get lost."""


class SilentError(Exception):
    """A server does not answer; the text is the error instead of an answer."""


_ERRORS = (dns.exception.DNSException, SilentError)


def make_resolver(address: str | None) -> dns.resolver.Resolver:
    """Return a resolver at `address`, or the system's; it caches nothing.

    Raises:
        ValueError: `address` is not an IP address.
        dns.resolver.NoResolverConfiguration: the system has no resolver.
    """
    resolver = dns.resolver.Resolver(configure=address is None)
    if address is not None:
        resolver.nameservers = [address]
    resolver.timeout, resolver.lifetime = _TRY, _TIMEOUT
    return resolver


class Lookups:
    """Questions to name servers and to the resolver, for many hosts at once.

    Each zone is looked up once, and a server that has not answered once is not asked again: its questions raise
    `SilentError`. A question that has no answer raises `dns.exception.DNSException`.
    """

    def __init__(self, resolver: dns.resolver.Resolver) -> None:
        self._resolver = resolver
        self._zones: dict[dns.name.Name, Sequence[tuple[str, str]]] = {}
        self._silent: dict[str, str] = {}
        self._lock = threading.Lock()

    @property
    def resolver(self) -> str:
        """What the resolver is called in results."""
        return f"resolver {self._resolver.nameservers[0]}"

    def zone(self, name: dns.name.Name) -> tuple[dns.name.Name, Sequence[tuple[str, str]]]:
        """Return a name's zone, and name and address of each of the zone's servers."""
        zone = self._unless_silent(self.resolver, lambda: dns.resolver.zone_for_name(name, resolver=self._resolver))
        with self._lock:
            if zone not in self._zones:
                self._zones[zone] = self._unless_silent(self.resolver, lambda: list(self._servers(zone)))
            return zone, self._zones[zone]

    def ask(self, name: dns.name.Name, address: str, kind: str = "A") -> tuple[list[str], int]:
        """Return the records of a type that a name server answers, and their TTL."""
        return self._unless_silent(address, lambda: _ask(name, address, kind))

    def resolve(self, name: str, kind: str = "A") -> tuple[list[str], int]:
        """Return the records of a type that the resolver answers, and their remaining TTL."""
        answer = self._unless_silent(self.resolver, lambda: self._resolver.resolve(name, kind))
        return sorted(str(record) for record in answer), answer.rrset.ttl if answer.rrset is not None else 0

    def _servers(self, zone: dns.name.Name) -> Iterator[tuple[str, str]]:
        seen: set[str] = set()
        for server in sorted(str(record.target) for record in self._resolver.resolve(zone, "NS")):
            for address in map(str, self._resolver.resolve(server, "A")):
                if address not in seen:
                    seen.add(address)
                    yield server.rstrip("."), address

    def _unless_silent(self, server: str, work: Callable[[], T]) -> T:
        if server in self._silent:
            raise SilentError(self._silent[server])
        try:
            return work()
        except (dns.exception.Timeout, OSError) as error:
            self._silent[server] = _describe(error)
            raise SilentError(self._silent[server]) from None


def _ask(name: dns.name.Name, address: str, kind: str) -> tuple[list[str], int]:
    question = dns.message.make_query(name, kind)
    try:
        answer, _ = dns.query.udp_with_fallback(question, address, timeout=_TRY)
    except dns.exception.Timeout:
        answer, _ = dns.query.udp_with_fallback(question, address, timeout=_TRY)
    sets = [records for records in answer.answer if records.rdtype == question.question[0].rdtype]
    ttl = min((records.ttl for records in sets), default=0)
    return sorted(str(record) for records in sets for record in records), ttl


def look(environment: Environment, host: str, lookups: Lookups) -> list[Result]:
    """Judge a host's addresses at the zone's name servers and at the resolver, and its CAA records."""
    return [judge(environment, host, lookups) for judge in (_record, _resolved, _caa)]


def _record(environment: Environment, host: str, lookups: Lookups) -> Result:
    name = dns.name.from_text(probe_name(host))
    fix = (f"dig +trace {word(name)}", "gcloud dns managed-zones list")
    try:
        zone, servers = lookups.zone(name)
    except _ERRORS as error:
        return failed("record", host, f"the name servers of its zone cannot be found: {_describe(error)}", fix)
    if not servers:
        return failed("record", host, f"the zone {zone} has no name servers", fix)
    ttl = 0
    for (server, address), (kind, expected) in itertools.product(servers, environment.addresses.items()):
        try:
            actual, ttl = lookups.ask(name, address, kind)
        except _ERRORS as error:
            detail = f"{server} does not answer: {_describe(error)}"
            return failed("record", host, detail, (f"dig {word(f'@{server}')} {word(zone)} SOA",))
        if actual != [expected]:
            state = f"is {', '.join(actual)}" if actual else "does not exist"
            detail = f"the {kind} record {state} at {server}; the gateway is {expected}"
            return environment.failed("record", host, detail)
    for (server, address), kind in itertools.product(servers, {*RECORD_TYPES.values()} - {*environment.addresses}):
        with suppress(*_ERRORS):
            if others := lookups.ask(name, address, kind)[0]:
                managed = environment.settings.dns.zone_of(host)
                deletion = gcloud.delete(host, kind, managed.zone, managed.project)
                detail = f"the {kind} record {', '.join(others)} at {server} does not lead to the gateway"
                return failed("record", host, f"{detail}: clients and CAs that prefer it go there", (deletion,))
    count = f"{len(servers)} name server{'s' if len(servers) > 1 else ''}"
    return ok("record", host, f"{_all(environment)} at {count} of {zone}, TTL {ttl} s")


def _resolved(environment: Environment, host: str, lookups: Lookups) -> Result:
    ttl = 0
    for kind, expected in environment.addresses.items():
        try:
            actual, ttl = lookups.resolve(f"{probe_name(host)}.", kind)
        except _ERRORS as error:
            return environment.failed("resolver", host, f"{lookups.resolver} has no answer: {_describe(error)}")
        if actual != [expected]:
            answer = f"answers {', '.join(actual)}, for {ttl} s more"
            return environment.failed("resolver", host, f"{lookups.resolver} {answer}; the gateway is {expected}")
    return ok("resolver", host, f"{_all(environment)} at {lookups.resolver}, TTL {ttl} s left")


def _all(environment: Environment) -> str:
    return ", ".join(environment.addresses.values())


def _caa(environment: Environment, host: str, lookups: Lookups) -> Result:
    """Judge the CAA records that apply to a host, as a CA finds them: from its name upwards (RFC 8659, section 3)."""
    try:
        owner, texts = _closest_caa(dns.name.from_text(names.without_wildcard(host)), lookups)
        records = [caa.Record.parse(text) for text in texts]
    except (*_ERRORS, ValueError) as error:
        return failed("caa", host, f"the CAA records cannot be read: {_describe(error)}", _dig_caa(host))
    if not records:
        detail = "there are no CAA records: any CA may sign"
        return environment.failed("caa", host, detail) if environment.settings.dns.caa else ok("caa", host, detail)
    domains = environment.settings.caa_identities
    if domains is None:
        return skipped("caa", host, "the config does not name the CA's domain: dns.caaIdentities")
    challenge = environment.settings.challenges[host]
    if wrong := caa.refusal(records, host, challenge, domains, environment.account):
        return failed("caa", host, f"CAA of {owner} forbids the next certificate: {wrong}", _dig_caa(owner))
    return ok("caa", host, f"{' and '.join(sorted(domains))} may sign, by CAA of {owner}")


def _closest_caa(name: dns.name.Name, lookups: Lookups) -> tuple[str, list[str]]:
    """Return the closest name that has CAA records, and the records; the resolver follows CNAMEs, as a CA does."""
    while name != dns.name.root:
        with suppress(dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return str(name).rstrip("."), lookups.resolve(str(name), "CAA")[0]
        name = name.parent()
    return "", []


def _dig_caa(name: str) -> tuple[str, ...]:
    return (f"dig {word(names.without_wildcard(name))} CAA", UP)


def _describe(error: Exception) -> str:
    return str(error).rstrip(".") or type(error).__name__
