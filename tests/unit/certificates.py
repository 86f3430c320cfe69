"""Certificates for unit tests, each signed by itself."""

import datetime
from collections.abc import Sequence

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

NAME = "shop.acme.dev"
BEGIN = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
LIFETIME = datetime.timedelta(days=90)


def certificate(
    names: Sequence[str] = (NAME,),
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | None = None,
    *,
    begin: datetime.datetime = BEGIN,
    lifetime: datetime.timedelta = LIFETIME,
    authority: bool = False,
) -> x509.Certificate:
    """Return a certificate for these names, of a CA or of a server."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    builder = (
        x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
        .serial_number(1).not_valid_before(begin).not_valid_after(begin + lifetime)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    )  # fmt: skip
    if names:
        alternative = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
        builder = builder.add_extension(alternative, critical=False)
    return builder.sign(key, hashes.SHA256())


def pem(made: x509.Certificate) -> str:
    """Return a certificate in PEM."""
    return made.public_bytes(serialization.Encoding.PEM).decode()


CA = pem(certificate(begin=datetime.datetime.now(datetime.UTC), authority=True))
"""A CA that has not expired."""
