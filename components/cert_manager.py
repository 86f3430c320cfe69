"""cert-manager, by its official chart.

It does not configure issuers (acme_issuers.py), and it never deletes the CRDs: with them would go every Certificate
of the cluster, this stack's or not.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes

from .inputs import InputsError, check_inputs, computed
from .kube.installation import refuse_another
from .preflight.cert_manager import RELEASE
from .problem import Problem
from .shared_args import CertManagerArgs
from .specs import cert_manager

TIMEOUT = 900
"""Seconds; longer than the chart's own check, so that the check's words are what is shown."""


class CertManager(pulumi.ComponentResource):
    """The release of the chart; once it is created, the webhook has answered.

    Example: `CertManager("cert-manager", {"values": {"replicaCount": 2}})`
    """

    namespace: pulumi.Output[str]
    """Where cert-manager runs and keeps the ACME account keys."""

    def __init__(self, name: str, args: CertManagerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("istio-gateway-tls:index:CertManager", name, {}, opts)
        inputs = check_inputs(self, name, args, CertManagerArgs)
        self.namespace = pulumi.Output.from_input(inputs["namespace"])
        if inputs["install"]:
            self._install(name, inputs)
        self.register_outputs({"namespace": self.namespace})

    def _install(self, name: str, inputs: Mapping[str, Any]) -> None:
        namespace = inputs["namespace"]
        first = pulumi.ResourceOptions(
            parent=self, hooks=refuse_another(self, inputs["values"], creates_namespace=inputs["create_namespace"])
        )
        if inputs["create_namespace"]:
            # A sidecar would keep the Pod of startupapicheck, and so its Job, from ever ending.
            labels = {"pod-security.kubernetes.io/enforce": inputs["pod_security"], "istio-injection": "disabled"}
            created = kubernetes.core.v1.Namespace(
                f"{name}-namespace", metadata={"name": namespace, "labels": labels}, opts=first
            )
            namespace = created.metadata["name"]
            first = pulumi.ResourceOptions(parent=self)
        # A Release and not a Chart: only a Release runs the chart's hooks (pulumi-kubernetes#3284), and the hook
        # startupapicheck is what proves that the API server trusts the webhook.
        kubernetes.helm.v3.Release(
            f"{name}-release",
            # Constant: a release that is replaced under another name cannot adopt the CRDs
            # (pulumi-kubernetes-cert-manager#408).
            name=RELEASE,
            namespace=namespace,
            chart=_verified(f"CertManager {name!r}", inputs["chart"], inputs["version"], inputs["digest"]),
            version=inputs["version"],
            keyring=inputs["keyring"],
            verify=None if inputs["keyring"] is None else True,
            values=computed(chart_values, inputs["namespace"], inputs["values"], inputs["gateway_api"]),
            timeout=TIMEOUT,
            # An install that failed after the engine was killed is a release that the engine has no record of.
            replace=True,
            opts=first,
        )


def _verified(component: str, chart: Any, version: Any, digest: Any) -> Any:
    def pin(chart: str, version: str, digest: str | None) -> str:
        try:
            return located(chart, version, digest)
        except ValueError as error:
            # The chart may be a secret, so it is not quoted.
            raise InputsError(component, [Problem("chart", str(error))]) from None

    return computed(pin, chart, version, digest)


def located(chart: str, version: str, digest: str | None) -> str:
    """Return a chart's reference with its digest, or the path of a package that has the digest.

    A chart without a digest, and of which none is known, is returned as it is.

    Raises:
        ValueError: the package has another digest or cannot be read, or the chart has none.
    """
    if digest is None and (chart, version) == (cert_manager.CHART, cert_manager.VERSION):
        digest = cert_manager.DIGEST
    if digest is None:
        return chart
    reference = cert_manager.pinned(chart, digest)
    if reference.startswith(cert_manager.OCI):
        return reference
    try:
        with Path(reference).open("rb") as package:
            actual = f"sha256:{hashlib.file_digest(package, 'sha256').hexdigest()}"
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror}") from None
    if actual != digest:
        raise ValueError(f"is {actual}, and not {digest}")
    return reference


def chart_values(namespace: str, extra: Mapping[str, Any], gateway_api: bool = False) -> dict[str, Any]:
    """Return the chart's values: the program's own, with `extra` merged over them key by key."""
    own: dict[str, Any] = {
        "crds": {"enabled": True, "keep": True},
        # The chart's default is kube-system, which GKE Autopilot keeps closed.
        "global": {"leaderElection": {"namespace": namespace}},
        # The default of one minute is short for a cluster that has yet to add a node.
        "startupapicheck": {"enabled": True, "timeout": "5m"},
        "config": {
            "apiVersion": "controller.config.cert-manager.io/v1alpha1",
            "kind": "ControllerConfiguration",
            # The self-check of an HTTP-01 challenge keeps a worker asleep for eight seconds. By default there are 5,
            # and a host of an Order takes two seconds; these are as many as there are challenges at once.
            "numberOfConcurrentWorkers": 60,
            # By default 20 and 50. A challenge is a dozen requests.
            "kubernetesAPIQPS": 50,
            "kubernetesAPIBurst": 100,
        },
    }
    if gateway_api:
        own["config"]["gatewayAPI"] = {"enabled": True}
        # cert-manager reads its config when it starts, and the chart starts no Pod again for another config.
        own["podAnnotations"] = {"istio-gateway-tls/gateway-api": "enabled"}
    return _merged(own, extra)


def _merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        below = merged.get(key)
        merged[key] = _merged(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
    return merged
