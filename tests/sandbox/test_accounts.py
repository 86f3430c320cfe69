"""ACME accounts as CAs have them: bound to an account at the CA, forgotten by it, and with profiles of its own.

The ACME server is a Pebble of this file's own, which asks for an external account. When it starts anew it has forgotten
every account, as a CA has that deactivated them.
"""

import base64
import datetime
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox import network, paths
from sandbox.acme import PROFILES
from sandbox.pki import Authority
from sandbox.testing import eventually, items, kubectl, live, renew
from tests.sandbox.stack import PREFIX, PROJECT, Stack

pytestmark = pytest.mark.sandbox

ISTIO = "istio-system"
CERTIFICATE = "accounts-certs"
ISSUER = "letsencrypt-staging-istio"
ACCOUNT_KEY = f"{ISSUER}-account-key"
KEY_ID = "kid-1"
MAC_KEY = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"
PORT = 14100
WAIT = 10
"""Seconds until the ACME server looks: the solver's Pod and its route must be up by then, on a busy machine too."""


class Pebble:
    """An ACME server that asks for an external account."""

    def __init__(self, folder: Path) -> None:
        authority = Authority.create(folder, "accounts-ca")
        authority.issue("pebble", network.HOST, sans=[network.HOST])
        self.ca_bundle = (folder / "ca.crt").read_text()
        self._config = folder / "pebble.json"
        self._config.write_text(json.dumps({"pebble": {
            "listenAddress": f"{network.HOST}:{PORT}", "managementListenAddress": f"{network.HOST}:{PORT + 1}",
            "certificate": str(folder / "pebble.crt"), "privateKey": str(folder / "pebble.key"),
            "httpPort": 80, "tlsPort": 443, "keyAlgorithm": "ecdsa", "profiles": PROFILES,
            "retryAfter": {"authz": 1, "order": 1},
            "externalAccountBindingRequired": True, "externalAccountMACKeys": {KEY_ID: MAC_KEY},
        }}))  # fmt: skip
        self._log = folder / "pebble.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """What an issuer's ``server`` holds."""
        return f"https://{network.HOST}:{PORT}/dir"

    @property
    def log(self) -> str:
        """What it has said since it was started."""
        return self._log.read_text()

    def start(self) -> None:
        """Start it, without any memory."""
        self.stop()
        environment = os.environ | {"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_AUTHZREUSE": "0", "PEBBLE_WFE_NONCEREJECT": "0"}
        argv = [str(paths.BIN / "pebble"), "-strict", "-config", str(self._config), "-dnsserver", f"{network.HOST}:53"]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(argv, env=environment, stdout=log, stderr=subprocess.STDOUT)
        eventually("Pebble listens", lambda: "ACME directory available" in self.log)

    def stop(self) -> None:
        """Stop it."""
        if self._process:
            self._process.terminate()
            self._process.wait(10)
            self._process = None


@pytest.fixture(scope="module")
def pebble(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pebble]:
    """The ACME server, which listens."""
    server = Pebble(tmp_path_factory.mktemp("pebble"))
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def unbound(pebble: Pebble, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stack, str]]:
    """A stack whose config has no external account yet, and what its `up` says."""
    stack = Stack("accounts", tmp_path_factory.mktemp("stacks"))
    arguments = stack.get("certManager")["values"]["extraArgs"]
    blind = [each for each in arguments if "http01-solver-nameservers" not in each]
    bundle = stack.get("acme")["caBundle"] + pebble.ca_bundle
    stack.configure(
        acme={
            "issuerKind": "Issuer",
            "dnsZones": None,
            "servers": {"staging": pebble.url},
            "caBundle": bundle,
            "profile": "shortlived",
            "waitInsteadOfSelfCheck": WAIT,
        },
        # cert-manager itself cannot look the host up, as behind split DNS: its own check of the challenge never passes.
        certManager={"values": {"extraArgs": [*blind, "--acme-http01-solver-nameservers=127.0.0.1:1"]}},
        certificate={"secretName": CERTIFICATE},
        hosts=[{"host": "accounts.sandbox.test", "service": "shop", "namespace": "shop", "port": 80}],
    )
    try:
        with stack.changed(acme={"timeout": 5}):
            refused = stack.up(fails=True)
        yield stack, refused
    finally:
        bind(stack)
        stack.destroy()
        for name in (CERTIFICATE, ACCOUNT_KEY, "letsencrypt-prod-istio-account-key"):
            kubectl("delete", "secret", name, "-n", ISTIO, "--ignore-not-found")


def bind(stack: Stack) -> None:
    """Set the external account, as a user does."""
    stack.configure()
    account = f"{PREFIX}acme.externalAccount.staging"
    stack.run("config", "set", "--path", f"{account}.keyId", KEY_ID)
    stack.run("config", "set", "--secret", "--path", f"{account}.keySecret", MAC_KEY)


@pytest.fixture(scope="module")
def stack(unbound: tuple[Stack, str]) -> Stack:
    """The stack, up with the external account."""
    bind(unbound[0])
    unbound[0].up()
    return unbound[0]


def verify(stack: Stack) -> list[dict[str, Any]]:
    """The problems that `tlsctl verify` names."""
    argv = [sys.executable, "-m", "tlsctl", "verify", "--stack", stack.name, "--config-file", str(stack.file), "--json"]
    done = subprocess.run(argv, cwd=PROJECT, capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout, done.stderr
    problems: list[dict[str, Any]] = json.loads(done.stdout)["problems"]
    return problems


def issuing() -> bool:
    """Whether the certificate is being issued anew."""
    conditions = live("certificate", CERTIFICATE, ISTIO)["status"]["conditions"]
    return any(each["type"] == "Issuing" and each["status"] == "True" for each in conditions)


def issuance() -> tuple[int, list[Any]]:
    """How often the certificate has been issued, and what the challenges of the next time say."""
    revision = live("certificate", CERTIFICATE, ISTIO)["status"].get("revision", 0)
    return revision, [each.get("status") for each in items("challenges.acme.cert-manager.io", ISTIO)]


def test_a_ca_that_asks_for_an_external_account_says_so_at_the_issuer(unbound: tuple[Stack, str]) -> None:
    assert "(issuers-staging)" in unbound[1], "the step that failed is named"
    assert "externalAccountRequired" in unbound[1], "in the CA's words"


def test_the_account_is_bound_and_its_key_is_in_no_plain_text(stack: Stack) -> None:
    secret = live("secret", f"{ISSUER}-external-account", ISTIO)
    spec = live("issuer", ISSUER, ISTIO)["spec"]["acme"]["externalAccountBinding"]
    assert spec == {"keyID": KEY_ID, "keySecretRef": {"name": secret["metadata"]["name"], "key": "secret"}}
    state = stack.run("stack", "export", config=False)
    assert MAC_KEY not in state, "the state has it encrypted"
    assert base64.b64encode(MAC_KEY.encode()).decode() not in state, "as the API server writes it, too"
    assert MAC_KEY not in stack.preview(), "and a preview shows nothing of it"


def test_the_orders_have_the_profile_and_the_server_signs_by_it(stack: Stack) -> None:
    assert stack.outputs()["issuer"] == ISSUER, "it is up"
    orders = [
        each["spec"]
        for each in items("orders.acme.cert-manager.io", ISTIO)
        if each["spec"]["issuerRef"]["name"] == ISSUER
    ]
    assert {each["profile"] for each in orders} == {"shortlived"}, "every order asks for it"
    status = live("certificate", CERTIFICATE, ISTIO)["status"]
    begin, end = (datetime.datetime.fromisoformat(status[each]) for each in ("notBefore", "notAfter"))
    assert end - begin < datetime.timedelta(days=7), "160 hours, not the 90 days of classic"


def test_a_challenge_is_passed_on_without_cert_managers_own_check(stack: Stack) -> None:
    (solver,) = live("issuer", ISSUER, ISTIO)["spec"]["acme"]["solvers"]
    assert stack.outputs()["certificateNotAfter"], "though cert-manager cannot look the host up, it was issued"
    assert solver["waitInsteadOfSelfCheck"] == f"{WAIT}s", "the ACME server was asked after this long"


def test_an_account_that_the_ca_has_forgotten_is_found_and_registered_anew_by_the_fix(
    stack: Stack, pebble: Pebble
) -> None:
    before = live("issuer", ISSUER, ISTIO)["status"]["acme"]["uri"]
    issued, _ = issuance()
    pebble.start()
    renew(CERTIFICATE)

    def lost() -> dict[str, Any] | None:
        return next((each for each in verify(stack) if each["check"] == "issuer"), None)

    problem = eventually("verify names the account", lost)
    assert "has an account that" in problem["what"], "the issuer is Ready, and its account is not known"
    first, *rest = problem["fix"]
    assert first == f"kubectl --namespace {ISTIO} delete secret {ACCOUNT_KEY}", "cert-manager then registers anew"
    assert rest == [f"cmctl renew --namespace {ISTIO} {CERTIFICATE}"], "and what was refused is ordered again"

    kubectl(*shlex.split(first)[1:])
    eventually("there is another account", lambda: live("issuer", ISSUER, ISTIO)["status"]["acme"]["uri"] != before)
    # What ends an attempt ends the one that was asked for meanwhile.
    eventually("the attempt without an account has ended", lambda: not issuing())
    renew(CERTIFICATE)
    eventually("the certificate is issued with it", issuance, until=lambda seen: seen[0] > issued)
