"""What a gateway offers: which hosts are scanned together, and how an offer is judged."""

import pytest

from components.specs import tls
from tests.unit.tlsctl.verify.support import SHOP, deployed
from tlsctl.verify.istio import tls_settings
from tlsctl.verify.offers import by_server, intermediate, judge
from tlsctl.verify.served import TlsServer

API, DOCS = "api.acme.dev", "docs.acme.dev"
GOOD = "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"
OLD = "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA"
SAME, OTHER = (tls_settings({"tls": {"minProtocolVersion": version}}) for version in ("TLSV1_2", "TLSV1_0"))


def test_hosts_with_one_certificate_are_on_one_server() -> None:
    assert by_server({SHOP: "one", API: "one", DOCS: "two"}, {}) == [[SHOP, API], [DOCS]]


@pytest.mark.parametrize(
    ("server", "groups"),
    [
        pytest.param(TlsServer(SAME, "two"), [[SHOP, API]], id="the same settings"),
        pytest.param(TlsServer(OTHER, "two"), [[SHOP], [API]], id="an edited server"),
        pytest.param(TlsServer(SAME, "three"), [[SHOP], [API]], id="another server answers for it"),
        pytest.param(TlsServer(SAME, None), [[SHOP], [API]], id="its Secret cannot be read"),
    ],
)
def test_servers_with_the_same_settings_are_one_if_they_answer_themselves(
    server: TlsServer, groups: list[list[str]]
) -> None:
    assert by_server({SHOP: "one", API: "two"}, {SHOP: TlsServer(SAME, "one"), API: server}) == groups


def test_a_secret_is_no_setting() -> None:
    one, two = ({"tls": {"mode": "SIMPLE", "credentialName": name}} for name in ("one", "two"))
    assert tls_settings(one) == tls_settings(two)


@pytest.mark.parametrize(
    ("minimum", "offer", "failed"),
    [
        pytest.param("1.2", {"TLSv1.2": {GOOD}, "TLSv1.3": {"TLS_AES_128_GCM_SHA256"}}, [], id="the profile"),
        pytest.param("1.2", {"TLSv1.1": {OLD}, "TLSv1.2": {GOOD}}, ["protocols", "ciphers"], id="an old version"),
        pytest.param("1.2", {"TLSv1.2": {GOOD, OLD}}, ["ciphers"], id="an old suite"),
        pytest.param("1.3", {"TLSv1.2": {GOOD}, "TLSv1.3": set()}, ["protocols"], id="below the stack's own minimum"),
        pytest.param("1.2", {}, ["protocols", "ciphers"], id="nothing was taken"),
    ],
)
def test_the_offer_is_judged_by_the_profile_and_the_config(
    minimum: str, offer: dict[str, set[str]], failed: list[str]
) -> None:
    results = judge(deployed(tls={"minVersion": minimum}), SHOP, offer, intermediate())
    assert [result.check for result in results if result.state == "failed"] == failed


def test_what_the_program_configures_is_what_verify_asks_for() -> None:
    assert set(tls.CIPHER_SUITES) <= intermediate().ciphers.openssl, "every suite is of the profile"
    assert {f"TLSv{version}" for version in tls.VERSIONS} == intermediate().tls_versions
    assert tls.KEY_SIZES["RSA"][0] == intermediate().rsa_key_size
    assert {f"secp{size}r1" for size in tls.KEY_SIZES["ECDSA"]} == intermediate().certificate_curves
