"""Istio as a platform team has it on GKE before the Pulumi program is run: from its own charts, in `istio-system`.

Three Helm releases in the order of https://istio.io/latest/docs/setup/install/helm/: the CRDs, the control plane, and
the ingress gateway. The last one's Pod is a stub that istiod's injection webhook completes, so it has to wait for
the webhook; otherwise its ReplicaSet is refused, and backs off.
"""

import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

from sandbox import paths
from sandbox.errors import SandboxError

NAMESPACE = "istio-system"
GATEWAY = "istio-ingressgateway"
"""The gateway's Deployment, Service and ServiceAccount; the chart derives its label `istio: ingressgateway`."""

TIMEOUT = 120
"""Seconds for each wait; on two cores all of them together take about ten."""
_POLL = 0.2

CONTROL_PLANE_VALUES: dict[str, Any] = {
    "autoscaleEnabled": False,
    "global": {
        "hub": "docker.io/istio",
        # Readiness is looked at every second, not every fifteen.
        "proxy": {"readinessPeriodSeconds": 1},
    },
    # Connections on what has changed end within 5 seconds, not 45: where they have to, somebody waits for it.
    "meshConfig": {"defaultConfig": {"drainDuration": "5s"}},
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
    _prove_injection()
    _release(GATEWAY, charts / "gateway", GATEWAY_VALUES)
    _wait(f"deployment/{GATEWAY}", "condition=Available")
    _wait(f"service/{GATEWAY}", "jsonpath={.status.loadBalancer.ingress[0].ip}")


def _prove_injection() -> None:
    """Return when the API server's call of the injection webhook completes a Pod as the gateway's will be.

    An available istiod is not yet a webhook that is trusted and reached: its CA bundle and the address of its Service
    follow, and a Pod that is refused meanwhile makes its ReplicaSet back off.
    """
    stub = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": "injection-check",
            "namespace": NAMESPACE,
            "labels": {"sidecar.istio.io/inject": "true"},
            "annotations": {"inject.istio.io/templates": "gateway"},
        },
        "spec": {"containers": [{"name": "istio-proxy", "image": "auto"}]},
    }
    deadline = time.monotonic() + TIMEOUT
    argv = ["kubectl", "create", "--dry-run=server", "--output=jsonpath={.spec.containers[0].image}", "--filename=-"]
    while True:
        done = _call(argv, json.dumps(stub))
        if done.returncode == 0 and done.stdout != "auto":
            return
        if time.monotonic() > deadline:
            raise SandboxError(f"Istio's injection webhook did not answer within {TIMEOUT} s: {done.stderr.strip()}")
        time.sleep(_POLL)


def _release(name: str, chart: Path, values: dict[str, Any]) -> None:
    argv = ["helm", "upgrade", "--install", name, str(chart), "--namespace", NAMESPACE, "--create-namespace"]
    _run([*argv, "--values", "-"], f"Istio's release {name} could not be installed", json.dumps(values))


def _wait(resource: str, condition: str) -> None:
    argv = ["kubectl", "wait", resource, "--namespace", NAMESPACE, f"--for={condition}", f"--timeout={TIMEOUT}s"]
    _run(argv, f"Istio's {resource} did not reach {condition}")


def _run(argv: list[str], failure: str, stdin: str = "") -> None:
    try:
        done = _call(argv, stdin)
    except subprocess.TimeoutExpired:
        raise SandboxError(f"{failure} within {2 * TIMEOUT} s.") from None
    if done.returncode:
        warnings = ["kubectl", "get", "events", "--namespace", NAMESPACE, "--field-selector", "type=Warning"]
        pods = ["kubectl", "get", "pods", "--namespace", NAMESPACE]
        seen = "\n".join(_call(look).stdout.strip() for look in (pods, warnings))
        raise SandboxError(f"{failure}: {done.stderr.strip()}\n{seen}")


def _call(argv: list[str], stdin: str = "") -> "subprocess.CompletedProcess[str]":
    environment = os.environ | {
        "PATH": f"{paths.BIN}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "KUBECONFIG": str(paths.KUBECONFIG),
        # Helm's own files, kept out of the user's home.
        **{f"HELM_{kind}_HOME": str(paths.RUN / "helm") for kind in ("CACHE", "CONFIG", "DATA")},
    }
    return subprocess.run(
        argv, input=stdin, env=environment, capture_output=True, text=True, timeout=2 * TIMEOUT, check=False
    )
