"""A Pod's network namespace, with one address of the bridge's range on a veth pair."""

import subprocess
from contextlib import suppress
from ipaddress import IPv4Address
from pathlib import Path

from sandbox.errors import SandboxError
from sandbox.network import BRIDGE, HOST, ip

_FIRST = IPv4Address("10.244.1.1")
_LAST = IPv4Address("10.244.254.254")


class Addresses:
    """Assigns Pod addresses, the least recently used first, so that stale connections reach nobody."""

    def __init__(self) -> None:
        self._next = _FIRST
        self._used: set[IPv4Address] = set()

    def take(self) -> str:
        """Return a free address."""
        while self._next in self._used:
            self._advance()
        address = self._next
        self._used.add(address)
        self._advance()
        return str(address)

    def release(self, address: str) -> None:
        """Make an address free again."""
        self._used.discard(IPv4Address(address))

    def _advance(self) -> None:
        self._next = self._next + 1 if self._next < _LAST else _FIRST


def attach(name: str, address: str) -> None:
    """Make the network namespace `name`, with `address` on its `eth0`.

    The address is a /32, so that all traffic passes the bridge's own address. Between neighbours, the answers of a
    Service's Pod would reach a Pod directly, past the NAT that must translate them back.

    Raises:
        SandboxError: the kernel or iproute2 refused.
    """
    ip(
        f"netns add {name}",
        f"link add {name} type veth peer name eth0 netns {name}",
        f"link set {name} master {BRIDGE} up",
    )
    ip(
        "link set lo up",
        f"addr add {address}/32 dev eth0",
        "link set eth0 up",
        f"route add {HOST} dev eth0 scope link",
        f"route add default via {HOST}",
        netns=name,
    )


def detach(name: str) -> None:
    """Remove a namespace and its veth pair, if they exist."""
    with suppress(SandboxError):
        ip(f"link del {name}")
    with suppress(SandboxError):
        ip(f"netns del {name}")


def path(name: str) -> Path:
    """Return the file of a namespace made by `attach`, for `nsenter --net`."""
    return Path("/run/netns", name)


def clear() -> None:
    """Remove the namespaces of Pods that an earlier run of the agent has left."""
    listed = subprocess.run(["ip", "netns", "list"], text=True, capture_output=True, check=False).stdout
    for line in listed.splitlines():
        detach(line.split()[0])
