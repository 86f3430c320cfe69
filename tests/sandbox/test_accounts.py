"""ACME accounts that are bound to an account at the CA, and orders with a profile.

The ACME server is a Pebble of this file's own that requires an external account.
"""

import base64
import datetime
from collections.abc import Iterator
from typing import Any

import pytest

from sandbox import network
from sandbox.acme import Directory
from sandbox.testing import ISTIO, items, live
from sandbox.testing.pebble import Pebble
from tests.sandbox.conftest import NewStack
from tests.sandbox.stack import ISSUER, PREFIX, Stack

pytestmark = pytest.mark.sandbox

CERTIFICATE = "accounts-certs"
KEY_ID = "kid-1"
MAC_KEY = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"
WAIT = 10
"""Seconds until the ACME server looks: on a busy machine too, the solver's Pod and its route are up by then."""


@pytest.fixture(scope="module")
def pebble(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pebble]:
    """The ACME server."""
    external: dict[str, Any] = {"externalAccountBindingRequired": True, "externalAccountMACKeys": {KEY_ID: MAC_KEY}}
    with Pebble(tmp_path_factory.mktemp("pebble"), Directory("accounts", network.HOST), **external) as pebble:
        yield pebble


@pytest.fixture(scope="module")
def unbound(pebble: Pebble, new_stack: NewStack) -> Stack:
    """A stack whose config has no external account yet."""
    stack = new_stack("accounts")
    arguments = stack.get("certManager")["values"]["extraArgs"]
    blind = [argument for argument in arguments if "http01-solver-nameservers" not in argument]
    stack.configure(
        acme={
            "issuerKind": "Issuer",
            "dnsZones": None,
            "servers": {"staging": pebble.url},
            "caBundle": stack.get("acme")["caBundle"] + pebble.ca_bundle,
            "profile": "shortlived",
            "waitInsteadOfSelfCheck": WAIT,
        },
        # cert-manager cannot resolve the host, as behind split DNS: its own check of the challenge never passes.
        certManager={"values": {"extraArgs": [*blind, "--acme-http01-solver-nameservers=127.0.0.1:1"]}},
        certificate={"secretName": CERTIFICATE},
        hosts=[{"host": "accounts.sandbox.test", "service": "shop", "namespace": "shop", "port": 80}],
    )
    return stack


@pytest.fixture
def stack(unbound: Stack) -> Stack:
    """The stack, up with the external account."""
    account = "acme.externalAccount.staging"
    unbound.configure()
    unbound.run("config", "set", "--path", f"{PREFIX}{account}.keyId", KEY_ID)
    unbound.set_secret(f"{account}.keySecret", MAC_KEY)
    unbound.stand()
    return unbound


def test_a_ca_that_requires_an_external_account_says_so_at_the_issuer(unbound: Stack) -> None:
    with unbound.changed(acme={"timeout": 5}):
        printed = unbound.up(fails=True)
    assert "(issuers-staging)" in printed, "the step that failed is named"
    assert "externalAccountRequired" in printed, "in the CA's words"


def test_the_account_is_bound_and_its_key_is_nowhere_in_plain_text(stack: Stack) -> None:
    secret = live("secret", f"{ISSUER}-external-account", ISTIO)
    spec = live("issuer", ISSUER, ISTIO)["spec"]["acme"]["externalAccountBinding"]
    assert spec == {"keyID": KEY_ID, "keySecretRef": {"name": secret["metadata"]["name"], "key": "secret"}}
    state = stack.run("stack", "export", config=False)
    assert MAC_KEY not in state, "the state has it encrypted"
    assert base64.b64encode(MAC_KEY.encode()).decode() not in state, "also in the encoding of the API server"
    assert MAC_KEY not in stack.preview(), "and a preview does not show it"


def test_an_order_has_the_profile_and_is_passed_on_without_cert_managers_own_check(stack: Stack) -> None:
    assert stack.outputs()["certificateNotAfter"], "it was issued, though cert-manager cannot resolve the host"
    (solver,) = live("issuer", ISSUER, ISTIO)["spec"]["acme"]["solvers"]
    assert solver["waitInsteadOfSelfCheck"] == f"{WAIT}s", "the ACME server is asked after this long"
    orders = [order["spec"] for order in items("orders.acme.cert-manager.io", ISTIO)]
    assert {order["profile"] for order in orders if order["issuerRef"]["name"] == ISSUER} == {"shortlived"}
    status = live("certificate", CERTIFICATE, ISTIO)["status"]
    begin, end = (datetime.datetime.fromisoformat(status[key]) for key in ("notBefore", "notAfter"))
    assert end - begin < datetime.timedelta(days=7), "160 hours, not the 90 days of classic"
