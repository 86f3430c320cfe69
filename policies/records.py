"""The names: record sets in Cloud DNS that lead to an address."""

from collections.abc import Iterator
from typing import Any

from pulumi_policy import PolicyResource
from pulumi_policy.proxy import UnknownValueError

from components.problem import Problem
from components.specs.names import lies_in, registered_domain
from policies.findings import Finding, ResourceRule, StackRule, guarded
from policies.objects import CannotJudgeError, Resource, Stack, get, unknown_value

RECORD_SET = "gcp:dns/recordSet:RecordSet"
MANAGED_ZONE = "gcp:dns/managedZone:ManagedZone"

MAX_TTL = 300
"""Seconds for which a client may keep an address that the gateway has no longer."""

_ADDRESSES = {"A", "AAAA", "CNAME"}
"""Others (NS, CAA, TXT) may lie in a parent's zone, and are long-lived on purpose."""


def _leads_to_address(record: Resource) -> bool:
    return record.resource_type == RECORD_SET and str(get(record.props, "type")).upper() in _ADDRESSES


def strays(record: PolicyResource, stack: Stack) -> Iterator[Finding]:
    """Yield the records that the stack's zone does not hold.

    A zone that is only named by the stack does not tell its domain; then the records must at least have one in common.
    """
    if record.resource_type == RECORD_SET:
        yield from guarded(_where(record), _stray(record, stack))


def _stray(record: PolicyResource, stack: Stack) -> Iterator[Problem]:
    if not _leads_to_address(record):
        return
    zone, name = get(record.props, "managedZone"), get(record.props, "name") or ""
    first_zone, first = next(_known_records(stack))
    if zone != first_zone:
        yield Problem(_where(record), f"is in the managed zone {zone}, and {first} in {first_zone}")
        return
    domain = _domain(zone, stack)
    if domain and not lies_in(domain, name):
        yield Problem(_where(record), f"lies outside {domain}, the domain of the managed zone {zone}")
    elif not domain and registered_domain(name) != registered_domain(first):
        yield Problem(_where(record), f"has no domain in common with {first} that {zone} could be")


def _known_records(stack: Stack) -> Iterator[tuple[Any, str]]:
    """Yield zone and name of the records that are known; the one that is judged is among them."""
    for each in stack.resources:
        try:
            if _leads_to_address(each):
                yield get(each.props, "managedZone"), get(each.props, "name") or ""
        except UnknownValueError:
            continue


def _domain(zone: Any, stack: Stack) -> str | None:
    """Return the domain of a zone of the stack, None where there is no such zone.

    Raises:
        CannotJudgeError: it may be one that is not known in this preview.
    """
    unknown = ""
    for each in stack.resources:
        if each.resource_type != MANAGED_ZONE:
            continue
        try:
            if get(each.props, "name") == zone:
                return str(get(each.props, "dnsName"))
        except UnknownValueError as error:
            unknown = unknown_value(error, f"managed zone {each.name}")
    if unknown:
        raise CannotJudgeError(unknown)
    return None


def long_ttls(record: Resource) -> Iterator[Finding]:
    """Yield a TTL that is too long, or not given."""
    if record.resource_type == RECORD_SET:
        yield from guarded(_where(record), _long_ttl(record))


def _long_ttl(record: Resource) -> Iterator[Problem]:
    if not _leads_to_address(record):
        return
    ttl = get(record.props, "ttl")
    if ttl is None:
        yield Problem(_where(record), "has no TTL")
    elif ttl > MAX_TTL:
        yield Problem(_where(record), f"has a TTL of {ttl:.0f} s")


def _where(record: Resource) -> str:
    try:
        return f"record {get(record.props, 'name') or record.name}"
    except UnknownValueError:
        return f"record {record.name}"


ZONE = StackRule(
    name="record-in-zone",
    description="All address records of a stack lie in its one managed zone, and their names in the zone's domain.",
    fix=(
        "gcloud dns managed-zones describe ZONE --format 'value(dnsName)'",
        "pulumi config set --path dns.zone ZONE    # or give the host a name below the zone's domain",
    ),
    stops="A, AAAA and CNAME records in several zones, or outside the domain of their zone",
    cannot_see="the domain of a zone that another program made: then the names must have one domain in common; NS, CAA"
    " and other records, which may lie in the parent's zone",
    find=strays,
)

TTL = ResourceRule(
    name="record-ttl-is-short",
    description=f"The TTL of an address record is at most {MAX_TTL} s: it is how long clients go to an address after it"
    " has changed.",
    fix=(f"pulumi config set --path dns.ttl {MAX_TTL}",),
    stops=f"A, AAAA and CNAME records with a TTL above {MAX_TTL} s, or without one",
    cannot_see="records outside of Cloud DNS",
    find=long_ttls,
)
