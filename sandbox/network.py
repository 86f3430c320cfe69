"""The sandbox's network: a bridge for Pods, addresses for servers beside the cluster, and no way out.

It is set up inside the sandbox's network namespace, which has only `lo` at first:

- the bridge `pods`, 10.244.0.1/16, has the node's address, which is the Pods' gateway, and the addresses of servers;
- Services (10.96.0.0/16) and load balancers (203.0.113.0/24, TEST-NET-3 of RFC 5737) are routed to the bridge, only so
  that connections reach kube-proxy's NAT rules. There is no default route, so all other connections fail at once.
"""

import subprocess
from pathlib import Path

from sandbox.errors import SandboxError

BRIDGE = "pods"
HOST = "10.244.0.1"
"""The node's address: the API server, DNS and the node agent listen on it."""
POD_CIDR = "10.244.0.0/16"
SERVICE_CIDR = "10.96.0.0/16"
KUBERNETES = "10.96.0.1"
"""The Service `kubernetes`: the API server on port 443."""
LOAD_BALANCER_CIDR = "203.0.113.0/24"

_SYSCTLS = {
    "net/ipv4/ip_forward": "1",
    # Pods are routed, never switched: answers of a Service have to pass the NAT of the request.
    "net/ipv4/conf/all/send_redirects": "0",
    "net/ipv4/conf/default/send_redirects": "0",
    # Redirected connections of the namespace itself may come from loopback addresses.
    "net/ipv4/conf/all/route_localnet": "1",
}

_BRIDGE_NETFILTER = Path("/proc/sys/net/bridge/bridge-nf-call-iptables")
"""On kernels with br_netfilter: NAT on the bridge, with which a Pod cannot reach itself through a Service."""


def set_up(extra_addresses: tuple[str, ...] = ()) -> None:
    """Create the namespace's devices and routes, and addresses within 10.244.0.0/24 (Pods begin at 10.244.1.0).

    Raises:
        SandboxError: the kernel or iproute2 refused.
    """
    for name, value in _SYSCTLS.items():
        Path("/proc/sys", name).write_text(value)
    if _BRIDGE_NETFILTER.exists():
        _BRIDGE_NETFILTER.write_text("0")
    ip(
        "link set lo up",
        f"link add {BRIDGE} type bridge",
        *(f"addr add {address}/16 dev {BRIDGE}" for address in (HOST, *extra_addresses)),
        f"link set {BRIDGE} up",
        f"route add {SERVICE_CIDR} dev {BRIDGE} src {HOST}",
        f"route add {LOAD_BALANCER_CIDR} dev {BRIDGE} src {HOST}",
    )


def ip(*commands: str, netns: str | None = None) -> None:
    """Run iproute2 commands in one process, in a named network namespace or in this one.

    Raises:
        SandboxError: a command failed.
    """
    argv = ["ip", *(["-n", netns] if netns else []), "-batch", "-"]
    done = subprocess.run(argv, input="\n".join(commands) + "\n", text=True, capture_output=True, check=False)
    if done.returncode:
        raise SandboxError(f"network set-up failed: {done.stderr.strip()}")
