"""Authoritative answers (RFC 1034, section 4.3.2; wildcards by RFC 4592) from zones."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rrset
from dns.message import Message
from dns.name import Name
from dns.rdatatype import RdataType
from dns.rrset import RRset

from sandbox.googlecloud.records import RecordSet, at

EDNS_PAYLOAD = 1232  # bytes; what DNS Flag Day 2020 settled on
_MAX_CHAIN = 8


class Zone(Protocol):
    """An origin and all record sets at or below it."""

    @property
    def origin(self) -> Name:
        """The name at the top."""

    @property
    def record_sets(self) -> Mapping[tuple[Name, RdataType], RecordSet]:
        """A snapshot of the record sets."""


class Authority:
    """Answers queries from the zones that `zones` returns at the moment.

    A name in no zone is answered with NXDOMAIN, not REFUSED: the sandbox has no other resolver, and clients stop
    asking at once. A zone delegates nothing: there is no other server to ask.
    """

    def __init__(self, zones: Callable[[], Iterable[Zone]]) -> None:
        self._zones = zones

    def respond(self, query: Message) -> Message:
        """Return the response to a query."""
        response = dns.message.make_response(query, our_payload=EDNS_PAYLOAD)
        (question,) = query.question
        self._resolve(response, question.name, question.rdtype)
        return response

    def _resolve(self, response: Message, name: Name, rdtype: RdataType) -> None:
        for _ in range(_MAX_CHAIN):
            zone = self._enclosing(name)
            if zone is None:
                if not response.answer:
                    response.set_rcode(dns.rcode.NXDOMAIN)
                return
            response.flags |= dns.flags.AA
            record_sets = _find(zone, name)
            if record_sets is None:
                response.set_rcode(dns.rcode.NXDOMAIN)
            elif rdtype in record_sets:
                response.answer.append(_rrset(name, record_sets[rdtype]))
                return
            elif RdataType.CNAME in record_sets:
                alias = _rrset(name, record_sets[RdataType.CNAME])
                response.answer.append(alias)
                name = alias[0].target
                continue
            response.authority = _start_of_authority(zone)
            return
        response.set_rcode(dns.rcode.SERVFAIL)  # a loop of CNAMEs

    def _enclosing(self, name: Name) -> Zone | None:
        """Return the zone with the longest origin above a name."""
        candidates = [zone for zone in self._zones() if name.is_subdomain(zone.origin)]
        return max(candidates, key=lambda zone: len(zone.origin), default=None)


def _find(zone: Zone, name: Name) -> dict[RdataType, RecordSet] | None:
    """Return the record sets of a name or of its wildcard; None if the name does not exist."""
    record_sets = zone.record_sets
    if not _exists(record_sets, name):
        encloser = name.parent()
        while not _exists(record_sets, encloser) and encloser != zone.origin:
            encloser = encloser.parent()
        name = dns.name.Name((b"*", *encloser.labels))
        return at(record_sets, name) or None
    return at(record_sets, name)


def _exists(record_sets: Mapping[tuple[Name, RdataType], RecordSet], name: Name) -> bool:
    # The first test spares most queries a look at every record set.
    return bool(at(record_sets, name)) or any(owner.is_subdomain(name) for owner, _ in record_sets)


def _start_of_authority(zone: Zone) -> list[RRset]:
    """Return the SOA of a negative answer, with its TTL by RFC 2308."""
    soa = zone.record_sets.get((zone.origin, RdataType.SOA))
    if soa is None:
        return []
    minimum: int = soa.rdatas[0].minimum  # type: ignore[attr-defined]
    return [dns.rrset.from_rdata(zone.origin, min(soa.ttl, minimum), soa.rdatas[0])]


def _rrset(name: Name, record_set: RecordSet) -> RRset:
    return dns.rrset.from_rdata_list(name, record_set.ttl, record_set.rdatas)
