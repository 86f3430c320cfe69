"""DNS records in Cloud DNS that lead to an address."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from pulumi_policy.proxy import UnknownValueError

from components.problem import Problem
from components.specs.names import lies_in
from config.registered import registered_domain
from policies.findings import Rule
from policies.objects import CannotJudgeError, Resource, Stack, get, unknown_value
from policies.stack_config import default_project, zones

MANAGED_ZONE = "gcp:dns/managedZone:ManagedZone"

MAX_TTL = 300
"""Seconds during which clients may use an address after the gateway has lost it."""

_ADDRESSES = {"A", "AAAA", "ALIAS", "CNAME", "DNAME", "HTTPS", "SVCB"}
"""Other types (NS, CAA, TXT) may lie in a parent zone, and have long TTLs on purpose."""


_ZONE_URL = re.compile(r"\bprojects/(?P<project>[^/]+)/(.+/)?managedZones/(?P<name>[^/]+)$")


class Zone(NamedTuple):
    """A managed zone. Zones of several projects may have one name."""

    name: str
    project: str

    def __str__(self) -> str:
        return f"{self.name} of the project {self.project}" if self.project else self.name


def _zone(props: Any, key: str) -> Zone:
    """Return the zone that a property names, by its name or by its URL."""
    value = str(get(props, key))
    if url := _ZONE_URL.search(value):
        return Zone(url["name"], url["project"])
    return Zone(value, str(get(props, "project") or default_project()))


@dataclass(frozen=True)
class Record:
    """A record set."""

    resource: Resource

    @property
    def where(self) -> str:
        """The record as findings name it."""
        try:
            return f"record {self.name or self.resource.name}"
        except UnknownValueError:
            return f"record {self.resource.name}"

    @property
    def name(self) -> str:
        """The DNS name."""
        return get(self.resource.props, "name") or ""

    @property
    def zone(self) -> Zone:
        """The managed zone."""
        return _zone(self.resource.props, "managedZone")

    @property
    def leads_to_address(self) -> bool:
        """Whether clients reach an address through the record."""
        return str(get(self.resource.props, "type")).upper() in _ADDRESSES


def _records(resource: Resource) -> Iterator[Record]:
    if resource.resource_type == "gcp:dns/recordSet:RecordSet":
        yield Record(resource)


def _wrong_zone(record: Record, stack: Stack) -> Iterator[Problem]:
    """Yield the records that the stack's zone does not hold.

    If another program made the zone, its domain is unknown here; the records must then share a registered domain.
    """
    if not record.leads_to_address:
        return
    zone, name = record.zone, record.name
    known = list(_known_records(stack))
    first_zone, first_name = known[0]
    # Gateways of one stack may have zones of their own.
    named = zones()
    if named and zone not in named:
        yield Problem(record.where, f"is in the managed zone {zone}, which neither dns.zone nor dns.zones names")
        return
    if not named and zone != first_zone:
        yield Problem(record.where, f"is in the managed zone {zone}, and {first_name} in {first_zone}")
        return
    first_name = next(other for other_zone, other in known if other_zone == zone)
    domain = _domain(zone, stack)
    if domain and not lies_in(domain, name):
        yield Problem(record.where, f"lies outside {domain}, the domain of the managed zone {zone}")
    elif not domain and registered_domain(name) != registered_domain(first_name):
        yield Problem(record.where, f"has no domain in common with {first_name}, so {zone} cannot hold both")


def _known_records(stack: Stack) -> Iterator[tuple[Zone, str]]:
    """Yield zone and name of the address records that this preview knows, the one being judged among them."""
    for resource in stack.resources:
        for record in _records(resource):
            try:
                if record.leads_to_address:
                    yield record.zone, record.name
            except UnknownValueError:
                continue


def _domain(zone: Zone, stack: Stack) -> str | None:
    """Return the domain of a zone, None if the stack does not have it.

    Raises:
        CannotJudgeError: The preview does not know the name of a zone of the stack.
    """
    unknown = ""
    for resource in stack.resources:
        try:
            if resource.resource_type == MANAGED_ZONE and _zone(resource.props, "name") == zone:
                return str(get(resource.props, "dnsName"))
        except UnknownValueError as error:
            unknown = unknown_value(error, f"managed zone {resource.name}")
    if unknown:
        raise CannotJudgeError(unknown)
    return None


def _long_ttl(record: Record, _stack: Stack) -> Iterator[Problem]:
    if not record.leads_to_address:
        return
    ttl = get(record.resource.props, "ttl")
    if ttl is None:
        yield Problem(record.where, "has no TTL")
    elif ttl > MAX_TTL:
        yield Problem(record.where, f"has a TTL of {ttl:.0f} s")


ZONE = Rule(
    name="record-in-zone",
    description=f"All records of a stack that lead to an address ({', '.join(sorted(_ADDRESSES))}) lie in its one"
    " managed zone, or in one that the config names, and their names in that zone's domain.",
    fix=(
        "gcloud dns managed-zones describe ZONE --format 'value(dnsName)'",
        "pulumi config set --path dns.zone ZONE    # or give the host a name below the zone's domain",
    ),
    cannot_see="the domain of a zone that another program made: then the names must have one domain in common; NS, CAA"
    " and other records, which may lie in the parent's zone; the project, where neither the resource nor `gcp:project`"
    " names it; response policies, which change answers within a network",
    subjects=_records,
    find=_wrong_zone,
)

TTL = Rule(
    name="record-ttl-is-short",
    description=f"The TTL of a record that leads to an address is at most {MAX_TTL} s, so that clients follow a change"
    " of the address.",
    fix=(f"pulumi config set --path dns.ttl {MAX_TTL}",),
    cannot_see="records outside of Cloud DNS, and those of other providers or of external-dns",
    subjects=_records,
    find=_long_ttl,
    needs_stack=False,
)
