"""A Grafana dashboard of the certificates, as the ConfigMap that Grafana's sidecar looks for.

It brings no Grafana and no Prometheus. Its panels ask for the metrics that CertificateAlerts has scraped.
"""

import json
from collections.abc import Mapping, Sequence
from typing import NotRequired, TypedDict

import pulumi
import pulumi_kubernetes as kubernetes

from . import inputs
from .certificate_alerts import ACME_ERRORS
from .specs import dashboard, istio, names, values


class CertificateDashboardArgs(TypedDict):
    """What `CertificateDashboard` takes."""

    certificates: pulumi.Input[Sequence[pulumi.Input[str]]]
    """Names of the Certificates to show; `NAMESPACE/NAME` is one of another namespace."""
    certificates_namespace: NotRequired[pulumi.Input[str]]
    """The namespace of those without one of their own, `istio-system` by default."""
    object_name: NotRequired[pulumi.Input[str]]
    """The name of the ConfigMap, and the dashboard's uid; the component's name by default."""
    namespace: NotRequired[pulumi.Input[str]]
    """The ConfigMap's, `istio-system` by default. Grafana's sidecar has to look there."""
    title: NotRequired[pulumi.Input[str]]
    """Of the dashboard, `Gateway certificates` by default."""
    labels: NotRequired[pulumi.Input[Mapping[str, pulumi.Input[str]]]]
    """By which the sidecar selects ConfigMaps, `grafana_dashboard: "1"` by default."""


SHAPE = inputs.shape(
    certificates=inputs.several(inputs.value(names.object_reference)),
    certificates_namespace=inputs.value(names.kubernetes_name, istio.NAMESPACE),
    object_name=inputs.value(values.string),
    namespace=inputs.value(names.kubernetes_name, istio.NAMESPACE),
    title=inputs.value(values.string, "Gateway certificates"),
    labels=inputs.value(values.labels, dashboard.LABELS),
)

_UID = 40
"""Characters that Grafana takes."""


class CertificateDashboard(pulumi.ComponentResource):
    """One ConfigMap with one dashboard."""

    def __init__(self, name: str, args: CertificateDashboardArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("istio-gateway-tls:index:CertificateDashboard", name, {}, opts)
        given = inputs.check_inputs(self, name, {"object_name": name, **args}, SHAPE)
        shown = (given["object_name"], given["title"], given["certificates_namespace"], given["certificates"])
        kubernetes.core.v1.ConfigMap(
            f"{name}-config",
            metadata={"name": given["object_name"], "namespace": given["namespace"], "labels": given["labels"]},
            data={"certificates.json": inputs.computed(document, *shown)},
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({})


def document(name: str, title: str, namespace: str, certificates: Sequence[str]) -> str:
    """Return the dashboard as the sidecar hands it to Grafana."""
    return json.dumps(dashboard.dashboard(name[:_UID], title, namespace, certificates, ACME_ERRORS), indent=1)
