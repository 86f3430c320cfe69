"""The sections about what runs in the cluster: which one it is, its gateway, and cert-manager."""

from collections.abc import Iterable
from typing import Any, Literal

from pydantic import Field, model_validator

from components.fields import GoogleName
from components.shared_args import CertManagerArgs, Http01Args, IngressGatewayArgs, ManagedGatewayArgs, TlsGatewayArgs
from components.shell import word
from config.fields import Section, section_of
from config.problems import Path, dotted


class Gke(Section):
    """A GKE cluster, found through the gcp provider and entered with gke-gcloud-auth-plugin."""

    cluster: GoogleName = Field(description="the name of a GKE cluster", examples=["NAME"])
    location: GoogleName = Field(description="the cluster's region or zone", examples=["LOCATION"])
    endpoint: Literal["ip", "dns"] = Field(
        "ip",
        description="ip or dns: the endpoint of the control plane by its address, or by a name at which IAM lets in",
        examples=["dns"],
    )
    project: GoogleName | None = Field(
        None, description="the cluster's project, if not gcp:project", examples=["PROJECT"]
    )


class Infrastructure(section_of(ManagedGatewayArgs)):  # type: ignore[misc]
    """What Istio puts on the Service and the Pods of a gateway that it runs."""


class Ingress(
    section_of(TlsGatewayArgs, "routes_from"),  # type: ignore[misc]
    section_of(Http01Args),  # type: ignore[misc]
    section_of(IngressGatewayArgs, "namespace", "service", "family", "timeout"),  # type: ignore[misc]
):
    """The gateway: its Service, the label of its Pods, and who runs it."""

    deployment: Literal["existing", "managed"] = Field(
        "existing",
        description="existing (a gateway that others have installed) or, with api gateway, managed (Istio runs one."
        " Its Service gets the name of ingress.service, and its Pods get that name as the label istio)",
        examples=["managed"],
    )
    infrastructure: Infrastructure = Field(
        Infrastructure(), description="what a gateway with ingress.deployment managed has"
    )
    address: Literal["ephemeral", "promote"] = Field(
        "ephemeral",
        description="ephemeral (the Service's address is left as it is) or promote (it is reserved, and so outlives"
        " the Service)",
        examples=["promote"],
    )
    region: GoogleName | None = Field(
        None,
        description="the region of the reserved address (default with gke: the cluster's)",
        examples=["REGION"],
    )

    @property
    def managed(self) -> bool:
        """Whether Istio runs the gateway."""
        return self.deployment == "managed"

    @model_validator(mode="before")
    @classmethod
    def _label_pods(cls, raw: Any) -> Any:
        if isinstance(raw, dict) and raw.get("deployment") == "managed" and isinstance(raw.get("service"), str):
            return {"selector": {"istio": raw["service"]}, **raw}
        return raw


class CertManager(section_of(CertManagerArgs)):  # type: ignore[misc]
    """cert-manager's chart."""


ISSUER_COMMANDS = {"solvers[0].dns_names[0]": "pulumi config set --path 'acme.dnsNames[0]'"}
"""What sets an input of AcmeIssuers, as `ingress_commands` does."""


def ingress_commands(
    gateway: Path = (), *, shares_service: bool = False, gke: bool = False, labels: Iterable[str] = ()
) -> dict[str, str]:
    """Return the commands that set the inputs of IngressGateway at its place in the config, and of its provider.

    A gateway that shares the Service has the stack's `ingress`. A cluster of `gke` needs no kubeconfig; `labels` are
    those of `ingress.selector`.
    """
    section = () if shares_service else gateway
    provider = {key: f"pulumi config set {key}" for key in ("kubeconfig", "context")}

    def at(*path: str | int) -> str:
        return f"pulumi config set --path {word(dotted(path))}"

    return {
        **{key: at(*section, "ingress", key) for key in ("namespace", "service", "timeout", "family")},
        **{f"selector.{label}": at(*section, "ingress", "selector", label) for label in labels},
        "class_field": at(*section, "ingress", "classField"),
        "challenge": at(*gateway, "challenge") if gateway else "pulumi config set challenge",
        **({} if gke else provider),
    }
