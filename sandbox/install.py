"""What is installed in the cluster, as a platform team hands it over: the Gateway API, Istio, and two applications.

The Gateway API is its CRDs. Istio is three Helm releases of its own charts, in the order of
https://istio.io/latest/docs/setup/install/helm/: the CRDs, the control plane, and the ingress gateway. The gateway's
Pod is a stub that istiod's injection webhook completes, so the webhook has to answer first; otherwise the ReplicaSet is
refused and backs off.

cert-manager is not installed: its chart is only written, for the program that installs it.
"""

import json
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import yaml

from sandbox import paths
from sandbox.errors import SandboxError

NAMESPACE = "istio-system"
GATEWAY = "istio-ingressgateway"
"""The gateway's Deployment, Service and ServiceAccount; the chart derives its label `istio: ingressgateway`."""

TIMEOUT = 120
"""Seconds for one wait; on two cores all of them together take about ten."""
GATEWAY_API_KINDS = ("gatewayclasses", "gateways", "httproutes", "referencegrants")
"""Those of the standard channel that routes of HTTP need."""

_POLL = 0.2
_APPLICATIONS = Path(__file__).parent / "apps.yaml"

CONTROL_PLANE_VALUES: dict[str, Any] = {
    "autoscaleEnabled": False,
    # Readiness is probed every second, not every fifteen.
    "global": {"hub": "docker.io/istio", "proxy": {"readinessPeriodSeconds": 1}},
    # Connections of a changed listener end within 5 seconds, not 45: tests wait for them.
    "meshConfig": {"defaultConfig": {"drainDuration": "5s"}},
    # The gateway is the Envoy project's own build, without the filters that Istio compiles into its proxy: ALPN, peer
    # metadata, and the statistics of the default telemetry provider.
    "env": {"PILOT_ENABLE_ALPN_FILTER": False, "PILOT_ENABLE_METADATA_EXCHANGE": False},
    "telemetry": {"enabled": False},
}

GATEWAY_VALUES: dict[str, Any] = {"autoscaling": {"enabled": False}}
"""All else is the chart's default: a LoadBalancer Service with the ports 15021, 80 and 443."""


def gateway_api(module: Path) -> None:
    """Install the standard channel of the Gateway API's CRDs, and return when the API server serves them.

    Istio and cert-manager look for them when they start.

    Raises:
        SandboxError: the API server refused them, or did not serve them in time.
    """
    folder = module / "config" / "crd" / "standard"
    # An annotation with the last applied text would be longer than annotations may be.
    argv = ["kubectl", "apply", "--server-side", "--filename", str(folder)]
    _run(argv, "default", "The CRDs of the Gateway API were refused")
    kinds = [f"crd/{kind}.gateway.networking.k8s.io" for kind in GATEWAY_API_KINDS]
    argv = ["kubectl", "wait", *kinds, "--for=condition=Established", f"--timeout={TIMEOUT}s"]
    _run(argv, "default", "The CRDs of the Gateway API are not served")


def istio(module: Path) -> None:
    """Install Istio from its source, and return when the gateway is ready and has its address.

    Raises:
        SandboxError: Helm failed, or a part was not ready in time; says which.
    """
    charts = module / "manifests" / "charts"
    _release("istio-base", charts / "base", {})
    _release("istiod", charts / "istio-control" / "istio-discovery", CONTROL_PLANE_VALUES)
    _wait("deployment/istiod", "condition=Available", NAMESPACE)
    _await_injection()
    _release(GATEWAY, charts / "gateway", GATEWAY_VALUES)
    _wait(f"deployment/{GATEWAY}", "condition=Available", NAMESPACE)
    _wait(f"service/{GATEWAY}", "jsonpath={.status.loadBalancer.ingress[0].ip}", NAMESPACE)


def applications() -> None:
    """Install the demo applications, and return when both answer.

    Raises:
        SandboxError: the API server refused them, or they were not ready in time.
    """
    _run(["kubectl", "apply", "--filename", str(_APPLICATIONS)], "default", "The demo applications were refused")
    for name in ("shop", "api"):
        _wait(f"deployment/{name}", "condition=Available", name)


def write_cert_manager_chart(module: Path, version: str, folder: Path) -> None:
    """Write what Helm reads of cert-manager's chart, with a version, which only its release process sets."""
    source = module / "deploy" / "charts" / "cert-manager"
    (folder / "templates").mkdir(parents=True)
    templates = (f"templates/{template.name}" for template in (source / "templates").iterdir())
    for file in (".helmignore", "values.yaml", "values.schema.json", *templates):
        shutil.copyfile(source / file, folder / file)

    metadata = yaml.safe_load((source / "Chart.yaml").read_text())
    metadata |= {"version": version, "appVersion": version}
    (folder / "Chart.yaml").write_text(yaml.safe_dump(metadata, sort_keys=False))


def _await_injection() -> None:
    """Return when the injection webhook completes a Pod like the gateway's.

    It takes a moment after istiod is available: its CA bundle and the address of its Service follow.
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
    _run([*argv, "--values", "-"], NAMESPACE, f"The Helm release {name} could not be installed", json.dumps(values))


def _wait(resource: str, condition: str, namespace: str) -> None:
    argv = ["kubectl", "wait", resource, "--namespace", namespace, f"--for={condition}", f"--timeout={TIMEOUT}s"]
    _run(argv, namespace, f"The {resource} did not reach {condition}")


def _run(argv: list[str], namespace: str, failure: str, stdin: str = "") -> None:
    try:
        done = _call(argv, stdin)
    except subprocess.TimeoutExpired:
        raise SandboxError(f"{failure} within {2 * TIMEOUT} s.") from None
    if done.returncode:
        warnings = ["kubectl", "get", "events", "--namespace", namespace, "--field-selector", "type=Warning"]
        pods = ["kubectl", "get", "pods", "--namespace", namespace]
        details = "\n".join(_call(query).stdout.strip() for query in (pods, warnings))
        raise SandboxError(f"{failure}: {done.stderr.strip()}\n{details}")


def _call(argv: list[str], stdin: str = "") -> "subprocess.CompletedProcess[str]":
    environment = os.environ | {
        "PATH": f"{paths.BIN}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "KUBECONFIG": str(paths.KUBECONFIG),
        # Keeps Helm's files out of the user's home.
        **{f"HELM_{kind}_HOME": str(paths.RUN / "helm") for kind in ("CACHE", "CONFIG", "DATA")},
    }
    return subprocess.run(
        argv, input=stdin, env=environment, capture_output=True, text=True, timeout=2 * TIMEOUT, check=False
    )
