"""Two ACME servers, one for each directory of Let's Encrypt: Pebble twice, each with a root of its own.

Both validate as the real ones do, over ports 80 and 443 of the address that DNS gives, run in strict mode and
reject some nonces on purpose. They keep their state in memory: a restart makes a new root and forgets every
account and order.
"""

import json
import ssl
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox import network, paths
from sandbox.pki import Authority
from sandbox.process import Part

ZONE = "sandbox.test"
_FOLDER = paths.RUN / "acme"
_DAY = 24 * 60 * 60

PROFILES: dict[str, dict[str, Any]] = {
    "classic": {
        "description": "90 days, the first name as common name",
        "validityPeriod": 90 * _DAY,
        "promoteCommonName": True,
    },
    "tlsserver": {"description": "45 days, no common name", "validityPeriod": 45 * _DAY},
    "shortlived": {"description": "160 hours, no common name", "validityPeriod": 160 * 60 * 60},
}
"""Let's Encrypt's profiles (https://letsencrypt.org/docs/profiles/).

Pebble gives an order that names none one of them by chance, so an issuer here has to name its profile.
"""

MINUTES: dict[str, dict[str, Any]] = {
    "minutes": {"description": "75 s, to see renewals and expiries", "validityPeriod": 75}
}
"""A profile that Let's Encrypt does not have: neither Go's programs nor the kernel can be given another clock."""

_ENVIRONMENT = {
    # Percent of requests refused with badNonce: RFC 8555 has clients retry them.
    "PEBBLE_WFE_NONCEREJECT": "5",
    # Next to no authorization is reused (one in a hundred still is): renewals too prove that their challenge is served.
    "PEBBLE_AUTHZREUSE": "0",
    # Validate at once, not after a random time of up to 5 s.
    "PEBBLE_VA_NOSLEEP": "1",
}


@dataclass(frozen=True)
class Directory:
    """One ACME server."""

    name: str
    address: str
    """Its own address on the Pods' bridge."""

    @property
    def host(self) -> str:
        """The name that its listener's certificate carries."""
        return f"acme-{self.name}.{ZONE}"

    @property
    def url(self) -> str:
        """What an issuer's ``server`` holds."""
        return f"https://{self.host}:14000/dir"

    @property
    def part(self) -> str:
        """The name of its process among the sandbox's parts."""
        return f"pebble-{self.name}"

    @property
    def config_file(self) -> Path:
        """Read by Pebble when it starts."""
        return _FOLDER / f"{self.name}.json"

    def config(self) -> dict[str, Any]:
        """Pebble's configuration."""
        return {
            "pebble": {
                "listenAddress": f"{self.address}:14000",
                "managementListenAddress": f"{self.address}:15000",
                "certificate": f"{_FOLDER}/{self.name}.crt",
                "privateKey": f"{_FOLDER}/{self.name}.key",
                "httpPort": 80,
                "tlsPort": 443,
                "keyAlgorithm": "ecdsa",
                "profiles": PROFILES | MINUTES,
                # Seconds; clients poll authorizations and orders this often.
                "retryAfter": {"authz": 1, "order": 1},
            }
        }

    def root(self) -> str:
        """The root that signs its certificates, as PEM; a new one after each restart.

        Raises:
            OSError: it does not answer.
        """
        with _open(f"https://{self.address}:15000/roots/0") as response:
            return str(response.read().decode())

    @property
    def root_file(self) -> Path:
        """That root, for ``curl --cacert``."""
        return _FOLDER / f"{self.name}-root.pem"

    def write_root(self) -> None:
        """Write `root_file`, which each start makes stale."""
        self.root_file.write_text(self.root())


STAGING = Directory("staging", "10.244.0.2")
PROD = Directory("prod", "10.244.0.3")
DIRECTORIES = (STAGING, PROD)


def prepare(module: Path) -> None:
    """Write configurations and listener certificates below /run/sandbox/acme.

    The certificates are signed by the public test CA that Pebble's own tests use, so that a stack's
    ``acme.caBundle`` can be written down beforehand.

    Args:
        module: Pebble's source, which holds that CA.
    """
    _FOLDER.mkdir(parents=True, exist_ok=True)
    certs = module / "test" / "certs"
    ca = Authority.load(certs / "pebble.minica.pem", certs / "pebble.minica.key.pem", _FOLDER)
    for directory in DIRECTORIES:
        ca.issue(directory.name, directory.host, sans=[directory.host, directory.address])
        directory.config_file.write_text(json.dumps(directory.config(), indent=2))


def parts() -> list[Part]:
    """Both servers, ready when their directories answer and their roots are written."""
    return [_part(directory) for directory in DIRECTORIES]


def _part(directory: Directory) -> Part:
    argv = [
        str(paths.BIN / "pebble"), "-strict",
        "-config", str(directory.config_file),
        "-dnsserver", f"{network.HOST}:53",
    ]  # fmt: skip
    return Part(
        directory.part, argv, lambda: _serves(directory), environment=_ENVIRONMENT, on_ready=directory.write_root
    )


def _serves(directory: Directory) -> bool:
    try:
        directory.root()
        with _open(f"https://{directory.address}:14000/dir"):
            return True
    except OSError:
        return False


def _open(url: str) -> Any:
    context = ssl.create_default_context(cafile=_FOLDER / "ca.crt")
    return urllib.request.urlopen(url, timeout=2, context=context)  # noqa: S310 - our own addresses
