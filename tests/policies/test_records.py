"""Address records: one zone, its domain, a short TTL."""

import json
from typing import Any

import pytest
from pulumi_policy import PolicyResource

from policies.findings import Rule
from policies.records import TTL, ZONE
from tests.policies.support import breaks, configured, holds, record, resource, zone

OTHER_TYPES = [record("elsewhere.test.", ttl=86400, zone="parent", type_=kind) for kind in ("NS", "CAA", "TXT", "DS")]

BROKEN: dict[str, tuple[Rule[Any], list[PolicyResource], str]] = {
    "another zone": (ZONE, [record(), record(zone="stray")], "is in the managed zone stray"),
    "another domain": (ZONE, [zone(), record("a.elsewhere.test.")], "a.elsewhere.test. lies outside sandbox.test."),
    "another label": (ZONE, [zone(), record("notsandbox.test.")], "notsandbox.test. lies outside sandbox.test."),
    "no common domain": (ZONE, [record(), record("a.elsewhere.test.")], "has no domain in common with"),
    "a zone of this name in another project": (
        ZONE,
        [record(project="edge"), record(project="prod")],
        "is in the managed zone sandbox of the project prod, and shop.sandbox.test. in sandbox of the project edge",
    ),
    "a zone of another project by its URL": (
        ZONE,
        [record(), record("api.sandbox.test.", zone="projects/other/managedZones/sandbox")],
        "shop.sandbox.test. is in the managed zone sandbox, and api.sandbox.test. in sandbox of the project other",
    ),
    "the domain of the project's own zone": (
        ZONE,
        [
            zone(project="other", dnsName="elsewhere.test."),
            record("a.elsewhere.test.", project="edge"),
            record("shop.sandbox.test.", project="edge"),
        ],
        "has no domain in common with",
    ),
    "a domain outside of its zone, by its URL": (
        ZONE,
        [
            zone(project="edge"),
            record("a.elsewhere.test.", zone="https://x.test/v1/projects/edge/managedZones/sandbox"),
        ],
        "lies outside sandbox.test.",
    ),
    **{
        f"TTL of {kind}": (TTL, [record(ttl=301.0, type_=kind)], "301 s")
        for kind in ("A", "AAAA", "ALIAS", "CNAME", "DNAME", "HTTPS", "SVCB", "https")
    },
    "TTL of a routing policy": (TTL, [record(ttl=301.0, rrdatas=None, routingPolicy={"wrrs": []})], "301 s"),
    "no TTL": (TTL, [record(ttl=None)], "has no TTL"),
}


@pytest.mark.parametrize(("rule", "stack", "saying"), BROKEN.values(), ids=BROKEN)
def test_a_record_that_breaks_a_rule_is_refused(rule: Rule[Any], stack: list[PolicyResource], saying: str) -> None:
    breaks(rule, *stack, saying=saying)


def test_a_record_without_a_project_is_in_that_of_the_config(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULUMI_CONFIG", json.dumps({"gcp:project": "edge"}))
    holds(ZONE, record(), record(project="edge"), record(zone="projects/edge/locations/global/managedZones/sandbox"))
    breaks(ZONE, record(), record(project="prod"), saying="sandbox of the project prod")


def test_gateways_of_a_stack_may_have_zones_of_their_own() -> None:
    internal = {"name": "internal", "dns": {"zone": "inside", "project": "edge"}}
    with configured(dns={"zone": "sandbox"}, gateways=[internal]):
        inside = record("wiki.inside.test.", zone="inside", project="edge")
        holds(ZONE, record(), inside)
        breaks(ZONE, record(), record("wiki.inside.test.", zone="inside"), saying="is in the managed zone inside")
        breaks(ZONE, record(), inside, record("a.elsewhere.test.", zone="inside", project="edge"), saying="in common")


def test_a_gateway_may_have_hosts_in_several_zones() -> None:
    with configured(dns={"zone": "sandbox", "zones": [{"zone": "second", "domain": "second.test", "project": "edge"}]}):
        second = record("shop.second.test.", zone="second", project="edge")
        holds(ZONE, record(), second)
        breaks(ZONE, record(), record("shop.third.test.", zone="third"), saying="neither dns.zone nor dns.zones names")
        breaks(ZONE, record(), second, record(zone="second", project="edge"), saying="in common")
    for zones in (None, "second", [None, {"domain": "second.test"}]):
        with configured(dns={"zone": "sandbox", "zones": zones}):
            holds(ZONE, record())


def test_other_records_hold() -> None:
    other = resource("aws:route53/record:Record", {"name": "a.elsewhere.test", "type": "A", "ttl": 86400.0})
    for rule in (ZONE, TTL):
        holds(rule)
        holds(rule, record("sandbox.test.", ttl=5.0), record("*.apps.sandbox.test."), *OTHER_TYPES, other)
        holds(rule, zone(), record("Shop.Sandbox.test."), record("sandbox.test."), *OTHER_TYPES)
        holds(rule, resource("gcp:dns/policy:Policy", {"name": "sandbox"}), record())
