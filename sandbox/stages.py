"""The start of a sandbox in order: network, control plane, DNS and ACME servers, node, Istio, two applications.

The result is the cluster as a platform team hands it over. The program under test installs cert-manager.
"""

import subprocess
import sys
from collections.abc import Callable

from sandbox import acme, controlplane, google, install, network, paths, tools
from sandbox.messages import Plan
from sandbox.node import NODE_NAME
from sandbox.process import Part, answers

Work = Callable[[], list[Part] | None]
"""Does its work and returns None, or returns the parts to start and to wait for together."""

RESOLV_CONF = f"""\
nameserver {network.HOST}
search svc.cluster.local cluster.local
options ndots:2 timeout:2 attempts:2
"""


def stages(plan: Plan) -> dict[str, Work]:
    """Return all stages in order, by their titles."""
    modules = plan.modules

    def prepare() -> None:
        network.set_up(extra_addresses=(*(directory.address for directory in acme.DIRECTORIES), google.ADDRESS))
        controlplane.prepare()
        google.prepare()
        acme.prepare(modules["pebble"])
        version = tools.required_version("cert-manager", tools.CERT_MANAGER)
        install.write_cert_manager_chart(modules["cert-manager"], version, paths.CHARTS / "cert-manager")
        paths.ENVOY_BOOTSTRAP.symlink_to(modules["istio"] / "tools/packaging/common/envoy_bootstrap.json")

    return {
        "network, certificates and charts": prepare,
        "etcd, DNS and ACME servers": lambda: [controlplane.etcd(), cloud_dns(), *acme.parts()],
        "Kubernetes API server": lambda: [controlplane.apiserver(google.CONTROL_PLANE)],
        "controllers and node": lambda: [controlplane.controller_manager(), node()],
        "kube-proxy": lambda: [controlplane.proxy()],
        "Gateway API": lambda: install.gateway_api(modules["gateway-api"]),
        "Istio": lambda: install.istio(modules["istio"]),
        "demo applications": install.applications,
    }


def cloud_dns() -> Part:
    """Return the emulator of Google Cloud, which is also the namespace's only DNS server."""
    host, port = google.REST
    url = f"http://{host}:{port}/dns/v1/projects/{google.PROJECT}"
    return Part("cloud-dns", [sys.executable, "-m", "sandbox.googlecloud"], lambda: answers(url))


def node() -> Part:
    """Return the node agent, which is ready once it has registered its node."""
    registered = [str(paths.BIN / "kubectl"), "--kubeconfig", str(paths.KUBECONFIG), "get", "node", NODE_NAME]
    argv = [sys.executable, "-m", "sandbox.node"]
    return Part("node", argv, lambda: subprocess.run(registered, capture_output=True, check=False).returncode == 0)
