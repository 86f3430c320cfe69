"""What objects in the cluster make a gateway serve, in the words of neither API; each API's module reads its own."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from components.preflight.neighbours import Owner
from tlsctl.own import Key
from tlsctl.verify.environment import Objects
from tlsctl.verify.results import Result

Read = Callable[[str, str, str], Objects]
"""Reads the objects of an `apiVersion`, plural name and namespace."""


@dataclass(frozen=True)
class TlsServer:
    """The TLS listener that serves a host."""

    settings: str
    """Its TLS settings except the Secret, as JSON."""
    fingerprint: str | None
    """The fingerprint of the certificate in its Secret; None where that cannot be read."""


class Served(Protocol):
    """What the stack's own objects make a gateway serve."""

    def judge(self, host: str) -> Result:
        """Return whether the host has its listeners and routes."""

    def tls_server(self, host: str, fingerprints: Mapping[str, str]) -> TlsServer | None:
        """Return the TLS listener of a host, or None; `fingerprints` are those of the certificates by Secret."""


@dataclass(frozen=True)
class Route:
    """Hosts that are routed by an object."""

    owner: Owner
    hosts: tuple[str, ...]
    parents: tuple[tuple[str, Key, str], ...]
    """Plural name and key of each object whose listeners it is for, and the section, which is empty for all of them."""
