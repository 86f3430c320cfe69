"""The cluster's certificates: what clients of today do not complain of. The parts themselves verify the chains."""

import datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from sandbox.pki import Authority


def test_certificates_have_serial_numbers_and_a_month_of_their_own_and_their_keys_are_private(tmp_path: Path) -> None:
    authority = Authority.create(tmp_path)
    for name in ("server", "other"):
        authority.issue(name, "kube-apiserver", sans=["localhost"])
    certificates = [x509.load_pem_x509_certificate(file.read_bytes()) for file in tmp_path.glob("*.crt")]
    assert len({certificate.serial_number for certificate in certificates}) == 3, "clients refuse a repeated one"
    now = datetime.datetime.now(datetime.UTC)
    for certificate in certificates:
        assert certificate.not_valid_before_utc < now - datetime.timedelta(minutes=4), "for clocks that are slow"
        lifetime = certificate.not_valid_after_utc - now
        assert datetime.timedelta(days=29) < lifetime <= datetime.timedelta(days=30), "longer than any sandbox"
    assert {file.stat().st_mode & 0o077 for file in tmp_path.glob("*.key")} == {0}, "only its user reads a key"


def test_an_authority_with_another_kind_of_key_is_refused(tmp_path: Path) -> None:
    Authority.create(tmp_path)
    file = tmp_path / "ed25519.key"
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    file.write_bytes(ed25519.Ed25519PrivateKey.generate().private_bytes(encoding, form, serialization.NoEncryption()))
    with pytest.raises(TypeError, match=r"ed25519\.key holds neither an EC nor an RSA key"):
        Authority.load(tmp_path / "ca.crt", file, tmp_path)
