"""Hooks and lookups of components, as the engine gets them."""

import pulumi

import components
from components.record_sets import existing
from tests.unit import harness


def test_the_zone_is_read_by_the_default_provider_of_the_record_sets() -> None:
    def program() -> None:
        records = components.DnsRecords("dns", {"hosts": ["shop.sandbox.test"], "zone": "sandbox", "ip": "192.0.2.1"})
        pulumi.export("records", pulumi.Output.from_input(existing(records, "sandbox", None)))

    done = harness.run(program)

    (record,) = done.of(harness.RECORD)
    assert record.version, "the SDK says which version it is made for"
    assert done.versions["gcp:dns/getRecordSets:getRecordSets"] == record.version, "else the newest one is started too"


def test_components_of_one_name_have_hooks_of_their_own() -> None:
    def program() -> None:
        hosts = ["shop.sandbox.test"]
        for parent in ("a", "b"):
            above = pulumi.ComponentResource(f"test:index:{parent.upper()}", parent)
            options = pulumi.ResourceOptions(parent=above)
            components.DnsRecords("public", {"hosts": hosts, "zone": "sandbox", "ip": "192.0.2.1"}, options)
        components.AcmeIssuers("public", {"email": "platform@sandbox.test"})
        signed: components.GatewayCertificateArgs = {
            "credentials": [{"secret_name": "shop", "hosts": hosts}],
            "issuer": "letsencrypt",
        }
        components.GatewayCertificate("public", signed)

    done = harness.run(program)

    assert len(done.hooks) == len(set(done.hooks)) == 4, "the engine refuses a second hook of a name"
