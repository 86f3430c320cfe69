"""Zones that are not managed: fixed hosts, and any other record sets that someone else keeps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address

from dns.name import Name
from dns.rdatatype import RdataType

from sandbox.googlecloud.records import RecordSet, parse_name, parse_record_set

_SOA = "localhost. hostmaster.localhost. 1 3600 600 86400 5"


@dataclass(frozen=True)
class StaticZone:
    """An origin with its SOA and some record sets; REST does not see it."""

    origin: Name
    record_sets: Mapping[tuple[Name, RdataType], RecordSet] = field(default_factory=dict)

    @classmethod
    def of(cls, origin: Name, record_sets: Iterable[RecordSet], ttl: int) -> StaticZone:
        """The zone of these record sets, with an SOA."""
        soa = record_set(origin, RdataType.SOA, [_SOA], ttl, origin)
        return cls(origin, {each.key: each for each in (soa, *record_sets)})

    @classmethod
    def host(cls, name: str, addresses: Iterable[str], ttl: int = 60) -> StaticZone:
        """A host: the zone of one name, so that it stands out of the zone that it is in."""
        origin = parse_name(name, "host")
        by_type: dict[RdataType, list[str]] = {}
        for address in addresses:
            rdtype = RdataType.A if ip_address(address).version == 4 else RdataType.AAAA
            by_type.setdefault(rdtype, []).append(address)
        found = [record_set(origin, rdtype, texts, ttl, origin) for rdtype, texts in by_type.items()]
        return cls.of(origin, found, ttl)


def record_set(name: Name, rdtype: RdataType, texts: list[str], ttl: int, origin: Name) -> RecordSet:
    """A record set of a zone, from the text form of its records."""
    body = {"name": str(name), "type": rdtype.name, "ttl": ttl, "rrdatas": texts}
    return parse_record_set(body, "host", origin)
