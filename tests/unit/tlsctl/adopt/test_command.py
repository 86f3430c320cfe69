"""What `adopt` prints of commands that a stack's state depends on."""

from pathlib import Path

from tlsctl import ids
from tlsctl.adopt.command import excluded, files
from tlsctl.adopt.decisions import Decision
from tlsctl.adopt.imports import Planned
from tlsctl.stack import Stack

SHOP, NEW = "shop.acme.dev", "new.acme.dev"


def record_set(host: str) -> Planned:
    urn = f"urn:pulumi:prod::istio-gateway-tls::istio-gateway-tls:index:DnsRecords${ids.RECORD_SET}::dns-{host}"
    return Planned(urn, ids.RECORD_SET, {"name": f"{host}.", "type": "A"})


def test_only_imported_records_that_lead_elsewhere_are_excluded() -> None:
    decision = Decision({}, elsewhere=[SHOP, NEW])
    taken = [record_set(SHOP), record_set("here.acme.dev"), Planned("urn::x", ids.RELEASE, {"name": f"{SHOP}."})]

    assert excluded(decision, taken) == f"--exclude '**RecordSet::dns-{SHOP}'", (
        "what is excluded without being in the state breaks the state"
    )


def test_the_files_of_a_stack_have_its_short_name() -> None:
    assert files(Stack("acme/istio-gateway-tls/dev")) == (Path("Pulumi.dev.yaml"), Path("import.dev.json"))
    assert files(Stack("dev", "stacks/dev.yaml"))[1] == Path("stacks/import.dev.json")
