"""The names: record sets in Cloud DNS."""

from collections.abc import Iterator

from pulumi_policy import PolicyResource, ResourceValidationArgs

from policies.findings import resource_policy, stack_policy

RECORD_SET = "gcp:dns/recordSet:RecordSet"
MANAGED_ZONE = "gcp:dns/managedZone:ManagedZone"

MAX_TTL = 300
"""Seconds for which a client may keep an address that the gateway has no longer."""


def strays(resources: list[PolicyResource]) -> Iterator[tuple[PolicyResource, str]]:
    """Yield the records that the stack's zone does not hold.

    A zone that is only named by the stack does not tell its domain; then the records must at least have one in common.
    """
    records = [each for each in resources if each.resource_type == RECORD_SET]
    domains = {each.props["name"]: each.props["dnsName"] for each in resources if each.resource_type == MANAGED_ZONE}
    for record in records:
        zone, first = record.props["managedZone"], records[0].props["managedZone"]
        name = record.props["name"].lower()
        domain = domains.get(zone)
        if zone != first:
            yield record, f"{name} is in the managed zone {zone}, and {records[0].props['name']} in {first}."
        elif domain and not f".{name}".endswith(f".{domain.lower()}"):
            yield record, f"{name} lies outside {domain}, the domain of the managed zone {zone}."
        elif not domain and not _one_domain(name, records[0].props["name"].lower()):
            yield record, f"{name} and {records[0].props['name']} have no domain in common that {zone} could be."


def _one_domain(one: str, other: str) -> bool:
    return one.removesuffix(".").split(".")[-2:] == other.removesuffix(".").split(".")[-2:]


def long_ttls(record: ResourceValidationArgs) -> Iterator[str]:
    """Yield a TTL that is too long, or not given."""
    if record.resource_type != RECORD_SET:
        return
    ttl = record.props.get("ttl")
    if ttl is None:
        yield f"{record.props['name']} has no TTL."
    elif ttl > MAX_TTL:
        yield f"{record.props['name']} has a TTL of {ttl:.0f} s."


ZONE = stack_policy(
    "record-in-zone",
    "All records of a stack lie in its one managed zone, and their names in the zone's domain.",
    "gcloud dns managed-zones describe ZONE --format 'value(dnsName)'\n"
    "pulumi config set --path dns.zone ZONE    # or give the host a name below the zone's domain",
    strays,
)

TTL = resource_policy(
    "record-ttl-is-short",
    f"A record's TTL is at most {MAX_TTL} s: it is how long clients go to an address after it has changed.",
    f"pulumi config set --path dns.ttl {MAX_TTL}",
    long_ttls,
)
