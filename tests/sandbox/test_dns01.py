"""Names proven by DNS-01: cert-manager's own solver writes the zone, by the access that the stack grants it.

cert-manager calls `dns.googleapis.com` over HTTPS with a token of the metadata server. The emulator lets a Pod do what
the zone's IAM policy allows its ServiceAccount, and nothing else.
"""

import base64
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from sandbox.acme import STAGING
from sandbox.testing import (
    ISTIO,
    ZONES,
    changes,
    client,
    cloud_dns,
    eventually,
    google,
    items,
    live,
    managed_zone,
    patch,
    reasons,
    renew,
    resolve,
    txt_records,
)
from tests.sandbox.conftest import only_istio
from tests.sandbox.stack import GATEWAYS, SHOP, Stack, certificate_of

pytestmark = pytest.mark.sandbox

GATEWAY = "istio-ingressgateway"
SECRET = "dns01-certs"
DOMAIN = "wild.sandbox.test"
APEX: dict[str, Any] = SHOP | {"host": DOMAIN}
WILDCARD = APEX | {"host": f"*.{DOMAIN}"}
LABEL = f"any.{DOMAIN}"
SECOND = "shop.second.test"
"""A host of another zone."""
DELEGATED = APEX | {"host": "delegated.sandbox.test", "challenge": "dns01"}
OVER_HTTP = APEX | {"host": "over-http.sandbox.test"}
ELSEWHERE = "192.0.2.7"
"""The address of another server."""
CERT_MANAGER = "cert-manager"
"""Its ServiceAccount and its namespace."""
PROOF = re.compile(r'"[\w-]{43}"')
"""A SHA-256 in base64url (RFC 8555, section 8.4)."""
PRINCIPAL = (
    "principal://iam.googleapis.com/projects/123456789012/locations/global/workloadIdentityPools/sandbox.svc.id.goog"
    "/subject/ns/cert-manager/sa/cert-manager"
)


@pytest.fixture
def closed_port() -> Iterator[None]:
    """Close port 80 of the gateway."""
    ports = live("service", GATEWAY, ISTIO)["spec"]["ports"]
    replace = {"op": "replace", "path": "/spec/ports"}
    patch("service", GATEWAY, [replace | {"value": [port for port in ports if port["port"] != 80]}], ISTIO)
    yield
    patch("service", GATEWAY, [replace | {"value": ports}], ISTIO)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack that proves all its names by DNS-01, and a zone `proofs` that has none of its hosts."""
    with managed_zone("proofs", "proofs.test"):
        with Stack("dns01", tmp_path_factory.mktemp("stacks")) as stack:
            stack.configure(
                challenge="dns01",
                # cert-manager's own check takes a minute for each name, because it waits for a TTL.
                acme={"dnsZones": None, "waitInsteadOfSelfCheck": 1},
                dns={"workloadIdentity": True},
                certificate={"secretName": SECRET},
                hosts=[APEX, WILDCARD],
            )
            yield stack
        assert policy("sandbox") == [], "access to the zone ends with the stack"


@pytest.fixture(scope="module")
def shared(made: Stack, api: str) -> Stack:
    made.write_in(api)
    return made


@pytest.fixture
def stack(shared: Stack, closed_port: None) -> Stack:  # noqa: ARG001 - for its effect
    """The stack, up with port 80 of the gateway closed."""
    shared.stand()
    return shared


def policy(zone: str) -> list[dict[str, Any]]:
    """Return the bindings of a zone's IAM policy."""
    bindings: list[dict[str, Any]] = google("POST", f"{ZONES}/{zone}:getIamPolicy", {}).get("bindings", [])
    return bindings


def proofs(zone: str) -> list[str]:
    """Return every proof that was ever written to a zone: the name and the value."""
    written = [record for change in changes(zone) for record in change.get("additions", []) if record["type"] == "TXT"]
    return [f"{record['name']} {value}" for record in written for value in record["rrdatas"] if PROOF.fullmatch(value)]


def proofs_of_the_domain() -> set[str]:
    """Return the proofs of the wildcard and its domain; other files prove names in this zone as well."""
    return {proof for proof in proofs("sandbox") if proof.startswith(f"_acme-challenge.{DOMAIN}. ")}


def certificate_names(answer: client.Answer) -> list[str]:
    """Return the names that the certificate of an answer is for."""
    assert answer.certificate is not None
    return names_of(answer.certificate)


def names_of(certificate: x509.Certificate) -> list[str]:
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return names.get_values_for_type(x509.DNSName)


def test_a_wildcard_and_its_domain_are_proven_with_port_80_closed(stack: Stack) -> None:
    with pytest.raises(OSError, match=r"refused|timed out|No route"):
        client.plain(DOMAIN)
    trust = client.trusting(STAGING)
    served = {name: eventually(f"{name} is served", partial(client.served, name, trust)) for name in (LABEL, DOMAIN)}
    names = {name for answer in served.values() for name in certificate_names(answer)}
    assert names == {DOMAIN, WILDCARD["host"]}
    eventually("no proof is left", lambda: not txt_records("sandbox"))
    stack.assert_at_rest()

    before = proofs_of_the_domain()
    assert len(before) >= 2, "both were proven, by one name with a value each"
    for certificate in {certificate_of(host) for host in names}:
        renew(certificate)
    for name, answer in served.items():
        client.another(name, trust, answer.serial)
    assert len(proofs_of_the_domain() - before) == 2, "both were proven again"
    eventually("the renewal leaves no proof", lambda: not txt_records("sandbox"))


@only_istio
def test_cert_manager_may_write_the_one_zone_and_no_other(stack: Stack) -> None:
    (binding,) = policy("sandbox")
    assert binding == {"role": "projects/sandbox/roles/certManagerDns01_dns01", "members": [PRINCIPAL]}
    assert policy("proofs") == [], "it has nothing on another zone"

    trust = client.trusting(STAGING)
    old = eventually("the wildcard is served", partial(client.served, LABEL, trust)).serial
    google("POST", f"{ZONES}/sandbox:setIamPolicy", {"policy": {}})
    renew(SECRET)
    eventually(
        "Google refuses the solver",
        partial(reasons, "challenges", ISTIO),
        until=lambda text: "does not have permission 'dns.resourceRecordSets.list'" in text,
    )
    assert "dns01-zone" in stack.steps("--refresh"), "a refresh shows what was taken away"
    stack.up("--refresh")
    client.another(LABEL, trust, old)


@only_istio
def test_cert_manager_of_another_cluster_may_not_write_the_zone(stack: Stack) -> None:
    trust = client.trusting(STAGING)
    old = eventually("the wildcard is served", partial(client.served, LABEL, trust)).serial
    with stack.changed(dns={"workloadAccount": "00000000-0000-0000-0000-000000000000"}):
        stack.up()
        renew(SECRET)
        eventually(
            "Google refuses another ServiceAccount of the same name",
            partial(reasons, "challenges", ISTIO),
            until=lambda text: "does not have permission 'dns.resourceRecordSets.list'" in text,
        )
    with stack.changed(dns={"workloadAccount": live("serviceaccount", CERT_MANAGER, CERT_MANAGER)["metadata"]["uid"]}):
        stack.up()
        client.another(LABEL, trust, old)
        stack.assert_at_rest()


@only_istio
def test_users_of_another_server_move_when_the_gateway_serves_their_host(stack: Stack) -> None:
    host = "moving.sandbox.test"
    cloud_dns("POST", body={"name": f"{host}.", "type": "A", "ttl": 5, "rrdatas": [ELSEWHERE]})
    with stack.changed(dns={"takeOver": True}, hosts=[APEX, WILDCARD, APEX | {"host": host}]):
        with stack.coming_up():
            eventually("the host moves", partial(resolve, host), until=lambda addresses: addresses != [ELSEWHERE])
            servers = live(GATEWAYS["istio"], f"tls-{stack.name}", ISTIO)["spec"]["servers"]
            contents = [secret.get("data", {}).get("tls.crt", "") for secret in items("secrets", ISTIO)]
        signed = [x509.load_pem_x509_certificate(base64.b64decode(content)) for content in contents if content]
        assert any(host in names_of(certificate) for certificate in signed), "its certificate was there before"
        assert host in str(servers), "the gateway, too"
        trust = client.trusting(STAGING)
        eventually("the host is served", partial(client.served, host, trust))
        stack.assert_at_rest()


def test_hosts_of_one_stack_are_proven_in_different_ways_and_by_another_zone(shared: Stack) -> None:
    before = len(proofs("sandbox"))
    hosts = [OVER_HTTP, DELEGATED]
    # Long enough for a solver's Pod to be served: the ACME server is asked to look once.
    wait = {"waitInsteadOfSelfCheck": 8}
    with shared.changed(challenge="http01", dns={"challengeZone": {"zone": "proofs"}}, acme=wait, hosts=hosts):
        shared.up()
        trust = client.trusting(STAGING)
        for host in hosts:
            eventually(f"{host['host']} is served", partial(client.served, host["host"], trust))
        assert len(proofs("sandbox")) == before, "nothing was proven in the hosts' zone"
        assert {proof.split()[0] for proof in proofs("proofs")} == {"delegated.sandbox.test.proofs.test."}
        eventually("no proof is left", lambda: not txt_records("proofs"))
        assert [binding["members"] for binding in policy("proofs")] == [[PRINCIPAL]], "cert-manager may write this zone"
        assert policy("sandbox") == [], "and not the zone of the addresses"
        shared.assert_at_rest()


@only_istio
def test_one_certificate_spans_two_zones(shared: Stack) -> None:
    hosts = [APEX, APEX | {"host": SECOND}]
    with managed_zone("second", "second.test"):
        with shared.changed(dns={"zones": [{"zone": "second", "domain": "second.test"}]}, hosts=hosts):
            shared.up()
            trust = client.trusting(STAGING)
            served = [eventually(f"{name} is served", partial(client.served, name, trust)) for name in (DOMAIN, SECOND)]
            assert [{*certificate_names(answer)} for answer in served] == [{DOMAIN, SECOND}] * 2, "one for both"
            assert {proof.split()[0] for proof in proofs("second")} == {f"_acme-challenge.{SECOND}."}
            assert policy("second") == [
                {"role": "projects/sandbox/roles/certManagerDns01_dns01_second", "members": [PRINCIPAL]}
            ]
            assert shared.verify().ok, "the checks ask in both zones"
            shared.assert_at_rest()
        shared.stand()  # without the zone, which has to be empty


def test_a_private_zone_is_refused(tmp_path: Path) -> None:
    with managed_zone("inside", "inside.test", visibility="private"):
        stack = Stack("private", tmp_path)
        stack.configure(dns={"zone": "inside"})
        printed = stack.preview(fails=True)
    assert "dns.zone: 'inside' is a private zone" in printed, "with the key and the reason"
    assert "--path dns.zone" in printed, "and the command"
