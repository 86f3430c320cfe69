"""Address records: one zone, its domain, a short TTL."""

from typing import Any

import pytest

from policies import records
from tests.policies.support import breaks, holds, record, resource


def zone(name: str = "sandbox", domain: str = "sandbox.test.") -> Any:
    return resource("gcp:dns/managedZone:ManagedZone", {"name": name, "dnsName": domain})


def test_records_of_one_zone_and_domain_hold() -> None:
    holds(records.ZONE)
    holds(records.ZONE, record("sandbox.test."), record("shop.sandbox.test."), record("*.apps.sandbox.test."))


def test_a_record_in_another_zone_is_refused() -> None:
    breaks(records.ZONE, record(), record(zone="stray"), saying="is in the managed zone stray")


def test_a_record_outside_the_domain_of_its_zone_is_refused() -> None:
    for name in ("shop.elsewhere.test.", "notsandbox.test."):
        breaks(records.ZONE, zone(), record(), record(name), saying=f"{name} lies outside sandbox.test.")
    holds(records.ZONE, zone(), record("Shop.Sandbox.test."), record("sandbox.test."))


def test_records_without_a_domain_in_common_are_refused_where_the_zone_is_only_named() -> None:
    stack = (record(), record("shop.elsewhere.test."))
    breaks(records.ZONE, *stack, saying="record shop.sandbox.test. has no domain in common", times=1)


@pytest.mark.parametrize("type_", ["A", "AAAA", "CNAME"])
@pytest.mark.parametrize(("ttl", "saying"), [(301.0, "301 s"), (86400.0, "86400 s"), (None, "no TTL")])
def test_a_ttl_above_300_seconds_or_none_is_refused(type_: str, ttl: float | None, saying: str) -> None:
    breaks(records.TTL, record(ttl=ttl, type_=type_), saying=saying)


def test_records_of_other_providers_hold() -> None:
    other = resource("aws:route53/record:Record", {"name": "shop.elsewhere.test", "type": "A", "ttl": 86400.0})
    holds(records.TTL, other)
    holds(records.ZONE, other, resource("gcp:dns/policy:Policy", {"name": "sandbox"}), record())


def test_a_ttl_up_to_300_seconds_holds() -> None:
    holds(records.TTL, record(ttl=300.0), record(ttl=5.0))


@pytest.mark.parametrize("type_", ["NS", "CAA", "SOA", "TXT", "MX", "DS"])
def test_records_that_lead_to_no_address_are_long_lived_and_may_lie_in_the_parents_zone(type_: str) -> None:
    other = record("elsewhere.test.", ttl=86400, zone="parent", type_=type_)
    holds(records.TTL, other, record(ttl=None, type_=type_))
    holds(records.ZONE, other, record())
