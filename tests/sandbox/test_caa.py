"""CAA: the stack's own ACME accounts may have certificates for its names, and nobody else's; the server heeds it."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import dns.name
import pytest

from sandbox.acme import STAGING
from sandbox.testing import AcmeProxy, caa, client, cloud_dns, eventually, items, kubectl, live, names, renew
from tests.sandbox.stack import Stack

pytestmark = pytest.mark.sandbox

ISTIO = "istio-system"
SECRET = "caa-certs"
ISSUER = "letsencrypt-staging-istio"
LOCKED: dict[str, Any] = {"host": "locked.sandbox.test", "service": "shop", "namespace": "shop", "port": 80}
TAKEN = LOCKED | {"host": "taken.sandbox.test"}
THIEF = "another-account"


@pytest.fixture(scope="module")
def stack(acme: AcmeProxy, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack with CAA records, at an ACME server that heeds them; not yet up."""
    acme.heeds_caa = True
    with Stack("caa", tmp_path_factory.mktemp("stacks")) as stack:
        stack.configure(
            acme={"servers": {"staging": acme.url}, "caBundle": stack.get("acme")["caBundle"] + acme.ca_bundle},
            dns={"caa": True, "caaIdentities": [caa.IDENTITY]},
            certificate={"secretName": SECRET},
            hosts=[LOCKED],
        )
        yield stack
    kubectl("delete", "secret", SECRET, THIEF, f"{THIEF}-key", "--namespace", ISTIO, "--ignore-not-found")
    assert records(LOCKED["host"]) == [], "the records are gone with the stack"


def records(host: str) -> list[str]:
    """The CAA records of a name, as DNS has them."""
    return sorted(each.to_text() for each in caa.records(dns.name.from_text(host)))


def account(issuer: str = ISSUER) -> str:
    """The URI of an issuer's ACME account."""
    return str(live("clusterissuer", issuer)["status"]["acme"]["uri"])


def test_the_stacks_accounts_alone_may_have_a_certificate(stack: Stack) -> None:
    told = stack.preview()
    assert "caa-locked.sandbox.test" in told, "the first preview, of an account that there is not yet, goes through"
    stack.up()
    trust = client.trusting(STAGING)
    eventually("the host is served", partial(client.served, LOCKED["host"], trust))
    uris = [account(), account("letsencrypt-prod-istio")]
    issue = [f'0 issue "{caa.IDENTITY}; accounturi={uri}; validationmethods=http-01"' for uri in uris]
    assert records(LOCKED["host"]) == sorted([*issue, '0 issuewild ";"']), "both accounts, and no wildcard"
    assert stack.outputs()["acmeAccounts"] == {"staging": uris[0], "prod": uris[1]}
    stack.preview("--refresh", "--expect-no-changes")

    spec = live("clusterissuer", ISSUER)["spec"]
    spec["acme"]["privateKeySecretRef"]["name"] = f"{THIEF}-key"
    version = {"apiVersion": "cert-manager.io/v1", "metadata": {"name": THIEF}}
    kubectl("create", manifest=version | {"kind": "ClusterIssuer", "spec": spec})
    reference = {"kind": "ClusterIssuer", "name": THIEF}
    asked = {"secretName": THIEF, "dnsNames": [LOCKED["host"]], "issuerRef": reference}
    version = version | {"metadata": {"name": THIEF, "namespace": ISTIO}}
    kubectl("create", manifest=version | {"kind": "Certificate", "spec": asked})
    try:
        eventually(
            "the ACME server refuses another account",
            lambda: [each.get("status", {}).get("reason", "") for each in items("orders", ISTIO)],
            until=lambda told: any("urn:ietf:params:acme:error:caa" in each for each in told),
        )
        assert account(THIEF) not in uris, "it was another account that asked"
    finally:
        kubectl("delete", "certificate", THIEF, "--namespace", ISTIO)
        kubectl("delete", "clusterissuer", THIEF)
        kubectl("delete", "secret", f"{THIEF}-key", "--namespace=cert-manager", "--ignore-not-found")


def test_the_method_that_the_records_list_proves_a_name_and_no_other_does(stack: Stack) -> None:
    stack.stand()
    served = partial(client.served, LOCKED["host"], client.trusting(STAGING))
    old = eventually("the host is served", served).serial
    renew(SECRET)
    eventually("HTTP-01 is listed, and proves the host", served, until=lambda answer: answer.serial != old)

    ours = records(LOCKED["host"])
    path = f"/{LOCKED['host']}./CAA"
    cloud_dns("PATCH", path, {"rrdatas": [each.replace("http-01", "dns-01") for each in ours]})
    try:
        renew(SECRET)
        eventually(
            "the ACME server refuses HTTP-01",
            lambda: [each.get("status", {}).get("reason", "") for each in items("challenges", ISTIO)],
            until=lambda told: any("prevents issuance by http-01" in each for each in told),
        )
    finally:
        cloud_dns("PATCH", path, {"rrdatas": ours})
        # At this server the order stays open, where a CA would have ended it: cert-manager is to make another one.
        requests = [each for each in names("certificaterequests", ISTIO) if each.startswith(SECRET)]
        kubectl("delete", "certificaterequests", *requests, "--namespace", ISTIO)


def test_records_of_somebody_else_are_not_replaced(stack: Stack) -> None:
    stack.stand()
    theirs = {"name": "taken.sandbox.test.", "type": "CAA", "ttl": 5, "rrdatas": ['0 issue "theirs.test"']}
    cloud_dns("POST", body=theirs)
    try:
        with stack.changed(hosts=[LOCKED, TAKEN]):
            for told in (stack.preview(fails=True), stack.up(fails=True)):
                assert 'has records that are not this stack\'s: 0 issue "theirs.test"' in told, "they are shown"
                assert "theirs.test would no longer be allowed to sign" in told, "with what would be lost"
                assert "gcloud dns record-sets delete taken.sandbox.test. --zone sandbox --type CAA" in told
            assert records("taken.sandbox.test") == ['0 issue "theirs.test"'], "and they are as they were"
    finally:
        cloud_dns("DELETE", "/taken.sandbox.test./CAA")
        stack.up()


def test_more_names_are_looked_at_than_the_engine_works_on_at_once(stack: Stack) -> None:
    stack.stand()
    more = [LOCKED | {"host": f"locked-{number}.sandbox.test"} for number in range(4)]
    with stack.changed(hosts=[LOCKED, *more]):
        # Each registration holds a thread of Pulumi's until its hook has looked, and there are as many as this.
        told = stack.preview("--parallel=2")
    assert all(f"caa-{host['host']}" in told for host in more), "a hook that waits for such a thread waits for ever"


def test_drift_of_the_records_is_found_and_put_right(stack: Stack) -> None:
    stack.stand()
    ours = records(LOCKED["host"])
    path = f"/{LOCKED['host']}./CAA"
    cloud_dns("PATCH", path, {"rrdatas": ['0 issue "theirs.test"']})
    assert set(stack.steps("--refresh")) == {"caa-locked.sandbox.test"}, "that one record set has drifted"
    stack.run("up", "--yes", "--skip-preview", "--refresh")
    assert records(LOCKED["host"]) == ours
