"""Hosts of one gateway in several managed zones: each part of the stack is made once per zone."""

from typing import Any

from config import proofs
from config.args import Composition
from config.models import Settings
from tests.unit.config.support import HOST, INTERNAL, settings
from tests.unit.harness import RECORD, Recorder, good_config

ZONES = [
    {"zone": "wide", "domain": "wide.test"},
    {"zone": "deep", "domain": "deep.wide.test", "project": "edge"},
    {"zone": "proofs", "domain": "proofs.test"},
]
NAMES = ["shop.sandbox.test", "a.wide.test", "wide.test", "*.deep.wide.test", "xdeep.wide.test"]


def several(names: list[str] = NAMES, zones: list[dict[str, Any]] = ZONES[:2], **changes: Any) -> Settings:
    """Return the settings of a stack with hosts in several zones, each proven by DNS-01."""
    dns = {"zone": "sandbox", "zones": zones, "caa": True, "workloadIdentity": True, **changes.pop("dns", {})}
    return settings(challenge="dns01", dns=dns, hosts=[{**HOST, "host": name} for name in names], **changes)


def test_a_host_is_in_the_zone_with_the_longest_domain_that_fits() -> None:
    hosts = {part.zone: list(part.settings.challenges) for part in several().zone_parts}
    assert hosts == {
        ("sandbox", None): ["shop.sandbox.test"],
        ("wide", None): ["a.wide.test", "wide.test", "xdeep.wide.test"],
        ("deep", "edge"): ["*.deep.wide.test"],
    }
    assert [part.zone[0] for part in several(["a.wide.test"], ZONES[:1]).zone_parts] == ["wide"], "others have no part"


def test_each_zone_has_its_own_proofs_access_and_caa_records() -> None:
    stack = several()

    assert {str(solver["zone"]): solver["dns_names"] for solver in proofs.solvers(stack)} == {
        "sandbox": ["shop.sandbox.test"],
        "wide": ["a.wide.test", "wide.test", "xdeep.wide.test"],
        "deep": ["*.deep.wide.test"],
    }, "cert-manager writes each proof to the zone of its name"
    access = proofs.access(stack, "test", "pool")
    assert {name: (args["zone"], args["project"]) for name, args in access.items()} == {
        "dns01": ("sandbox", "platform"),
        "dns01-wide": ("wide", "platform"),
        "dns01-deep": ("deep", "edge"),
    }
    records = proofs.caa_records(stack, {"prod": "uri"})
    assert {name: (args["zone"], len(args["hosts"])) for name, args in records.items()} == {
        "caa": ("sandbox", 1),
        "caa-wide": ("wide", 3),
        "caa-deep": ("deep", 1),
    }


def test_names_of_all_zones_are_proven_in_the_one_challenge_zone() -> None:
    stack = several(dns={"challengeZone": {"zone": "p"}})

    delegations = Composition(stack, "test", None, challenge_domains={("p", None): "p.test"}).delegations
    assert {name: (args["zone"], list(args["hosts"]), args["domain"]) for name, args in delegations.items()} == {
        "delegations": ("sandbox", ["shop.sandbox.test"], "p.test"),
        "delegations-wide": ("wide", ["a.wide.test", "wide.test", "xdeep.wide.test"], "p.test"),
        "delegations-deep": ("deep", ["*.deep.wide.test"], "p.test"),
    }
    assert [args["zone"] for args in proofs.access(stack, "test", "pool").values()] == ["p"]


def test_the_commands_for_a_zone_set_its_own_key() -> None:
    internal = {**INTERNAL, "hosts": [{**HOST, "host": "wiki.wide.test"}]}
    commands = Composition(several(gateways=[internal]), "test", None).commands

    assert commands["dns"]["zone"] == "pulumi config set --path dns.zone"
    assert commands["dns-deep"]["zone"] == "pulumi config set --path 'dns.zones[1].zone'"
    assert commands["internal-dns-wide"]["zone"] == "pulumi config set --path 'dns.zones[0].zone'", "it has none itself"
    assert commands["dns-deep"]["take_over"] == "pulumi config set --path dns.takeOver", "the key of all zones"


def test_the_records_of_a_host_are_in_its_zone(up: Any) -> None:
    hosts = [HOST, {**HOST, "host": "shop.proofs.test"}]
    made: Recorder = up(good_config(dns={"zone": "sandbox", "zones": ZONES[2:], "caa": True}, hosts=hosts))

    assert {record.name: record.inputs["managedZone"] for record in made.of(RECORD)} == {
        "dns-shop.sandbox.test": "sandbox",
        "dns-proofs-shop.proofs.test": "proofs",
        "caa-shop.sandbox.test": "sandbox",
        "caa-proofs-shop.proofs.test": "proofs",
    }
    certificate = made.named("certificate-istio-ingressgateway-certs")
    assert certificate.inputs["spec"]["dnsNames"] == ["shop.sandbox.test", "shop.proofs.test"], "one for both zones"
    assert set(made.outputs["dnsRecords"]) == {"shop.sandbox.test", "shop.proofs.test"}
    assert made.named("dns-proofs-shop.proofs.test").urn in made.named("certificate").dependencies
