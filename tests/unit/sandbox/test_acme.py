"""The configuration of the two ACME servers."""

import json
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from sandbox import acme
from sandbox.pki import Authority

DAY = 24 * 60 * 60


def test_profiles_are_those_of_lets_encrypt() -> None:
    seconds = {name: profile["validityPeriod"] for name, profile in acme.PROFILES.items()}
    expected = {"classic": 90 * DAY, "tlsserver": 45 * DAY, "shortlived": 160 * 60 * 60}
    assert seconds == expected, "see https://letsencrypt.org/docs/profiles/"
    promoting = [name for name, profile in acme.PROFILES.items() if profile.get("promoteCommonName")]
    assert promoting == ["classic"], "no other profile's certificates have a common name"


def test_both_listeners_have_certificates_of_the_public_test_ca_and_share_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certs = tmp_path / "pebble" / "test" / "certs"
    ca = Authority.create(certs, "minica root ca")
    (certs / "pebble.minica.pem").write_bytes(ca.certificate.public_bytes(serialization.Encoding.PEM))
    (certs / "ca.key").rename(certs / "pebble.minica.key.pem")
    monkeypatch.setattr(acme, "_FOLDER", tmp_path / "acme")

    acme.prepare(tmp_path / "pebble")

    configs = [json.loads(directory.config_file.read_text())["pebble"] for directory in acme.DIRECTORIES]
    for directory, config in zip(acme.DIRECTORIES, configs, strict=True):
        assert (config["httpPort"], config["tlsPort"]) == (80, 443), "otherwise validation misses the gateway"
        listener = x509.load_pem_x509_certificate(Path(config["certificate"]).read_bytes())
        listener.verify_directly_issued_by(ca.certificate)
        names = listener.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert directory.host in names.get_values_for_type(x509.DNSName), "clients use this name"
    for key in ("listenAddress", "managementListenAddress", "certificate", "privateKey"):
        assert configs[0][key] != configs[1][key], f"{key} is the same for staging and production"


def test_servers_are_strict_and_use_the_sandboxs_dns() -> None:
    for part in acme.parts():
        assert "-strict" in part.argv, f"{part.name} would accept what the real servers refuse"
        assert part.argv[-2:] == ["-dnsserver", "10.244.0.1:53"], f"{part.name} would not see the stack's records"
        assert part.environment["PEBBLE_WFE_NONCEREJECT"] != "0", "clients have to retry rejected nonces"
