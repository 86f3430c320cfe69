"""Zones: managed ones with their changes, and static ones that the API does not list."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Any

from dns.name import Name
from dns.rdatatype import RdataType

from sandbox.googlecloud.errors import ApiError, already_exists, not_found
from sandbox.googlecloud.records import RecordSet, apex_violation, at, parse_name, parse_record_set

Key = tuple[Name, RdataType]

NAME_SERVERS = tuple(f"ns-cloud-e{i}.googledomains.com." for i in range(1, 5))
"""The name servers of every zone, in a domain of their own as the service's are."""

_SOA = f"{NAME_SERVERS[0]} cloud-dns-hostmaster.google.com. 1 21600 3600 259200 300"
_TTL = 60  # seconds, of static hosts
_APEX_TYPES = (RdataType.NS, RdataType.SOA)


@dataclass
class Change:
    """An atomic edit of a zone: `pending` in the answer to its creation, `done` when read again."""

    id: str
    additions: tuple[RecordSet, ...]
    deletions: tuple[RecordSet, ...]
    start_time: str

    def resource(self, status: str) -> dict[str, Any]:
        """Return the `Change` of the API."""
        return {
            "kind": "dns#change",
            "id": self.id,
            "additions": [record_set.resource() for record_set in self.additions],
            "deletions": [record_set.resource() for record_set in self.deletions],
            "startTime": self.start_time,
            "isServing": False,
            "status": status,
        }


@dataclass
class ManagedZone:
    """A zone and its record sets.

    Attributes:
        origin: the zone's `dnsName`.
        record_sets: replaced as a whole by a change, so that readers need no lock.
    """

    id: int
    name: str
    origin: Name
    description: str
    creation_time: str
    visibility: str
    record_sets: Mapping[Key, RecordSet] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)

    def __post_init__(self) -> None:
        apex = {"name": str(self.origin), "ttl": 21600}
        bodies: tuple[dict[str, Any], ...] = (
            apex | {"type": "NS", "rrdatas": list(NAME_SERVERS)},
            apex | {"type": "SOA", "rrdatas": [_SOA]},
        )
        own = [parse_record_set(body, "entity.managedZone", self.origin) for body in bodies]
        self._commit({record_set.key: record_set for record_set in own}, own, [])

    def resource(self) -> dict[str, Any]:
        """Return the `ManagedZone` of the API."""
        return {
            "kind": "dns#managedZone",
            "id": str(self.id),
            "name": self.name,
            "dnsName": str(self.origin),
            "description": self.description,
            "nameServers": list(NAME_SERVERS),
            "creationTime": self.creation_time,
            "visibility": self.visibility,
            "cloudLoggingConfig": {"kind": "dns#managedZoneCloudLoggingConfig"},
        }

    def apply(self, additions: Iterable[RecordSet], deletions: Iterable[RecordSet], path: str) -> Change:
        """Make a change, completely or not at all.

        Raises:
            ApiError: a record set conflicts with the zone; names it by `path`.
        """
        additions, deletions = list(additions), list(deletions)
        after = dict(self.record_sets)
        for i, record_set in enumerate(deletions):
            where = f"{path}.deletions[{i}]"
            current = after.pop(record_set.key, None)
            if current is None:
                raise not_found(where, record_set.title)
            if not current.matches(record_set):
                raise ApiError(412, "conditionNotMet", f"Precondition not met for '{where}'")
        for i, record_set in enumerate(additions):
            if record_set.key in after:
                raise already_exists(f"{path}.additions[{i}]", record_set.title)
            after[record_set.key] = record_set
        for i, record_set in enumerate(deletions):
            if record_set.name == self.origin and record_set.type in _APEX_TYPES and record_set.key not in after:
                raise apex_violation(f"{path}.deletions[{i}]", record_set.type)
        for i, record_set in enumerate(additions):
            types = at(after, record_set.name)
            if RdataType.CNAME in types and len(types) > 1:
                rule = "either one CNAME resource record set or resource record sets of other types, but not both."
                message = f"is invalid because the DNS name '{record_set.name}' may have {rule}"
                message = f"The resource record set '{path}.additions[{i}]' {message}"
                raise ApiError(400, "cnameResourceRecordSetConflict", message)
        return self._commit(after, additions, deletions)

    def _commit(
        self, after: Mapping[Key, RecordSet], additions: Iterable[RecordSet], deletions: Iterable[RecordSet]
    ) -> Change:
        change = Change(str(len(self.changes)), tuple(additions), tuple(deletions), _now())
        self.record_sets = after
        self.changes.append(change)
        return change

    @property
    def is_empty(self) -> bool:
        """Whether the zone holds only its own NS and SOA."""
        return all(name == self.origin and rdtype in _APEX_TYPES for name, rdtype in self.record_sets)


class Zones:
    """The managed zones of one project. Hold `lock` around what reads and then writes."""

    def __init__(self, project: str) -> None:
        self.project = project
        self.lock = threading.RLock()
        self._by_name: Mapping[str, ManagedZone] = {}
        self._next_id = 1_000_000_000_000_000_001

    def __iter__(self) -> Iterator[ManagedZone]:
        return iter(self._by_name.values())

    @property
    def public(self) -> list[ManagedZone]:
        """The zones that DNS serves; private ones belong to VPC networks, which the sandbox does not have."""
        return [zone for zone in self if zone.visibility == "public"]

    def get(self, name_or_id: str) -> ManagedZone:
        """Return the zone with a name or numeric id.

        Raises:
            ApiError: there is no such zone.
        """
        for zone in self._by_name.values():
            if name_or_id in (zone.name, str(zone.id)):
                return zone
        raise not_found("parameters.managedZone", name_or_id)

    def create(self, body: Mapping[str, Any]) -> ManagedZone:
        """Create a zone from a `ManagedZone` of the API, which only tests do: a name in use is all that is refused.

        Raises:
            ApiError: the name is in use.
        """
        name, origin = body["name"], parse_name(body["dnsName"], "entity.managedZone.dnsName")
        with self.lock:
            if name in self._by_name:
                raise already_exists("entity.managedZone", name)
            visibility = body.get("visibility", "public")
            zone = ManagedZone(self._next_id, name, origin, str(body["description"]), _now(), visibility)
            self._next_id += 1
            self._by_name = {**self._by_name, name: zone}
            return zone

    def delete(self, name_or_id: str) -> None:
        """Delete an empty zone.

        Raises:
            ApiError: there is no such zone, or it is not empty.
        """
        with self.lock:
            zone = self.get(name_or_id)
            if not zone.is_empty:
                message = f"The resource named '{zone.name}' cannot be deleted because it is not empty"
                raise ApiError(400, "containerNotEmpty", message)
            self._by_name = {name: other for name, other in self._by_name.items() if other is not zone}


@dataclass(frozen=True)
class StaticZone:
    """An origin with its SOA and some record sets."""

    origin: Name
    record_sets: Mapping[Key, RecordSet]

    @classmethod
    def of(cls, origin: Name, record_sets: Iterable[RecordSet], ttl: int) -> StaticZone:
        """Return a zone of these record sets, with an SOA."""
        soa = record_set(origin, RdataType.SOA, ["localhost. hostmaster.localhost. 1 3600 600 86400 5"], ttl, origin)
        return cls(origin, {item.key: item for item in (soa, *record_sets)})

    @classmethod
    def host(cls, name: str, addresses: Iterable[str]) -> StaticZone:
        """Return a zone of one host, which takes precedence over the zone around it."""
        origin = parse_name(name.rstrip(".") + ".", "host")
        return cls.of(origin, address_record_sets(origin, addresses, _TTL, origin), _TTL)


def record_set(name: Name, rdtype: RdataType, texts: list[str], ttl: int, origin: Name) -> RecordSet:
    """Return a record set of a zone from the text form of its records."""
    body = {"name": str(name), "type": rdtype.name, "ttl": ttl, "rrdatas": texts}
    return parse_record_set(body, "host", origin)


def address_record_sets(name: Name, addresses: Iterable[str], ttl: int, origin: Name) -> list[RecordSet]:
    """Return the A and AAAA record sets of a name."""
    by_type: dict[RdataType, list[str]] = {}
    for address in addresses:
        by_type.setdefault(RdataType.A if ip_address(address).version == 4 else RdataType.AAAA, []).append(address)
    return [record_set(name, rdtype, texts, ttl, origin) for rdtype, texts in by_type.items()]


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
