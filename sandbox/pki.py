"""The cluster's own certificates: one CA, the API server's certificate, a client for each component."""

import datetime
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_LIFETIME = datetime.timedelta(days=30)


@dataclass(frozen=True)
class Authority:
    """A CA with its key, which signs certificates into a folder."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
    folder: Path

    @classmethod
    def create(cls, folder: Path, common_name: str = "sandbox-ca") -> "Authority":
        """Create a CA and write ``ca.crt`` and ``ca.key``."""
        folder.mkdir(parents=True, exist_ok=True)
        key = ec.generate_private_key(ec.SECP256R1())
        name = _name(common_name)
        certificate = (
            _builder(name, name, key)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(_KEY_USAGE_CA, critical=True)
            .sign(key, hashes.SHA256())
        )
        authority = cls(certificate, key, folder)
        authority._write("ca", certificate, key)
        return authority

    @classmethod
    def load(cls, certificate: Path, key: Path, folder: Path) -> "Authority":
        """Load an existing CA and write ``ca.crt`` into the folder of the certificates that it will sign.

        Raises:
            TypeError: the key is neither an EC nor an RSA key.
        """
        loaded = serialization.load_pem_private_key(key.read_bytes(), password=None)
        if not isinstance(loaded, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
            raise TypeError(f"{key} holds neither an EC nor an RSA key")
        (folder / "ca.crt").write_bytes(certificate.read_bytes())
        return cls(x509.load_pem_x509_certificate(certificate.read_bytes()), loaded, folder)

    def issue(self, file: str, common_name: str, *, group: str | None = None, sans: Sequence[str] = ()) -> None:
        """Sign a certificate for a client or server, and write ``FILE.crt`` and ``FILE.key``.

        Args:
            file: the name of the two files, without suffix.
            common_name: the subject, which Kubernetes reads as the user.
            group: the organization, which Kubernetes reads as the user's group.
            sans: DNS names and IP addresses.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        usages = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        builder = _builder(_name(common_name, group), self.certificate.subject, key)
        builder = builder.add_extension(usages, critical=False).add_extension(issuer, critical=False)
        if sans:
            builder = builder.add_extension(x509.SubjectAlternativeName([_san(san) for san in sans]), critical=False)
        self._write(file, builder.sign(self.key, hashes.SHA256()), key)

    def _write(self, file: str, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
        (self.folder / f"{file}.crt").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        private = self.folder / f"{file}.key"
        private.touch(mode=0o600)
        private.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )


_KEY_USAGE_CA = x509.KeyUsage(
    digital_signature=True, key_cert_sign=True, crl_sign=True, content_commitment=False, key_encipherment=False,
    data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
)  # fmt: skip


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + _LIFETIME)
    )


def _name(common_name: str, organization: str | None = None) -> x509.Name:
    attributes = [x509.NameAttribute(NameOID.COMMON_NAME, common_name)]
    if organization:
        attributes.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization))
    return x509.Name(attributes)


def _san(value: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(value))
    except ValueError:
        return x509.DNSName(value)
