"""The cluster's certificates: what clients of today do not complain of. The parts themselves verify the chains."""

import datetime
from pathlib import Path

from cryptography import x509

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
