"""TLS: the versions, cipher suites and keys of Mozilla's intermediate profile, and the names that Istio has for them.

https://wiki.mozilla.org/Security/Server_Side_TLS
"""

VERSIONS = ("1.2", "1.3")
"""What may be the lowest version on offer."""

CIPHER_SUITES = (
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
    "ECDHE-RSA-CHACHA20-POLY1305",
)
"""Those of TLS 1.2, in Envoy's names; TLS 1.3 has its own and takes no list."""

KEY_SIZES = {"ECDSA": (256, 384), "RSA": (2048, 3072, 4096)}
"""Bits. P-521 is not among Mozilla's curves."""

ROTATIONS = ("Always", "Never")
"""Whether a renewal makes a new key."""

MAX_HSTS = 63_072_000
"""Seconds of Strict-Transport-Security: two years, what Mozilla advises."""


def istio_version(version: str) -> str:
    """Return a version as a Gateway writes it: `TLSV1_2`."""
    return f"TLSV{version.replace('.', '_')}"
