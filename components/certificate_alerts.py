"""Alerts before a certificate expires, from cert-manager's own metrics, by the shares of specs/renewal.py.

It scrapes cert-manager and brings the rules; it does not install a Prometheus, and it sends no alert to anybody.
"""

from collections.abc import Sequence
from typing import Annotated, Any, NotRequired, TypedDict

import pulumi
import pulumi_kubernetes as kubernetes

from .fields import COMPONENT_NAME, Default, Input, KubernetesName, Labels, NonEmpty, ObjectReference, OneOf, Text
from .inputs import check_inputs, computed
from .specs import istio, renewal
from .specs.metrics import Certificates, acme_failures, by_namespace

ACME_ERRORS = 0.25
"""Share of an hour's requests. A rejected nonce or two are the protocol's daily life (RFC 8555, section 6.5)."""

CERT_MANAGER = {"app.kubernetes.io/name": "cert-manager", "app.kubernetes.io/component": "controller"}
"""Labels of the Pods that serve the metrics."""

PORT = "http-metrics"
"""The name of their port."""


class CertificateAlertsArgs(TypedDict):
    """The inputs of `CertificateAlerts`."""

    prometheus: Annotated[str, OneOf("prometheus", "gmp")]
    """The kinds to create: those of the Prometheus Operator, or of Google Cloud Managed Service for Prometheus."""
    certificates: Input[NonEmpty[Input[ObjectReference]]]
    """The Certificates to watch: `NAME` in `certificates_namespace`, or `NAMESPACE/NAME`."""
    certificates_namespace: NotRequired[Annotated[Input[KubernetesName], Default(istio.NAMESPACE)]]
    """The namespace of Certificates that are listed without one."""
    object_name: NotRequired[Annotated[Input[Text], COMPONENT_NAME]]
    """The name of the objects, unique in the namespace."""
    namespace: NotRequired[Annotated[Input[KubernetesName], Default("cert-manager")]]
    """The namespace of cert-manager. `Rules` of GMP see only the metrics of their own namespace."""
    labels: NotRequired[Input[Labels[Input[str]]] | None]
    """Labels of the objects, by which a Prometheus of the Operator selects them."""


class CertificateAlerts(pulumi.ComponentResource):
    """Alert rules, and the object that makes a Prometheus scrape cert-manager.

    Example: `CertificateAlerts("alerts", {"prometheus": "gmp", "certificates": ["shop-certs"]})`
    """

    def __init__(self, name: str, args: CertificateAlertsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("istio-gateway-tls:index:CertificateAlerts", name, {}, opts)
        inputs = check_inputs(self, name, args, CertificateAlertsArgs)
        child = pulumi.ResourceOptions(parent=self)
        metadata: dict[str, Any] = {"name": inputs["object_name"], "namespace": inputs["namespace"]}
        if inputs["labels"]:
            metadata["labels"] = inputs["labels"]
        managed = inputs["prometheus"] == "gmp"
        api_version = "monitoring.googleapis.com/v1" if managed else "monitoring.coreos.com/v1"
        kubernetes.apiextensions.CustomResource(
            f"{name}-scrape",
            api_version=api_version,
            kind="PodMonitoring" if managed else "PodMonitor",
            metadata=metadata,
            spec=scrape_spec("endpoints" if managed else "podMetricsEndpoints"),
            opts=child,
        )
        kubernetes.apiextensions.CustomResource(
            f"{name}-rules",
            api_version=api_version,
            kind="Rules" if managed else "PrometheusRule",
            metadata=metadata,
            spec=computed(rules_spec, inputs["certificates_namespace"], inputs["certificates"]),
            opts=child,
        )
        self.register_outputs({})


def scrape_spec(endpoints: str) -> dict[str, Any]:
    """Return what to scrape; `endpoints` is the kind's key for it.

    The Pod's namespace takes the label `namespace`, and the Certificate's is kept as `exported_namespace`: the default
    of both kinds, which the rules read.
    """
    return {"selector": {"matchLabels": CERT_MANAGER}, endpoints: [{"port": PORT, "interval": "60s"}]}


def rules_spec(namespace: str, certificates: Sequence[str]) -> dict[str, Any]:
    """Return the rules, of one shape for a PrometheusRule, GMP's Rules and Prometheus' own rule files."""
    groups = [
        (where, _certificate_rules(Certificates({where: names})))
        for where, names in by_namespace(namespace, certificates).items()
    ]
    return {
        "groups": [{"name": f"certificates-{where}", "interval": "60s", "rules": rules} for where, rules in groups]
        + [{"name": "acme", "interval": "60s", "rules": [_ACME_REQUESTS_FAIL]}]
    }


def _certificate_rules(watched: Certificates) -> list[dict[str, Any]]:
    certificate = "{{ $labels.exported_namespace }}/{{ $labels.name }}"
    look = "kubectl describe certificate,order,challenge -n {{ $labels.exported_namespace }}"
    return [
        _rule(
            "CertificateNotReady",
            f"{watched.ready} == 0",
            wait="15m",
            severity="critical",
            summary=f"Certificate {certificate} is not Ready",
            description=f"It is missing, expired, or not what its spec asks for. The reason: {look}",
        ),
        _rule(
            "CertificateRenewalOverdue",
            f"(time() - ({watched.renewal} > 0)) / {watched.lifetime} > {renewal.OVERDUE}",
            wait="15m",
            severity="warning",
            summary=f"Certificate {certificate} should have been renewed",
            description="{{ $value | humanizePercentage }} of its lifetime have passed since the planned renewal."
            f" The reason: {look}",
        ),
        _rule(
            "CertificateNearExpiry",
            f"{watched.share_left} < {renewal.NEAR_EXPIRY}",
            wait="5m",
            severity="critical",
            summary=f"Certificate {certificate} is about to expire, or has expired",
            description=f"{{{{ $value | humanizePercentage }}}} of its lifetime are left. The reason: {look}",
        ),
    ]


def _rule(alert: str, expression: str, *, wait: str, severity: str, summary: str, description: str) -> dict[str, Any]:
    return {
        "alert": alert,
        "expr": expression,
        "for": wait,
        "labels": {"severity": severity},
        "annotations": {"summary": summary, "description": description},
    }


_ACME_REQUESTS_FAIL = _rule(
    "AcmeRequestsFail",
    f"{acme_failures()} > {ACME_ERRORS}",
    wait="15m",
    severity="warning",
    summary="The ACME server {{ $labels.host }} refuses cert-manager's requests, or does not answer",
    description="{{ $value | humanizePercentage }} of the last hour's requests failed. Its words:"
    " kubectl describe clusterissuer,issuer,order,challenge -A",
)
