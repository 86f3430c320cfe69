"""Two ACME servers in place of Let's Encrypt's staging and production: Pebble twice, with separate roots.

Like the real ones they validate over ports 80 and 443 of the address in DNS. They run in strict mode and reject some
nonces on purpose. Their state is in memory: a restart makes a new root and forgets every account and order.
"""

import json
import ssl
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox import network, paths
from sandbox.pki import Authority
from sandbox.process import Part, answers

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

Pebble selects a random profile for an order that names none, so an issuer here has to name one.
"""

MINUTES: dict[str, dict[str, Any]] = {
    "minutes": {"description": "75 s, to see renewals and expiries", "validityPeriod": 75}
}
"""A profile for tests of renewal and expiry, since the clock of Go programs cannot be changed."""

_ENVIRONMENT = {
    # Percent of requests refused with badNonce, which clients have to retry (RFC 8555).
    "PEBBLE_WFE_NONCEREJECT": "5",
    # Renewals have to prove their challenge too (one authorization in a hundred is still reused).
    "PEBBLE_AUTHZREUSE": "0",
    # Validates at once, not after a random time of up to 5 s.
    "PEBBLE_VA_NOSLEEP": "1",
}


@dataclass(frozen=True)
class Directory:
    """One ACME server."""

    name: str
    address: str
    """The server's address on the Pods' bridge."""

    @property
    def host(self) -> str:
        """The name in the listener's certificate."""
        return f"acme-{self.name}.{ZONE}"

    @property
    def url(self) -> str:
        """The URL for an issuer's ``server``."""
        return f"https://{self.host}:14000/dir"

    @property
    def part(self) -> str:
        """The name of its part."""
        return f"pebble-{self.name}"

    @property
    def config_file(self) -> Path:
        """Pebble's configuration file."""
        return _FOLDER / f"{self.name}.json"

    def config(self) -> dict[str, Any]:
        """Return Pebble's configuration."""
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
                # Seconds between a client's polls of authorizations and orders.
                "retryAfter": {"authz": 1, "order": 1},
            }
        }

    def root(self) -> str:
        """Return the root of its certificates as PEM; every restart makes a new one.

        Raises:
            OSError: the server does not answer.
        """
        context = ssl.create_default_context(cafile=_FOLDER / "ca.crt")
        url = f"https://{self.address}:15000/roots/0"
        with urllib.request.urlopen(url, timeout=2, context=context) as response:
            return str(response.read().decode())

    @property
    def root_file(self) -> Path:
        """The file with the root, for ``curl --cacert``."""
        return _FOLDER / f"{self.name}-root.pem"

    def write_root(self) -> None:
        """Write `root_file`, which every start outdates."""
        self.root_file.write_text(self.root())


STAGING = Directory("staging", "10.244.0.2")
PROD = Directory("prod", "10.244.0.3")
DIRECTORIES = (STAGING, PROD)


def prepare(module: Path) -> None:
    """Write configurations and listener certificates below /run/sandbox/acme.

    The certificates are signed by the public test CA in Pebble's source, so that a stack's ``acme.caBundle`` is known
    in advance.
    """
    _FOLDER.mkdir(parents=True, exist_ok=True)
    certs = module / "test" / "certs"
    ca = Authority.load(certs / "pebble.minica.pem", certs / "pebble.minica.key.pem", _FOLDER)
    for directory in DIRECTORIES:
        ca.issue(directory.name, directory.host, sans=[directory.host, directory.address])
        directory.config_file.write_text(json.dumps(directory.config(), indent=2))


def parts() -> list[Part]:
    """Return both servers, which are ready when their directories answer and their roots are written."""
    return [_part(directory) for directory in DIRECTORIES]


def _part(directory: Directory) -> Part:
    pebble = [str(paths.BIN / "pebble"), "-strict"]
    argv = [*pebble, "-config", str(directory.config_file), "-dnsserver", f"{network.HOST}:53"]
    urls = [f"https://{directory.address}:{path}" for path in ("15000/roots/0", "14000/dir")]

    def ready() -> bool:
        return all(answers(url, _FOLDER / "ca.crt") for url in urls)

    return Part(directory.part, argv, ready, environment=_ENVIRONMENT, on_ready=directory.write_root)
