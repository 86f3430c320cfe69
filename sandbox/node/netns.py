"""A Pod's network namespace, with one address of the bridge's range on a veth pair."""

import itertools
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from ipaddress import IPv4Network
from pathlib import Path

from sandbox.errors import SandboxError
from sandbox.network import BRIDGE, HOST, POD_CIDR, ip

_BESIDE_SERVERS = 256
"""Addresses at the beginning of the range that belong to servers beside the cluster."""


def addresses() -> Iterator[str]:
    """Return addresses for all Pods that a sandbox will have, each once, so that stale connections reach nobody."""
    return map(str, itertools.islice(IPv4Network(POD_CIDR).hosts(), _BESIDE_SERVERS, None))


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
