"""A client that orders certificates quickly, and a Pebble of its own that takes every challenge for answered."""

import json
import ssl
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any

from acme import crypto_util, messages
from acme.client import ClientNetwork, ClientV2
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from josepy.json_util import field
from josepy.jwa import ES256
from josepy.jwk import JWKEC

from sandbox import paths
from sandbox.acme import Directory
from sandbox.pki import Authority
from sandbox.process import Part
from sandbox.testing import client
from sandbox.testing.acme_proxy import PEBBLE
from sandbox.testing.wait import eventually

TRUSTING = Directory("rollout", "127.0.0.1")
_ENVIRONMENT = {
    "PEBBLE_VA_ALWAYS_VALID": "1",
    "PEBBLE_VA_NOSLEEP": "1",
    "PEBBLE_WFE_NONCEREJECT": "0",
    "PEBBLE_AUTHZREUSE": "0",
}


class NewOrder(messages.NewOrder):
    """With what ARI adds to it (RFC 9773, section 5), which the library does not know."""

    replaces: str = field("replaces", omitempty=True)


@contextmanager
def pebble(folder: Path) -> Iterator[str]:
    """Run a Pebble that takes every challenge for answered; yields the PEM of what its listener chains to.

    Raises:
        SandboxError: it did not become ready; carries the tail of its log.
    """
    authority = Authority.create(folder, "rollout-ca")
    authority.issue("pebble", TRUSTING.address, sans=[TRUSTING.address])
    config = TRUSTING.config()
    config["pebble"] |= {"certificate": f"{folder}/pebble.crt", "privateKey": f"{folder}/pebble.key"}
    file = folder / "pebble.json"
    file.write_text(json.dumps(config))
    pem = (folder / "ca.crt").read_text()
    part = Part("pebble", [str(paths.BIN / "pebble"), "-config", str(file)], lambda: _serves(pem), _ENVIRONMENT)
    part.start(folder)
    try:
        part.wait_ready()
        yield pem
    finally:
        part.stop()


class Account:
    """An ACME account that orders."""

    def __init__(self, url: str, ca: Path) -> None:
        """Register.

        Args:
            url: of the directory.
            ca: what its listener chains to.

        Raises:
            acme.messages.Error: the ACME server refused.
        """
        key = JWKEC(key=ec.generate_private_key(ec.SECP256R1()))
        # The session takes a bundle's path where the library speaks of a bool.
        self._network = ClientNetwork(key, alg=ES256, verify_ssl=str(ca), timeout=30)  # type: ignore[arg-type]
        directory = ClientV2.get_directory(url, self._network)
        self._client = ClientV2(directory, self._network)
        self._directory = directory
        self._client.new_account(messages.NewRegistration.from_data(terms_of_service_agreed=True))

    def close(self) -> None:
        """End its connections."""
        self._network.session.close()

    def order(self, names: Iterable[str], replaces: str | None = None) -> x509.Certificate:
        """Return the certificate for these names.

        Args:
            names: of the certificate.
            replaces: the ARI identifier of the certificate that this one renews.

        Raises:
            acme.messages.Error: the ACME server refused; carries its problem document.
        """
        identifiers = [messages.Identifier(typ=messages.IDENTIFIER_FQDN, value=each) for each in names]
        more = {"replaces": replaces} if replaces else {}
        made = self._post(self._directory["newOrder"], NewOrder(identifiers=identifiers, profile="classic", **more))
        order, location = messages.Order.from_json(made.json()), made.headers["Location"]
        for url in order.authorizations:
            self._answer(url)
        self._await(location, "pending")
        key = ec.generate_private_key(ec.SECP256R1()).private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        csr = x509.load_pem_x509_csr(crypto_util.make_csr(key, list(names)))
        self._post(order.finalize, messages.CertificateRequest(csr=csr))
        done = self._await(location, "ready", "processing")
        return x509.load_pem_x509_certificates(self._post(done["certificate"], None).content)[0]

    def _answer(self, url: str) -> None:
        body = messages.Authorization.from_json(self._read(url))
        # One of an order before may be valid: Pebble takes one of a hundred again, whatever it is asked to.
        if body.status == messages.STATUS_PENDING:
            challenge = next(each for each in body.challenges if each.chall.typ == "http-01")
            self._client.answer_challenge(challenge, challenge.chall.response(self._network.key))

    def _await(self, location: str, *before: str) -> Any:
        """Return an order that is past these states."""
        order = eventually(
            f"the order {location} is no longer {' or '.join(before)}",
            lambda: self._read(location),
            until=lambda seen: seen["status"] not in before,
        )
        if order["status"] == "invalid":
            challenges = [each for url in order["authorizations"] for each in self._read(url)["challenges"]]
            raise messages.Error.from_json(next(each["error"] for each in challenges if "error" in each))
        return order

    def _read(self, url: str) -> Any:
        return self._post(url, None).json()

    def _post(self, url: str, asked: Any) -> Any:
        return self._network.post(url, asked, new_nonce_url=self._directory["newNonce"])


def _serves(pem: str) -> bool:
    request = client.Request("/dir", headers={"User-Agent": "test"})
    try:
        answer = client.https(TRUSTING.address, ssl.create_default_context(cadata=pem), request, port=PEBBLE)
    except OSError:
        return False
    return answer.status == HTTPStatus.OK
