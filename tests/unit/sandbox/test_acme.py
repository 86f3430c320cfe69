"""What the two ACME servers are told."""

import json
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from sandbox import acme
from sandbox.pki import Authority

DAY = 24 * 60 * 60


@pytest.fixture
def module(tmp_path: Path) -> Path:
    """Pebble's source, as far as it is read: the test CA."""
    certs = tmp_path / "pebble" / "test" / "certs"
    ca = Authority.create(certs, "minica root ca")
    (certs / "pebble.minica.pem").write_bytes(ca.certificate.public_bytes(serialization.Encoding.PEM))
    (certs / "ca.key").rename(certs / "pebble.minica.key.pem")
    return tmp_path / "pebble"


def test_both_directories_validate_on_the_ports_that_the_world_uses() -> None:
    for directory in acme.DIRECTORIES:
        settings = directory.config()["pebble"]
        assert (settings["httpPort"], settings["tlsPort"]) == (80, 443), f"{directory.name} would miss the gateway"


def test_the_directories_share_no_listener_and_no_file() -> None:
    staging, prod = (directory.config()["pebble"] for directory in acme.DIRECTORIES)
    for key in ("listenAddress", "managementListenAddress", "certificate", "privateKey"):
        assert staging[key] != prod[key], f"{key} is the same for staging and production"


def test_profiles_have_the_lifetimes_of_lets_encrypt() -> None:
    seconds = {name: profile["validityPeriod"] for name, profile in acme.PROFILES.items()}
    expected = {"classic": 90 * DAY, "tlsserver": 45 * DAY, "shortlived": 160 * 60 * 60}
    assert seconds == expected, "see https://letsencrypt.org/docs/profiles/"


def test_only_the_classic_profile_has_a_common_name() -> None:
    promoting = [name for name, profile in acme.PROFILES.items() if profile.get("promoteCommonName")]
    assert promoting == ["classic"], "Let's Encrypt puts a common name into no other profile's certificates"


def test_listeners_are_trusted_through_the_public_test_ca(
    module: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(acme, "_FOLDER", tmp_path / "acme")
    acme.prepare(module)
    ca = x509.load_pem_x509_certificate((module / "test/certs/pebble.minica.pem").read_bytes())
    for directory in acme.DIRECTORIES:
        settings = json.loads(directory.config_file.read_text())["pebble"]
        listener = x509.load_pem_x509_certificate(Path(settings["certificate"]).read_bytes())
        listener.verify_directly_issued_by(ca)
        names = listener.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert directory.host in names.get_values_for_type(x509.DNSName), "clients know the server by this name"


def test_servers_are_strict_and_ask_the_sandboxs_dns() -> None:
    for part in acme.parts():
        assert "-strict" in part.argv, f"{part.name} would accept what the real servers refuse"
        assert part.argv[-2:] == ["-dnsserver", "10.244.0.1:53"], f"{part.name} would not see the stack's records"
        assert part.environment["PEBBLE_WFE_NONCEREJECT"] != "0", "clients have to cope with rejected nonces"
