"""CAA: only the stack's own ACME accounts may have certificates for its names; the ACME server heeds the records."""

from functools import partial
from typing import Any

import dns.name
import pytest

from sandbox.acme import STAGING
from sandbox.testing import (
    ISTIO,
    AcmeProxy,
    applied,
    caa,
    client,
    cloud_dns,
    eventually,
    kubectl,
    live,
    names,
    reasons,
    record_sets,
    renew,
    resource,
)
from tests.sandbox.conftest import NewStack
from tests.sandbox.stack import ISSUER, SHOP, Stack

pytestmark = pytest.mark.sandbox

SECRET = "caa-certs"
LOCKED: dict[str, Any] = SHOP | {"host": "locked.sandbox.test"}
TAKEN = SHOP | {"host": "taken.sandbox.test"}
THIEF = "another-account"


@pytest.fixture(scope="module")
def shared(acme: AcmeProxy, new_stack: NewStack) -> Stack:
    """A stack with CAA records, at an ACME server that heeds them; not yet up."""
    acme.heeds_caa = True
    dns = {"caa": True, "caaIdentities": [caa.IDENTITY]}
    stack = new_stack("caa", dns=dns, certificate={"secretName": SECRET}, hosts=[LOCKED])
    stack.use_acme(acme)
    return stack


def records(host: str) -> list[str]:
    """Return the CAA records of a name as DNS has them."""
    return sorted(record.to_text() for record in caa.records(dns.name.from_text(host)))


def account(issuer: str = ISSUER) -> str:
    """Return the URI of an issuer's ACME account."""
    return str(live("clusterissuer", issuer)["status"]["acme"]["uri"])


served = partial(client.served, LOCKED["host"])


def test_the_stacks_accounts_alone_may_have_a_certificate(shared: Stack) -> None:
    shared.destroy()
    assert "caa-locked.sandbox.test" in shared.preview(), "the first preview passes, though there is no account yet"
    shared.up()
    eventually("the host is served", partial(served, client.trusting(STAGING)))
    uris = [account(), account("letsencrypt-prod-istio")]
    issue = [f'0 issue "{caa.IDENTITY}; accounturi={uri}; validationmethods=http-01"' for uri in uris]
    assert records(LOCKED["host"]) == sorted([*issue, '0 issuewild ";"']), "both accounts, and no wildcard"
    assert shared.outputs()["acmeAccounts"] == {"staging": uris[0], "prod": uris[1]}
    shared.assert_at_rest()

    spec = live("clusterissuer", ISSUER)["spec"]
    spec["acme"]["privateKeySecretRef"]["name"] = f"{THIEF}-key"
    reference = {"kind": "ClusterIssuer", "name": THIEF}
    request = {"secretName": THIEF, "dnsNames": [LOCKED["host"]], "issuerRef": reference}
    with applied(
        resource("cert-manager.io/v1", "ClusterIssuer", THIEF, spec=spec),
        resource("cert-manager.io/v1", "Certificate", THIEF, ISTIO, spec=request),
    ):
        eventually(
            "the ACME server refuses another account",
            partial(reasons, "orders", ISTIO),
            until=lambda text: "urn:ietf:params:acme:error:caa" in text,
        )
        assert account(THIEF) not in uris, "it was another account that asked"


def test_the_method_that_the_records_list_proves_a_name_and_no_other_does(stack: Stack) -> None:
    assert stack.outputs()["acmeAccounts"]
    trust = client.trusting(STAGING)
    old = eventually("the host is served", partial(served, trust)).serial
    renew(SECRET)
    client.another(LOCKED["host"], trust, old)  # HTTP-01 is listed, and proves the host.

    ours = records(LOCKED["host"])
    path = f"/{LOCKED['host']}./CAA"
    cloud_dns("PATCH", path, {"rrdatas": [record.replace("http-01", "dns-01") for record in ours]})
    try:
        renew(SECRET)
        eventually(
            "the ACME server refuses HTTP-01",
            partial(reasons, "challenges", ISTIO),
            until=lambda text: "prevents issuance by http-01" in text,
        )
    finally:
        cloud_dns("PATCH", path, {"rrdatas": ours})
        # At this server the order stays open, where a CA would have ended it: cert-manager has to make another one.
        requests = [name for name in names("certificaterequests", ISTIO) if name.startswith(SECRET)]
        kubectl("delete", "certificaterequests", *requests, "--namespace", ISTIO)


def test_records_of_somebody_else_are_not_replaced(stack: Stack) -> None:
    theirs = {"name": "taken.sandbox.test.", "type": "CAA", "ttl": 5, "rrdatas": ['0 issue "theirs.test"']}
    with record_sets(theirs), stack.changed(hosts=[LOCKED, TAKEN]):
        for printed in (stack.preview(fails=True), stack.up(fails=True)):
            assert 'has records that are not this stack\'s: 0 issue "theirs.test"' in printed, "they are shown"
            assert "theirs.test would no longer be allowed to sign" in printed, "with what would be lost"
            assert "gcloud dns record-sets delete taken.sandbox.test. --zone sandbox --type CAA" in printed
        assert records("taken.sandbox.test") == ['0 issue "theirs.test"'], "and they are as they were"


def test_a_preview_reads_more_names_than_the_engine_has_threads(stack: Stack) -> None:
    more = [LOCKED | {"host": f"locked-{number}.sandbox.test"} for number in range(4)]
    with stack.changed(hosts=[LOCKED, *more]):
        # Each registration holds a thread of Pulumi until its hook has read the zone.
        printed = stack.preview("--parallel=2")
    assert all(f"caa-{host['host']}" in printed for host in more), "a hook that waits for such a thread never ends"


def test_drift_of_the_records_is_detected_and_repaired(stack: Stack) -> None:
    ours = records(LOCKED["host"])
    cloud_dns("PATCH", f"/{LOCKED['host']}./CAA", {"rrdatas": ['0 issue "theirs.test"']})
    assert set(stack.steps("--refresh")) == {"caa-locked.sandbox.test"}, "that one record set has drifted"
    stack.up("--refresh")
    assert records(LOCKED["host"]) == ours
