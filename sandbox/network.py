"""The sandbox's own network: a bridge for Pods, addresses for what is not a Pod, and no way out.

Everything happens inside the sandbox's network namespace, where there is nothing but `lo` at first:

- bridge `pods`, 10.244.0.1/16: the node's address, Pods' gateway, and further addresses for servers beside the cluster;
- Services (10.96.0.0/16) and load balancers (203.0.113.0/24, TEST-NET-3 of RFC 5737) are routed to the bridge, only so
  that connections to them reach kube-proxy's NAT rules; no default route exists, so anything else fails at once.
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

from sandbox import paths
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
    # Pods are routed, never switched: the way back from a Service passes the NAT that its way there did.
    "net/ipv4/conf/all/send_redirects": "0",
    "net/ipv4/conf/default/send_redirects": "0",
    # Redirected connections of the namespace itself may leave from loopback addresses.
    "net/ipv4/conf/all/route_localnet": "1",
}

_BRIDGE_NETFILTER = Path("/proc/sys/net/bridge/bridge-nf-call-iptables")
"""Of kernels with br_netfilter: NAT on the bridge itself, by which no Pod would reach itself through a Service."""


def set_up(extra_addresses: tuple[str, ...] = ()) -> None:
    """Make the namespace's devices, addresses and routes.

    Args:
        extra_addresses: further addresses of the bridge, within 10.244.0.0/24 (Pods begin at 10.244.1.0).

    Raises:
        SandboxError: the kernel or iproute2 refused; the message is theirs.
    """
    for name, value in _SYSCTLS.items():
        Path("/proc/sys", name).write_text(value)
    if _BRIDGE_NETFILTER.exists():
        _BRIDGE_NETFILTER.write_text("0")
    ip(
        "link set lo up",
        f"link add {BRIDGE} type bridge",
        f"addr add {HOST}/16 dev {BRIDGE}",
        *(f"addr add {address}/16 dev {BRIDGE}" for address in extra_addresses),
        f"link set {BRIDGE} up",
        f"route add {SERVICE_CIDR} dev {BRIDGE} src {HOST}",
        f"route add {LOAD_BALANCER_CIDR} dev {BRIDGE} src {HOST}",
    )


def ip(*commands: str, netns: str | None = None) -> None:
    """Run iproute2 commands in one process, in a named network namespace if one is given.

    Raises:
        SandboxError: one of them failed.
    """
    argv = ["ip", *(["-n", netns] if netns else []), "-batch", "-"]
    done = subprocess.run(argv, input="\n".join(commands) + "\n", text=True, capture_output=True, check=False)
    if done.returncode:
        raise SandboxError(f"network set-up failed: {done.stderr.strip()}")


def kube_proxy_config() -> dict[str, Any]:
    """Return kube-proxy's configuration file.

    Its conntrack settings are all "leave as is": they are sysctls of the machine, which a user namespace cannot write.
    """
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "clientConnection": {"kubeconfig": f"{paths.PKI}/proxy.kubeconfig"},
        "mode": "nftables",
        "hostnameOverride": "sandbox",
        "clusterCIDR": POD_CIDR,
        "detectLocalMode": "ClusterCIDR",
        "bindAddress": HOST,
        "healthzBindAddress": "127.0.0.1:10256",
        "metricsBindAddress": "127.0.0.1:10249",
        "nftables": {"minSyncPeriod": "100ms", "syncPeriod": "30s"},
        "conntrack": {
            "maxPerCore": 0,
            "min": 0,
            "tcpEstablishedTimeout": "0s",
            "tcpCloseWaitTimeout": "0s",
            "udpTimeout": "0s",
            "udpStreamTimeout": "0s",
        },
    }
