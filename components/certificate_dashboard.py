"""A Grafana dashboard of the certificates, as the ConfigMap that Grafana's sidecar looks for.

It brings no Grafana and no Prometheus. Its panels ask for the metrics that CertificateAlerts has scraped.
"""

import json
from collections.abc import Sequence
from typing import Annotated, NotRequired, TypedDict

import pulumi
import pulumi_kubernetes as kubernetes

from .certificate_alerts import ACME_ERRORS
from .fields import COMPONENT_NAME, Default, Input, KubernetesName, NonEmpty, ObjectReference, Selector, Text
from .inputs import check_inputs, computed
from .specs import dashboard, istio

_UID = 40
"""Characters that Grafana takes."""


class CertificateDashboardArgs(TypedDict):
    """The inputs of `CertificateDashboard`."""

    certificates: Input[NonEmpty[Input[ObjectReference]]]
    """The Certificates to show: `NAME` in `certificates_namespace`, or `NAMESPACE/NAME`."""
    certificates_namespace: NotRequired[Annotated[Input[KubernetesName], Default(istio.NAMESPACE)]]
    """The namespace of Certificates that are listed without one."""
    object_name: NotRequired[Annotated[Input[Text], COMPONENT_NAME]]
    """The name of the ConfigMap, and the dashboard's uid."""
    namespace: NotRequired[Annotated[Input[KubernetesName], Default(istio.NAMESPACE)]]
    """The namespace of the ConfigMap. Grafana's sidecar has to watch it."""
    title: NotRequired[Annotated[Input[Text], Default("Gateway certificates")]]
    """The title of the dashboard."""
    labels: NotRequired[Annotated[Input[Selector[Input[str]]], Default(dashboard.LABELS)]]
    """Labels of the ConfigMap, by which the sidecar selects it."""


class CertificateDashboard(pulumi.ComponentResource):
    """One ConfigMap with one dashboard.

    Example: `CertificateDashboard("dashboard", {"certificates": ["shop-certs"]})`
    """

    def __init__(self, name: str, args: CertificateDashboardArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("istio-gateway-tls:index:CertificateDashboard", name, {}, opts)
        inputs = check_inputs(self, name, args, CertificateDashboardArgs)
        shown = (inputs["object_name"], inputs["title"], inputs["certificates_namespace"], inputs["certificates"])
        kubernetes.core.v1.ConfigMap(
            f"{name}-config",
            metadata={"name": inputs["object_name"], "namespace": inputs["namespace"], "labels": inputs["labels"]},
            data={"certificates.json": computed(document, *shown)},
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({})


def document(name: str, title: str, namespace: str, certificates: Sequence[str]) -> str:
    """Return the dashboard as the sidecar hands it to Grafana."""
    return json.dumps(dashboard.dashboard(name[:_UID], title, namespace, certificates, ACME_ERRORS), indent=1)
