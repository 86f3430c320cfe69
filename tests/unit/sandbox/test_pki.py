"""The cluster's certificates, judged by a verifier that is not ours."""

import datetime
import ipaddress
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509 import verification
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from sandbox.pki import Authority

SANS = ["kubernetes.default.svc", "localhost", "10.96.0.1"]


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority.create(tmp_path / "pki")


def issued(authority: Authority, file: str = "server") -> x509.Certificate:
    return x509.load_pem_x509_certificate((authority.folder / f"{file}.crt").read_bytes())


def trusting(authority: Authority) -> verification.PolicyBuilder:
    return verification.PolicyBuilder().store(verification.Store([authority.certificate]))


@pytest.mark.parametrize("san", SANS)
def test_a_server_is_verified_against_its_authority_under_each_of_its_names(authority: Authority, san: str) -> None:
    authority.issue("server", "kube-apiserver", sans=SANS)
    try:
        subject: x509.IPAddress | x509.DNSName = x509.IPAddress(ipaddress.ip_address(san))
    except ValueError:
        subject = x509.DNSName(san)
    chain = trusting(authority).build_server_verifier(subject).verify(issued(authority), [])
    assert chain == [issued(authority), authority.certificate], "the chain ends at the authority"


def test_a_server_is_not_verified_under_another_name(authority: Authority) -> None:
    authority.issue("server", "kube-apiserver", sans=SANS)
    verifier = trusting(authority).build_server_verifier(x509.DNSName("kube-apiserver"))
    with pytest.raises(verification.VerificationError):
        verifier.verify(issued(authority), [])


def test_another_authority_of_the_same_name_verifies_nothing(authority: Authority, tmp_path: Path) -> None:
    authority.issue("server", "kube-apiserver", sans=SANS)
    other = Authority.create(tmp_path / "other")
    assert other.certificate.subject == authority.certificate.subject, "each sandbox's authority has the same name"
    with pytest.raises(verification.VerificationError):
        trusting(other).build_server_verifier(x509.DNSName("localhost")).verify(issued(authority), [])


def test_a_client_is_verified_and_carries_its_user_and_group(authority: Authority) -> None:
    authority.issue("admin", "sandbox-admin", group="system:masters", sans=["admin"])
    certificate = issued(authority, "admin")
    trusting(authority).build_client_verifier().verify(certificate, [])
    subject = {attribute.oid: attribute.value for attribute in certificate.subject}
    assert subject == {NameOID.COMMON_NAME: "sandbox-admin", NameOID.ORGANIZATION_NAME: "system:masters"}, (
        "Kubernetes reads the user and the group from them"
    )
    usages = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert set(usages) == {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH}, "both ends of mTLS"


def test_a_client_without_names_has_no_empty_extension_for_them(authority: Authority) -> None:
    authority.issue("proxy", "system:kube-proxy")
    with pytest.raises(x509.ExtensionNotFound):
        issued(authority, "proxy").extensions.get_extension_for_class(x509.SubjectAlternativeName)


def test_what_is_issued_cannot_issue(authority: Authority) -> None:
    authority.issue("server", "kube-apiserver", sans=SANS)
    assert authority.certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca, "the CA may"
    with pytest.raises(x509.ExtensionNotFound):
        issued(authority).extensions.get_extension_for_class(x509.BasicConstraints)


def test_no_two_certificates_share_a_serial_number(authority: Authority) -> None:
    serials = {authority.certificate.serial_number}
    for _ in range(5):
        authority.issue("server", "kube-apiserver", sans=SANS)
        serials.add(issued(authority).serial_number)
    assert len(serials) == 6, "clients refuse a second certificate of the same issuer and serial"
    assert all(0 < serial < 2**159 for serial in serials), "RFC 5280 has them positive and of 20 octets at most"


def test_a_certificate_is_valid_from_before_now_for_a_month(authority: Authority) -> None:
    authority.issue("server", "kube-apiserver", sans=SANS)
    now = datetime.datetime.now(datetime.UTC)
    for certificate in (authority.certificate, issued(authority)):
        assert certificate.not_valid_before_utc < now - datetime.timedelta(minutes=4), "a clock that is late is no harm"
        lifetime = certificate.not_valid_after_utc - now
        assert datetime.timedelta(days=29) < lifetime <= datetime.timedelta(days=30), "longer than any sandbox"


def test_a_key_belongs_to_its_certificate_and_to_its_user_alone(authority: Authority) -> None:
    authority.issue("server", "kube-apiserver", sans=SANS)
    file = authority.folder / "server.key"
    key = serialization.load_pem_private_key(file.read_bytes(), password=None)
    assert key.public_key() == issued(authority).public_key(), "they are a pair"
    assert file.stat().st_mode & 0o077 == 0, "nobody else reads it"


def test_an_authority_that_is_loaded_signs_like_the_one_that_was_made(authority: Authority, tmp_path: Path) -> None:
    folder = tmp_path / "acme"
    folder.mkdir()
    loaded = Authority.load(authority.folder / "ca.crt", authority.folder / "ca.key", folder)
    loaded.issue("server", "pebble", sans=["localhost"])
    trusting(authority).build_server_verifier(x509.DNSName("localhost")).verify(issued(loaded), [])
    assert (folder / "ca.crt").read_bytes() == (authority.folder / "ca.crt").read_bytes(), "clients find it beside"


def test_a_key_of_another_kind_is_refused_by_its_file(authority: Authority, tmp_path: Path) -> None:
    file = tmp_path / "ed25519.key"
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    file.write_bytes(ed25519.Ed25519PrivateKey.generate().private_bytes(encoding, form, serialization.NoEncryption()))
    with pytest.raises(TypeError, match=r"ed25519\.key holds neither an EC nor an RSA key"):
        Authority.load(authority.folder / "ca.crt", file, tmp_path)
    assert isinstance(authority.key, ec.EllipticCurvePrivateKey), "ours are EC keys"
