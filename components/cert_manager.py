"""cert-manager, by its official chart.

It does not configure issuers (acme_issuers.py), and it never deletes the CRDs: with them would go every Certificate
of the cluster, this stack's or not.
"""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NotRequired, TypedDict

import pulumi
import pulumi_kubernetes as kubernetes

from . import inputs
from .problem import Problem
from .specs import cert_manager, names, values

RELEASE = "cert-manager"
"""Constant, because a release that is replaced under another name cannot adopt the CRDs
(pulumi-kubernetes-cert-manager#408)."""

TIMEOUT = 900
"""Seconds; longer than the chart's own check, so that the check's words are what is shown."""


class CertManagerArgs(TypedDict):
    """What `CertManager` takes."""

    install: NotRequired[bool]
    """False uses the cert-manager that the cluster has, and creates nothing. True by default."""
    namespace: NotRequired[pulumi.Input[str]]
    """Created for the release; leader election stays in it. `cert-manager` by default."""
    chart: NotRequired[pulumi.Input[str]]
    """An OCI reference, or the path of the chart on this machine; the official chart by default."""
    version: NotRequired[pulumi.Input[str]]
    """The chart's version, `vX.Y.Z`; the pinned one by default."""
    digest: NotRequired[pulumi.Input[str] | None]
    """`sha256:…`, of the chart's manifest where the chart is an OCI reference, of the file where it is a `.tgz`.
    That of the official chart at the pinned version is known; without one, a version is whatever its registry says."""
    keyring: NotRequired[pulumi.Input[str] | None]
    """The path of a keyring; the chart's signature is then verified, which lies beside it (`.prov`)."""
    pod_security: NotRequired[pulumi.Input[str]]
    """The Pod Security Standard that the namespace enforces: `restricted` (the default), `baseline` or `privileged`."""
    values: NotRequired[pulumi.Input[Mapping[str, Any]]]
    """Merged over the program's own values."""


SHAPE = inputs.shape(
    install=inputs.known(inputs.value(values.boolean, True)),
    namespace=inputs.value(names.kubernetes_name, "cert-manager"),
    chart=inputs.value(values.string, cert_manager.CHART),
    version=inputs.value(cert_manager.check_version, cert_manager.VERSION),
    digest=inputs.optional(inputs.value(cert_manager.check_digest)),
    keyring=inputs.optional(inputs.value(values.string)),
    pod_security=inputs.value(values.one_of(*cert_manager.POD_SECURITY), cert_manager.POD_SECURITY[0]),
    values=inputs.value(values.mapping, {}),
)


class CertManager(pulumi.ComponentResource):
    """The release; when it is up, the webhook has answered."""

    namespace: pulumi.Output[str]
    """Where cert-manager runs and keeps the ACME account keys."""

    def __init__(self, name: str, args: CertManagerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("istio-gateway-tls:index:CertManager", name, {}, opts)
        given = inputs.check_inputs(self, name, args, SHAPE)
        self.namespace = pulumi.Output.from_input(given["namespace"])
        if given["install"]:
            self._install(name, given)
        self.register_outputs({"namespace": self.namespace})

    def _install(self, name: str, given: Mapping[str, Any]) -> None:
        child = pulumi.ResourceOptions(parent=self)
        labels = {"pod-security.kubernetes.io/enforce": given["pod_security"]}
        namespace = kubernetes.core.v1.Namespace(
            f"{name}-namespace", metadata={"name": given["namespace"], "labels": labels}, opts=child
        )
        # A Release and not a Chart: only a Release runs the chart's hooks (pulumi-kubernetes#3284), and the hook
        # startupapicheck is what proves that the API server trusts the webhook.
        kubernetes.helm.v3.Release(
            f"{name}-release",
            name=RELEASE,
            namespace=namespace.metadata["name"],
            chart=_verified(f"CertManager {name!r}", given["chart"], given["version"], given["digest"]),
            version=given["version"],
            keyring=given["keyring"],
            verify=None if given["keyring"] is None else True,
            values=inputs.computed(chart_values, given["namespace"], given["values"]),
            timeout=TIMEOUT,
            # An install that failed after the engine was killed is a release that the engine has no record of.
            replace=True,
            opts=child,
        )


def _verified(component: str, chart: Any, version: Any, digest: Any) -> Any:
    """Return the chart's reference, pinned to its digest or compared with it where one is given or known."""
    if all(part is None or isinstance(part, str) for part in (chart, version, digest)):
        return inputs.check_value(component, "chart", chart, inputs.value(lambda it: located(it, version, digest)))

    def late(all_of_them: Sequence[Any]) -> str:
        try:
            return located(*all_of_them)
        except ValueError as error:
            # The chart may be a secret, so it is not quoted.
            raise inputs.InputsError(component, [Problem("chart", str(error))]) from None

    return pulumi.Output.all(chart, version, digest).apply(late)


def located(chart: str, version: str, digest: str | None) -> str:
    """Return a chart's reference with its digest, or the path of a package that has the digest.

    A chart without a digest, and of which none is known, is returned as it is.

    Raises:
        ValueError: the package has another digest or cannot be read, or the chart has none.
    """
    digest = digest or cert_manager.known_digest(chart, version)
    if digest is None:
        return chart
    reference = cert_manager.pinned(chart, digest)
    if reference.startswith(cert_manager.OCI):
        return reference
    try:
        with Path(reference).open("rb") as package:
            found = f"sha256:{hashlib.file_digest(package, 'sha256').hexdigest()}"
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror}") from None
    if found != digest:
        raise ValueError(f"is {found}, and not {digest}")
    return reference


def chart_values(namespace: str, extra: Mapping[str, Any]) -> dict[str, Any]:
    """Return the chart's values: the program's own, with `extra` merged over them key by key."""
    own = {
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
    return _merged(own, extra)


def _merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        below = merged.get(key)
        merged[key] = _merged(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
    return merged
