"""Names proven by DNS-01: cert-manager's own solver writes the zone, by the access that the stack grants it.

cert-manager calls `dns.googleapis.com` over HTTPS with a token of the metadata server. The emulator lets a Pod do what
the zone's IAM policy allows its ServiceAccount, and nothing else.
"""

import json
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from sandbox.acme import STAGING
from sandbox.testing import ZONES, client, cloud_dns, eventually, items, kubectl, live, renew
from tests.sandbox.stack import Stack

pytestmark = pytest.mark.sandbox

ISTIO = "istio-system"
GATEWAY = "istio-ingressgateway"
SECRET = "dns01-certs"
APEX: dict[str, Any] = {"host": "wild.sandbox.test", "service": "shop", "namespace": "shop", "port": 80}
WILDCARD = APEX | {"host": "*.wild.sandbox.test"}
LABEL = "any.wild.sandbox.test"
DELEGATED = APEX | {"host": "delegated.sandbox.test", "challenge": "dns01"}
OVER_HTTP = APEX | {"host": "over-http.sandbox.test"}
PROOF = re.compile(r'"[\w-]{43}"')
"""A SHA-256 in base64url (RFC 8555, section 8.4)."""
PRINCIPAL = (
    "principal://iam.googleapis.com/projects/123456789012/locations/global/workloadIdentityPools/sandbox.svc.id.goog"
    "/subject/ns/cert-manager/sa/cert-manager"
)


@pytest.fixture
def closed_port() -> Iterator[None]:
    """Port 80 of the gateway is closed."""
    ports = live("service", GATEWAY, ISTIO)["spec"]["ports"]
    _patch_ports([port for port in ports if port["port"] != 80])
    yield
    _patch_ports(ports)


def _patch_ports(ports: list[dict[str, Any]]) -> None:
    patch = json.dumps([{"op": "replace", "path": "/spec/ports", "value": ports}])
    kubectl("patch", "service", GATEWAY, "--namespace", ISTIO, "--type=json", "--patch", patch)


@pytest.fixture(scope="module")
def challenge_zone() -> Iterator[str]:
    """A zone that no host is in."""
    cloud_dns("POST", "", {"name": "proofs", "dnsName": "proofs.test.", "description": ""}, below=ZONES)
    yield "proofs"
    cloud_dns("DELETE", "/proofs", below=ZONES)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, challenge_zone: str) -> Iterator[Stack]:
    """A stack that proves all its names by DNS-01, standing with port 80 closed."""
    assert challenge_zone, "it is there for longer than the stack"
    with Stack("dns01", tmp_path_factory.mktemp("stacks")) as stack:
        stack.configure(
            challenge="dns01",
            # cert-manager's own look takes a minute for each name: it waits for the TTL of what it has found.
            acme={"dnsZones": None, "waitInsteadOfSelfCheck": 1},
            dns={"workloadIdentity": True},
            certificate={"secretName": SECRET},
            hosts=[APEX, WILDCARD],
        )
        yield stack
    kubectl("delete", "secret", SECRET, "--namespace", ISTIO, "--ignore-not-found")
    assert policy("sandbox") == [], "nobody has access to the zone any more"


def policy(zone: str) -> list[dict[str, Any]]:
    """The bindings of a zone's IAM policy."""
    found: list[dict[str, Any]] = cloud_dns("POST", f"/{zone}:getIamPolicy", {}, below=ZONES).get("bindings", [])
    return found


def texts(zone: str) -> set[str]:
    """The names that have a TXT record in a zone."""
    return {
        each["name"] for each in cloud_dns("GET", f"/{zone}/rrsets", below=ZONES)["rrsets"] if each["type"] == "TXT"
    }


def proofs(zone: str) -> list[str]:
    """The values of every proof that was ever written to a zone, with their names; others write TXT records too."""
    changes = cloud_dns("GET", f"/{zone}/changes?maxResults=1000&sortOrder=ascending", below=ZONES)["changes"]
    written = [each for change in changes for each in change.get("additions", []) if each["type"] == "TXT"]
    return [f"{each['name']} {value}" for each in written for value in each["rrdatas"] if PROOF.fullmatch(value)]


def of_the_domain() -> set[str]:
    """Those of the wildcard and its domain; other files of tests prove names in this zone too."""
    return {each for each in proofs("sandbox") if each.startswith(f"_acme-challenge.{APEX['host']}. ")}


def renewed(old: int) -> client.Answer:
    """The answer with another certificate, once that is served."""
    trust = client.trusting(STAGING)
    return eventually(
        "another certificate is served", lambda: client.served(LABEL, trust), until=lambda each: each.serial != old
    )


@pytest.mark.usefixtures("closed_port")
def test_a_wildcard_and_its_domain_are_proven_with_port_80_closed(stack: Stack) -> None:
    stack.stand()
    with pytest.raises(OSError, match=r"refused|timed out|No route"):
        client.plain(APEX["host"])
    trust = client.trusting(STAGING)
    answer = eventually("the wildcard is served", lambda: client.served(LABEL, trust))
    assert client.https(APEX["host"], trust).serial == answer.serial, "and the domain by the same certificate"
    assert answer.certificate is not None
    names = answer.certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert set(names.get_values_for_type(x509.DNSName)) == {APEX["host"], WILDCARD["host"]}
    assert len(of_the_domain()) == 2, "both were proven, by one name with a value each"
    eventually("no TXT record is left", lambda: not texts("sandbox"))
    stack.preview("--refresh", "--expect-no-changes")

    renew(SECRET)
    renewed(answer.serial)
    assert len(of_the_domain()) == 4, "both were proven again"
    eventually("no TXT record is left by the renewal", lambda: not texts("sandbox"))


@pytest.mark.usefixtures("closed_port")
def test_cert_manager_may_write_the_one_zone_and_no_other(stack: Stack) -> None:
    stack.stand()
    (binding,) = policy("sandbox")
    assert binding == {"role": "projects/sandbox/roles/certManagerDns01_dns01", "members": [PRINCIPAL]}
    assert policy("proofs") == [], "it has nothing on another zone"

    old = client.https(LABEL, client.trusting(STAGING)).serial
    cloud_dns("POST", "/sandbox:setIamPolicy", {"policy": {}}, below=ZONES)
    renew(SECRET)
    eventually(
        "Google refuses the solver",
        lambda: [each.get("status", {}).get("reason", "") for each in items("challenges", ISTIO)],
        until=lambda told: any("does not have permission 'dns.resourceRecordSets.list'" in each for each in told),
    )
    assert "dns01-zone" in stack.steps("--refresh"), "a look for drift finds what was taken away"
    stack.run("up", "--yes", "--skip-preview", "--refresh")
    renewed(old)


def test_hosts_of_one_stack_are_proven_in_different_ways_and_by_another_zone(stack: Stack) -> None:
    before = len(proofs("sandbox"))
    hosts = [OVER_HTTP, DELEGATED]
    # Long enough for a solver's Pod to be served: the ACME server is asked to look once.
    wait = {"waitInsteadOfSelfCheck": 8}
    with stack.changed(challenge="http01", dns={"challengeZone": {"zone": "proofs"}}, acme=wait, hosts=hosts):
        stack.up()
        trust = client.trusting(STAGING)
        for host in hosts:
            eventually(f"{host['host']} is served", partial(client.served, host["host"], trust))
        assert len(proofs("sandbox")) == before, "nothing was proven in the hosts' zone"
        assert {each.split()[0] for each in proofs("proofs")} == {"delegated.sandbox.test.proofs.test."}
        eventually("no TXT record is left", lambda: not texts("proofs"))
        assert [each["members"] for each in policy("proofs")] == [[PRINCIPAL]], "cert-manager may write this zone"
        assert policy("sandbox") == [], "and that of the addresses no more"
        stack.preview("--refresh", "--expect-no-changes")


def test_a_private_zone_is_refused(tmp_path: Path) -> None:
    body = {"name": "inside", "dnsName": "inside.test.", "description": "", "visibility": "private"}
    cloud_dns("POST", "", body, below=ZONES)
    try:
        stack = Stack("private", tmp_path)
        stack.configure(dns={"zone": "inside"})
        told = stack.preview(fails=True)
    finally:
        cloud_dns("DELETE", "/inside", below=ZONES)
    assert "dns.zone: 'inside' is a private zone" in told, "with the key and the reason"
    assert "pulumi config set dns.zone" in told or "--path dns.zone" in told, "and the command"
