"""ACME: the two environments of a CA, their issuers, Let's Encrypt's profiles and limits."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from . import names

STAGING = "staging"
PROD = "prod"
ENVIRONMENTS = (STAGING, PROD)
"""Both always exist; a stack's config says which one signs."""

HTTP01 = "http01"
DNS01 = "dns01"
CHALLENGES = (HTTP01, DNS01)
"""How ownership of a name is proven: HTTP-01 through the gateway's port 80, or DNS-01 in the managed zone."""

CLUSTER_ISSUER = "ClusterIssuer"
ISSUER = "Issuer"
ISSUER_KINDS = (CLUSTER_ISSUER, ISSUER)
"""A ClusterIssuer signs for Certificates of every namespace, an Issuer for those of its own."""

DIRECTORIES = {
    STAGING: "https://acme-staging-v02.api.letsencrypt.org/directory",
    PROD: "https://acme-v02.api.letsencrypt.org/directory",
}
"""Let's Encrypt's (https://letsencrypt.org/docs/acme-protocol-updates/)."""

PUBLIC = ("letsencrypt.org", "pki.goog", "zerossl.com")
"""Domains of CAs that prove names from the internet: Let's Encrypt, Google Trust Services, ZeroSSL."""

MAX_COMMON_NAME = 64
"""Characters (RFC 5280, ub-common-name); longer names stand in dnsNames alone."""


@dataclass(frozen=True)
class Profile:
    """What one of Let's Encrypt's profiles signs (https://letsencrypt.org/docs/profiles)."""

    max_names: int
    """Names in one certificate."""
    common_name: bool
    """Whether a certificate has one."""


PROFILES = {
    "classic": Profile(max_names=100, common_name=True),
    "tlsserver": Profile(max_names=25, common_name=False),
    "shortlived": Profile(max_names=25, common_name=False),
}

MAC_KEY = "secret"
"""The entry of a Secret that holds the HMAC key of an external account."""

_MAC_KEY_BYTES = 16


def external_account_secret(environment: str) -> str:
    """Return the name of the Secret that the program makes for an external account."""
    return f"{issuer_name(environment)}-external-account"


def account_key_secret(issuer: str) -> str:
    """Return the name of the Secret in which cert-manager keeps an issuer's account key."""
    return f"{issuer}-account-key"


def mac_key(value: str) -> str:
    """Return the HMAC key of an external account as cert-manager reads it: base64url without padding.

    Raises:
        ValueError: it is not base64, or too short to be one.
    """
    text = value.strip().rstrip("=").replace("+", "-").replace("/", "_")
    try:
        key = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except ValueError:
        raise ValueError("is not base64url") from None
    if len(key) < _MAC_KEY_BYTES:
        raise ValueError(f"is shorter than {_MAC_KEY_BYTES} bytes")
    return text


def profile(name: str | None) -> Profile:
    """Return a profile by its name; one of another CA, or none, has the limits of classic."""
    return PROFILES.get(name or "", PROFILES["classic"])


def issuer_name(environment: str) -> str:
    """Return the name of an environment's issuer."""
    return f"letsencrypt-{environment}-istio"


def environment_of(server: str | None, issuer: str | None = None) -> str | None:
    """Return the environment that signs: by a directory of Let's Encrypt's, otherwise by the issuer's name."""
    by_server = {directory: environment for environment, directory in DIRECTORIES.items()}
    by_name = {issuer_name(environment): environment for environment in ENVIRONMENTS}
    return by_server.get(server or "") or by_name.get(issuer or "")


def is_public(server: str) -> bool:
    """Tell whether an ACME server is known to be one of a CA on the internet."""
    host = urlsplit(server).hostname or ""
    return any(host == domain or host.endswith(f".{domain}") for domain in PUBLIC)


def common_name(hosts: Sequence[str], profile_name: str | None) -> str | None:
    """Return the common name of a certificate: its first name, unless that is too long or the profile has none."""
    fits = len(hosts[0]) <= MAX_COMMON_NAME and profile(profile_name).common_name
    return hosts[0] if fits else None


def group_names(
    hosts: Sequence[str], grouping: str, secret_name: str, profile_name: str | None
) -> dict[str, list[str]]:
    """Divide hosts among certificates; return the hosts of each Secret.

    Shared: all in one; past the profile's limit of names in several, filled in the hosts' order, so that appending a
    host touches the last one or begins the next. Per host: named after the host, so that no other is touched.
    """
    if grouping == "perHost":
        return {f"{secret_name}-{names.object_name(host)}": [host] for host in hosts}
    limit = profile(profile_name).max_names
    return {
        f"{secret_name}-{start // limit + 1}" if start else secret_name: list(hosts[start : start + limit])
        for start in range(0, len(hosts), limit)
    }
