"""What a sandbox starts, in order: the network, the control plane, DNS and ACME, the node, Istio, two applications.

That is the cluster as a platform team hands it over. cert-manager is not there: what is deployed to it installs it.
"""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sandbox import acme, apps, charts, controlplane, google, istio, network, paths, tools
from sandbox.node import NODE_NAME
from sandbox.plan import Plan
from sandbox.process import Part, answers


@dataclass(frozen=True)
class Stage:
    """One step of the start."""

    title: str
    work: Callable[[], list[Part] | None]
    """Does its work at once and returns None, or returns the parts to start and await together."""


ZONE = "sandbox"
"""The managed zone and its project; its domain is `acme.ZONE`."""
CLOUD_DNS = "127.0.0.1:8053"

RESOLV_CONF = f"""\
nameserver {network.HOST}
search svc.cluster.local cluster.local
options ndots:2 timeout:2 attempts:2
"""


def stages(plan: Plan) -> list[Stage]:
    """Every stage, in order."""
    modules = plan.modules

    def prepare() -> None:
        network.set_up(extra_addresses=(*(directory.address for directory in acme.DIRECTORIES), google.ADDRESS))
        controlplane.prepare()
        google.prepare()
        acme.prepare(modules.pebble)
        version = tools.required_version("cert-manager", tools.CERT_MANAGER)
        charts.cert_manager(modules.cert_manager, version, paths.CHARTS / "cert-manager")

    return [
        Stage("network, certificates and charts", prepare),
        Stage("etcd, DNS and ACME servers", lambda: [controlplane.etcd(), cloud_dns(), *acme.parts()]),
        Stage("Kubernetes API server", lambda: [controlplane.apiserver(google.CONTROL_PLANE)]),
        Stage("controllers and node", lambda: [controlplane.controller_manager(), node(modules.istio)]),
        Stage("kube-proxy", lambda: [controlplane.proxy()]),
        Stage("Istio", lambda: istio.install(modules.istio)),
        Stage("demo applications", apps.install),
    ]


def cloud_dns() -> Part:
    """The Cloud DNS emulator and the namespace's only DNS server."""
    argv = [
        sys.executable, "-m", "sandbox.googlecloud",
        "--rest", CLOUD_DNS, "--dns", f"{network.HOST}:53",
        "--project", ZONE, "--zone", f"{ZONE}={acme.ZONE}.",
        "--cluster-kubeconfig", str(paths.KUBECONFIG),
        *google.arguments(),
    ]  # fmt: skip
    for directory in acme.DIRECTORIES:
        argv += ["--host", f"{directory.host}={directory.address}"]
    return Part("cloud-dns", argv, lambda: answers(f"http://{CLOUD_DNS}/dns/v1/projects/{ZONE}"))


def node(istio_module: Path) -> Part:
    """The node agent, which runs Pods as processes; ready once it has registered its node."""
    argv = [
        sys.executable, "-m", "sandbox.node",
        "--kubeconfig", str(paths.KUBECONFIG),
        "--bin-dir", str(paths.BIN), "--envoy", str(paths.BIN / "envoy"),
        "--envoy-bootstrap", str(istio_module / "tools/packaging/common/envoy_bootstrap.json"),
        "--root", str(paths.RUN / "pods"), "--log-dir", str(paths.LOGS / "pods"),
        "--tls-cert-file", str(paths.PKI / "apiserver.crt"), "--tls-private-key-file", str(paths.PKI / "apiserver.key"),
    ]  # fmt: skip
    registered = [str(paths.BIN / "kubectl"), "--kubeconfig", str(paths.KUBECONFIG), "get", "node", NODE_NAME]
    return Part("node", argv, lambda: subprocess.run(registered, capture_output=True, check=False).returncode == 0)
