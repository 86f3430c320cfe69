"""Mutual TLS: clients of the gateway with certificates, and the mesh behind it.

No Pod of the sandbox has a sidecar: what strict means to one is for Istio's own tests.
"""

import datetime
import json
import ssl
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from sandbox.acme import STAGING
from sandbox.testing import client, eventually, get, kubectl, live, renew
from sandbox.testing.cluster import secrets_removed
from sandbox.testing.engine import TIMEOUT
from tests.sandbox.stack import PROJECT, Stack

pytestmark = pytest.mark.sandbox

ISTIO = "istio-system"
HOST, SECRET, AUTHORITY, THERE = "mutual.sandbox.test", "mutual-certs", "mutual-certs-cacert", "mutual-clients"


class ClientAuthority:
    """A CA that signs clients."""

    def __init__(self, name: str) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.certificate = self._sign(self._name, self._key, authority=True)

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    def issue(self, file: Path) -> Path:
        """Write a client's certificate and key."""
        key = ec.generate_private_key(ec.SECP256R1())
        made = self._sign(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "client")]), key, authority=False)
        plain = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        file.write_bytes(made.public_bytes(serialization.Encoding.PEM) + key.private_bytes(*plain))
        return file

    def _sign(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, *, authority: bool) -> x509.Certificate:
        now = datetime.datetime.now(datetime.UTC)
        return (
            x509.CertificateBuilder().subject_name(subject).issuer_name(self._name).public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(minutes=5)).not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
            .sign(self._key, hashes.SHA256())
        )  # fmt: skip


@dataclass(frozen=True)
class Deployed:
    """A stack that asks for client certificates, and two clients."""

    stack: Stack
    known: Path
    """Of the CA in the config."""
    stranger: Path
    """Of another one."""


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    folder = tmp_path_factory.mktemp("stacks")
    ours, others = ClientAuthority("clients"), ClientAuthority("others")
    known, stranger = ours.issue(folder / "known.pem"), others.issue(folder / "stranger.pem")
    with secrets_removed(SECRET, THERE), Stack("mutual", folder) as stack:
        stack.configure(
            hosts=[{"host": HOST, "service": "shop", "namespace": "shop", "port": 80}],
            certificate={"secretName": SECRET},
            mtls="strict",
            tls={"clientCa": ours.pem},
        )
        stack.up()
        eventually("a client with a certificate is served", partial(client.served, HOST, trusting(known)))
        # A Secret that is there, with the entry of Istio's own documentation.
        data = {"metadata": {"name": THERE, "namespace": ISTIO}, "stringData": {"cacert": ours.pem}}
        kubectl("apply", manifest={"apiVersion": "v1", "kind": "Secret", **data})
        yield Deployed(stack, known, stranger)


def trusting(certificate: Path | None = None) -> ssl.SSLContext:
    """A client that trusts staging's root, with a certificate of its own or without."""
    trust = client.trusting(STAGING)
    if certificate:
        trust.load_cert_chain(certificate)
    return trust


def refused(certificate: Path | None = None) -> str:
    """Why the gateway refuses a client, in TLS 1.2, which says so in the handshake: 1.3 may close before it is read."""
    trust = trusting(certificate)
    with pytest.raises(OSError):  # noqa: PT011 (of TLS or of the connection, as it comes)
        client.https(HOST, trust)
    trust.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(ssl.SSLError) as refusal:
        client.https(HOST, trust)
    return str(refusal.value.reason)


def test_a_client_is_served_by_its_certificate_alone(deployed: Deployed) -> None:
    forged = client.Request(headers={"x-forwarded-client-cert": 'Subject="CN=somebody"'})
    seen = client.https(HOST, trusting(deployed.known), forged).json()
    assert seen["app"] == "shop", "of the CA in the config"
    assert 'Subject="CN=client"' in seen["x-forwarded-client-cert"], "the application learns who it is"
    assert "somebody" not in seen["x-forwarded-client-cert"], "from the gateway alone"
    assert "HANDSHAKE_FAILURE" in refused(), "without one"
    assert "UNKNOWN_CA" in refused(deployed.stranger), "of another CA"
    assert client.plain(HOST).status == 301, "port 80 asks nobody, and so the ACME server gets through"


def test_a_renewal_leaves_the_ca_as_it_is(deployed: Deployed) -> None:
    before = live("secret", AUTHORITY, ISTIO)["metadata"]["resourceVersion"]
    old = client.https(HOST, trusting(deployed.known)).serial
    renew(SECRET)
    eventually(
        "another certificate is served",
        lambda: client.served(HOST, trusting(deployed.known)),
        until=lambda answer: answer.serial != old,
    )
    assert live("secret", AUTHORITY, ISTIO)["metadata"]["resourceVersion"] == before, (
        "cert-manager writes its own alone"
    )
    assert "HANDSHAKE_FAILURE" in refused(), "who has none is refused as before"


def verify(deployed: Deployed, *options: str) -> dict[str, Any]:
    """What `tlsctl verify` says to machines."""
    of = ["--stack", deployed.stack.name, "--config-file", str(deployed.stack.file)]
    argv = [sys.executable, "-m", "tlsctl", "verify", "--json", "--ca", "/run/sandbox/acme/staging-root.pem", *of]
    done = subprocess.run([*argv, *options], cwd=PROJECT, capture_output=True, text=True, timeout=TIMEOUT, check=False)
    assert done.stdout, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def states(report: dict[str, Any]) -> dict[str, str]:
    return {each["check"]: each["state"] for each in report["checks"]}


def test_verify_says_what_it_cannot_see_without_a_client_certificate(deployed: Deployed) -> None:
    without = verify(deployed)
    assert without["problems"] == [], "the refusal is what the config asks for"
    assert (states(without)["route"], states(without)["mtls"]) == ("skipped", "ok")
    route = next(each["detail"] for each in without["checks"] if each["check"] == "route")
    assert "--client-cert FILE" in route, "it says what would show the rest"

    having = verify(deployed, "--client-cert", str(deployed.known))
    assert (states(having)["route"], having["problems"]) == ("ok", []), "the application is seen"


def test_strict_is_taken_by_istio_and_an_application_without_a_sidecar_is_served(deployed: Deployed) -> None:
    spec = live("peerauthentication", "default", "shop")["spec"]
    assert spec == {"mtls": {"mode": "STRICT"}}, "for the whole namespace"
    assert get("peerauthentication", "default", ISTIO) is None, "nothing where the ACME solver runs"
    # The sidecar is what refuses, and the gateway sends plain text to whoever has none.
    assert client.https(HOST, trusting(deployed.known)).status == 200


def test_what_is_changed_keeps_serving_and_a_secret_that_is_there_is_taken(deployed: Deployed) -> None:
    with client.traffic(HOST, trusting(deployed.known)) as seen:
        with deployed.stack.changed(mtls="permissive", tls={"clientCa": THERE}):
            deployed.stack.up()
            eventually(
                "Istio has permissive",
                lambda: live("peerauthentication", "default", "shop")["spec"]["mtls"]["mode"],
                until=lambda mode: mode == "PERMISSIVE",
            )
            assert get("secret", AUTHORITY, ISTIO) is None, "the Secret of the program went"
            deployed.stack.preview("--refresh", "--expect-no-changes")
        assert "UNKNOWN_CA" in refused(deployed.stranger), "the CA is the same"
    assert seen.failures == [], f"no request failed, of {seen.answered}"


def test_a_namespace_that_has_a_peer_authentication_is_refused(deployed: Deployed) -> None:
    with deployed.stack.changed(mtls="off"):
        deployed.stack.up()
    assert get("peerauthentication", "default", "shop") is None, "off takes it back"
    another = {"metadata": {"name": "default", "namespace": "shop"}, "spec": {"mtls": {"mode": "PERMISSIVE"}}}
    kubectl("create", manifest={"apiVersion": "security.istio.io/v1", "kind": "PeerAuthentication", **another})
    try:
        assert "already exists" in deployed.stack.up(fails=True), "Istio reads one of a namespace"
        assert live("peerauthentication", "default", "shop")["spec"]["mtls"]["mode"] == "PERMISSIVE", "it is left alone"
    finally:
        kubectl("delete", "peerauthentication", "default", "--namespace", "shop")
