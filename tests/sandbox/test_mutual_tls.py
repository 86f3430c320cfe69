"""Mutual TLS: clients of the gateway with certificates, and the mesh behind it.

No Pod of the sandbox has a sidecar: what strict means to one is for Istio's own tests.
"""

import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from sandbox.acme import STAGING
from sandbox.pki import Authority
from sandbox.testing import ISTIO, applied, client, eventually, get, live, renew, resource
from tests.sandbox.conftest import only_istio
from tests.sandbox.stack import SHOP, Stack, certificate_of

pytestmark = pytest.mark.sandbox

HOST, SECRET, AUTHORITY, EXISTING = "mutual.sandbox.test", "mutual-certs", "mutual-certs-cacert", "mutual-clients"


@dataclass(frozen=True)
class Deployed:
    """A stack that asks for client certificates, and two clients."""

    stack: Stack
    known: Path
    """The file of a client with a certificate of the CA in the config."""
    stranger: Path
    """The file of a client with a certificate of another CA."""


def client_certificate(authority: Authority) -> Path:
    """Return a file with the certificate and the key of a client."""
    authority.issue("client", "client")
    file = authority.folder / "client.pem"
    file.write_text("".join((authority.folder / f"client.{part}").read_text() for part in ("crt", "key")))
    return file


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    folder = tmp_path_factory.mktemp("stacks")
    ours, others = (Authority.create(folder / name, name) for name in ("clients", "others"))
    pem = (ours.folder / "ca.crt").read_text()
    # A Secret that exists already, with the key of Istio's own documentation.
    with (
        applied(resource("v1", "Secret", EXISTING, ISTIO, stringData={"cacert": pem})),
        Stack("mutual", folder) as stack,
    ):
        stack.configure(
            hosts=[SHOP | {"host": HOST}], certificate={"secretName": SECRET}, mtls="strict", tls={"clientCa": pem}
        )
        yield Deployed(stack, client_certificate(ours), client_certificate(others))


@pytest.fixture(scope="module")
def shared(made: Deployed, api: str) -> Deployed:
    made.stack.write_in(api)
    return made


@pytest.fixture
def deployed(shared: Deployed) -> Deployed:
    """The stack, up and served."""
    shared.stack.stand()
    eventually("a client with a certificate is served", partial(client.served, HOST, trusting(shared.known)))
    return shared


def trusting(certificate: Path | None = None) -> ssl.SSLContext:
    """Return the TLS context of a client that trusts staging's root, with a certificate of its own or without."""
    trust = client.trusting(STAGING)
    if certificate:
        trust.load_cert_chain(certificate)
    return trust


def refused(certificate: Path | None = None) -> str:
    """Return why the gateway refuses a client, by TLS 1.2: 1.3 may close the connection before the alert is read."""
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
    assert seen["app"] == "shop", "a client of the CA in the config is served"
    assert 'Subject="CN=client"' in seen["x-forwarded-client-cert"], "the application learns its subject"
    assert "somebody" not in seen["x-forwarded-client-cert"], "from the gateway alone"
    assert "HANDSHAKE_FAILURE" in refused(), "without one"
    assert "UNKNOWN_CA" in refused(deployed.stranger), "of another CA"
    assert client.plain(HOST).status == 301, "port 80 asks for none, so the ACME server gets through"


def test_a_renewal_leaves_the_ca_as_it_is(deployed: Deployed) -> None:
    before = live("secret", AUTHORITY, ISTIO)["metadata"]["resourceVersion"]
    old = client.https(HOST, trusting(deployed.known)).serial
    renew(certificate_of(HOST))
    client.another(HOST, trusting(deployed.known), old)
    assert live("secret", AUTHORITY, ISTIO)["metadata"]["resourceVersion"] == before, (
        "cert-manager writes its own alone"
    )
    assert "HANDSHAKE_FAILURE" in refused(), "a client without one is still refused"


def test_verify_says_what_it_cannot_see_without_a_client_certificate(deployed: Deployed) -> None:
    without = deployed.stack.verify()
    assert without.problems == [], "the refusal is what the config asks for"
    assert (without.states("route"), without.states("mtls")) == ({HOST: "skipped"}, {"ingress": "ok"})
    assert "--client-cert FILE" in without.of("route")[0]["detail"], "it says what would show the rest"

    having = deployed.stack.verify("--client-cert", str(deployed.known))
    assert (having.states("route"), having.problems) == ({HOST: "ok"}, []), "the application is seen"


def test_a_change_keeps_serving_and_an_existing_secret_is_used(deployed: Deployed) -> None:
    with client.traffic(HOST, trusting(deployed.known)) as seen:
        with deployed.stack.changed(mtls="permissive", tls={"clientCa": EXISTING}):
            deployed.stack.up()
            eventually(
                "Istio has permissive",
                lambda: live("peerauthentication", "default", "shop")["spec"]["mtls"]["mode"],
                until=lambda mode: mode == "PERMISSIVE",
            )
            assert get("secret", AUTHORITY, ISTIO) is None, "the Secret of the program went"
            deployed.stack.assert_at_rest()
        assert "UNKNOWN_CA" in refused(deployed.stranger), "the CA is the same"
    assert seen.failures == [], f"no request failed, of {seen.answered}"


@only_istio
def test_a_namespace_that_has_a_peer_authentication_is_refused(deployed: Deployed) -> None:
    with deployed.stack.changed(mtls="off"):
        deployed.stack.up()
    assert get("peerauthentication", "default", "shop") is None, "off removes it"
    spec = {"mtls": {"mode": "PERMISSIVE"}}
    with applied(resource("security.istio.io/v1", "PeerAuthentication", "default", "shop", spec=spec)):
        assert "already exists" in deployed.stack.up(fails=True), "Istio reads one of a namespace"
        assert live("peerauthentication", "default", "shop")["spec"] == spec, "it is left alone"
