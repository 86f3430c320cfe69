"""Istio as a platform team has it on GKE before the Pulumi program is run: from its own charts, in `istio-system`.

Three Helm releases in the order of https://istio.io/latest/docs/setup/install/helm/: the CRDs, the control plane, and
the ingress gateway. The last one's Pod is a stub that istiod's injection webhook completes, so it has to wait for
the webhook; otherwise its ReplicaSet is refused, and backs off.
"""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from sandbox import paths
from sandbox.errors import SandboxError

NAMESPACE = "istio-system"
GATEWAY = "istio-ingressgateway"
"""The gateway's Deployment, Service and ServiceAccount; the chart derives its label `istio: ingressgateway`."""

TIMEOUT = 120
"""Seconds for each wait; on two cores all of them together take about ten."""

CONTROL_PLANE_VALUES: dict[str, Any] = {
    "autoscaleEnabled": False,
    "global": {
        "hub": "docker.io/istio",
        # Readiness is looked at every second, not every fifteen.
        "proxy": {"readinessPeriodSeconds": 1},
    },
    # The gateway is Envoy as its own project releases it, without the filters that Istio compiles into its proxy:
    # ALPN, peer metadata, and the statistics of the default telemetry provider.
    "env": {"PILOT_ENABLE_ALPN_FILTER": False, "PILOT_ENABLE_METADATA_EXCHANGE": False},
    "telemetry": {"enabled": False},
}

GATEWAY_VALUES: dict[str, Any] = {"autoscaling": {"enabled": False}}
"""Otherwise the chart's own: a LoadBalancer Service with the ports 15021, 80 and 443."""


def install(module: Path) -> None:
    """Install everything, and return when the gateway is ready and has its address.

    Args:
        module: Istio's source, which holds its charts.

    Raises:
        SandboxError: Helm refused, or a part was not ready in time; says which.
    """
    charts = module / "manifests" / "charts"
    _release("istio-base", charts / "base", {})
    _release("istiod", charts / "istio-control" / "istio-discovery", CONTROL_PLANE_VALUES)
    _wait("deployment/istiod", "condition=Available")
    _wait("mutatingwebhookconfiguration/istio-sidecar-injector", "jsonpath={.webhooks[0].clientConfig.caBundle}")
    _release(GATEWAY, charts / "gateway", GATEWAY_VALUES)
    _wait(f"deployment/{GATEWAY}", "condition=Available")
    _wait(f"service/{GATEWAY}", "jsonpath={.status.loadBalancer.ingress[0].ip}")


def _release(name: str, chart: Path, values: dict[str, Any]) -> None:
    argv = ["helm", "upgrade", "--install", name, str(chart), "--namespace", NAMESPACE, "--create-namespace"]
    _run([*argv, "--values", "-"], f"Istio's release {name} could not be installed", json.dumps(values))


def _wait(resource: str, condition: str) -> None:
    argv = ["kubectl", "wait", resource, "--namespace", NAMESPACE, f"--for={condition}", f"--timeout={TIMEOUT}s"]
    _run(argv, f"Istio's {resource} did not reach {condition}")


def _run(argv: list[str], failure: str, stdin: str = "") -> None:
    environment = os.environ | {
        "PATH": f"{paths.BIN}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "KUBECONFIG": str(paths.KUBECONFIG),
    }
    try:
        done = subprocess.run(
            argv, input=stdin, env=environment, capture_output=True, text=True, timeout=2 * TIMEOUT, check=False
        )
    except subprocess.TimeoutExpired:
        raise SandboxError(f"{failure} within {2 * TIMEOUT} s.") from None
    if done.returncode:
        raise SandboxError(f"{failure}: {done.stderr.strip()}")
