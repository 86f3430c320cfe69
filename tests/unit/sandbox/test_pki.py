"""The cluster's certificates, verified by an independent verifier."""

import datetime
import ipaddress
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.x509 import verification
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from sandbox.pki import Authority

SANS = ["kubernetes.default.svc", "localhost", "10.96.0.1"]


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    authority = Authority.create(tmp_path / "pki")
    authority.issue("server", "kube-apiserver", sans=SANS)
    return authority


def issued(authority: Authority, file: str = "server") -> x509.Certificate:
    return x509.load_pem_x509_certificate((authority.folder / f"{file}.crt").read_bytes())


def trusting(authority: Authority) -> verification.PolicyBuilder:
    return verification.PolicyBuilder().store(verification.Store([authority.certificate]))


@pytest.mark.parametrize("san", SANS)
def test_a_server_verifies_under_all_its_names(authority: Authority, san: str) -> None:
    is_address = san[0].isdigit()
    subject = x509.IPAddress(ipaddress.ip_address(san)) if is_address else x509.DNSName(san)
    chain = trusting(authority).build_server_verifier(subject).verify(issued(authority), [])
    assert chain == [issued(authority), authority.certificate], "the chain ends at the authority"


def test_a_server_does_not_verify_under_another_name_or_by_another_authority(
    authority: Authority, tmp_path: Path
) -> None:
    other = Authority.create(tmp_path / "other")
    assert other.certificate.subject == authority.certificate.subject, "all sandboxes' authorities have one name"
    for ca, name in ((authority, "kube-apiserver"), (other, "localhost")):
        with pytest.raises(verification.VerificationError):
            trusting(ca).build_server_verifier(x509.DNSName(name)).verify(issued(authority), [])


def test_a_client_verifies_and_has_its_user_and_group(authority: Authority) -> None:
    authority.issue("admin", "sandbox-admin", group="system:masters", sans=["admin"])
    certificate = issued(authority, "admin")
    trusting(authority).build_client_verifier().verify(certificate, [])
    subject = {attribute.oid: attribute.value for attribute in certificate.subject}
    assert subject == {NameOID.COMMON_NAME: "sandbox-admin", NameOID.ORGANIZATION_NAME: "system:masters"}
    usages = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert set(usages) == {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH}, "both ends of mTLS"


def test_only_the_authority_may_issue_and_no_extension_is_empty(authority: Authority) -> None:
    authority.issue("proxy", "system:kube-proxy")
    assert authority.certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    for absent in (x509.BasicConstraints, x509.SubjectAlternativeName):
        with pytest.raises(x509.ExtensionNotFound):
            issued(authority, "proxy").extensions.get_extension_for_class(absent)


def test_every_certificate_has_a_serial_number_and_a_month_from_before_now(authority: Authority) -> None:
    authority.issue("other", "kube-apiserver")
    certificates = [authority.certificate, issued(authority), issued(authority, "other")]
    assert len({certificate.serial_number for certificate in certificates}) == 3, "clients refuse a repeated one"
    now = datetime.datetime.now(datetime.UTC)
    for certificate in certificates:
        assert certificate.not_valid_before_utc < now - datetime.timedelta(minutes=4), "for clocks that are slow"
        lifetime = certificate.not_valid_after_utc - now
        assert datetime.timedelta(days=29) < lifetime <= datetime.timedelta(days=30), "longer than any sandbox"


def test_a_key_belongs_to_its_certificate_and_only_its_user_reads_it(authority: Authority) -> None:
    file = authority.folder / "server.key"
    key = serialization.load_pem_private_key(file.read_bytes(), password=None)
    assert key.public_key() == issued(authority).public_key(), "they are a pair"
    assert file.stat().st_mode & 0o077 == 0, "nobody else reads it"


def test_a_loaded_authority_signs_like_a_created_one(authority: Authority, tmp_path: Path) -> None:
    folder = tmp_path / "acme"
    folder.mkdir()
    loaded = Authority.load(authority.folder / "ca.crt", authority.folder / "ca.key", folder)
    loaded.issue("server", "pebble", sans=["localhost"])
    trusting(authority).build_server_verifier(x509.DNSName("localhost")).verify(issued(loaded), [])
    assert (folder / "ca.crt").read_bytes() == (authority.folder / "ca.crt").read_bytes(), "beside what it signs"

    file = tmp_path / "ed25519.key"
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    file.write_bytes(ed25519.Ed25519PrivateKey.generate().private_bytes(encoding, form, serialization.NoEncryption()))
    with pytest.raises(TypeError, match=r"ed25519\.key holds neither an EC nor an RSA key"):
        Authority.load(authority.folder / "ca.crt", file, tmp_path)
