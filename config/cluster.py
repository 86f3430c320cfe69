"""The sections about what runs in the cluster: which one it is, its gateway, and cert-manager."""

from typing import Literal

from pydantic import Field

from components.fields import ChartValues, ChartVersion, Digest, KubernetesName, Seconds, Selector
from components.kube import solver_route
from components.shell import word
from components.specs import cert_manager, istio
from config.fields import GoogleName, Identifier, Section
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


class Ingress(Section):
    """The existing gateway: its Service, and the label of its Pods."""

    namespace: KubernetesName = Field(istio.NAMESPACE, description="a namespace's name", examples=[istio.NAMESPACE])
    service: KubernetesName = Field(istio.SERVICE, description="a Service's name", examples=[istio.SERVICE])
    selector: Selector[str] = Field(
        istio.SELECTOR,
        description="labels of the gateway's Pods",
        examples=['{"istio":"ingressgateway"}'],
    )
    class_field: Literal["class", "ingressClassName"] = Field(
        "class",
        description="class (an annotation, which Istio always reads) or ingressClassName (needs an IngressClass"
        " `istio` with controller istio.io/ingress-controller)",
        examples=["class"],
    )
    control_plane: KubernetesName = Field(
        solver_route.CONTROL_PLANE,
        description="istiod's namespace, where the mesh config is that routes HTTP-01",
        examples=[solver_route.CONTROL_PLANE],
    )
    revision: KubernetesName | None = Field(
        None,
        description="the revision of Istio that the gateway belongs to (default: its Deployment's label istio.io/rev)",
        examples=["REVISION"],
    )
    family: Literal["ipv4", "ipv6", "dual"] = Field(
        "ipv4",
        description="ipv4, ipv6 or dual: the external addresses that the Service has and the hosts get records of",
        examples=["dual"],
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
    timeout: Seconds = Field(
        300, description="seconds to wait for the Service's external IP, 1 to 3600", examples=[300]
    )


class CertManager(Section):
    """cert-manager's chart."""

    install: bool = Field(True, description="true, or false to use an existing cert-manager", examples=[True])
    namespace: KubernetesName = Field("cert-manager", description="a namespace's name", examples=["cert-manager"])
    version: ChartVersion = Field(
        cert_manager.VERSION,
        description=cert_manager.ACCEPTED,
        examples=[cert_manager.VERSION],
    )
    chart: Identifier = Field(
        cert_manager.CHART,
        description="an OCI reference, or the path of a packaged chart or of a folder",
        examples=[cert_manager.CHART],
    )
    digest: Digest | None = Field(
        None,
        description="sha256:…, of the chart's manifest in its registry, or of the .tgz that `chart` is the path of"
        " (default: that of the default chart at the default version)",
        examples=["sha256:DIGEST"],
    )
    keyring: Identifier | None = Field(
        None, description="the path of a keyring, to verify the chart's signature with", examples=["KEYRING"]
    )
    pod_security: Literal["restricted", "baseline", "privileged"] = Field(
        "restricted",
        description="the Pod Security Standard that cert-manager's namespace enforces: restricted, baseline or"
        " privileged",
        examples=["restricted"],
    )
    values: ChartValues = Field({}, description="values of the chart, merged over the program's own")


ISSUER_COMMANDS = {"solvers[0].dns_names[0]": "pulumi config set --path 'acme.dnsNames[0]'"}
"""What sets an input of AcmeIssuers, as `ingress_commands` does."""


def ingress_commands(gateway: Path = (), *, gke: bool = False) -> dict[str, str]:
    """Return the commands that set the inputs of IngressGateway and of its provider in a stack's config.

    Args:
        gateway: the gateway's place in the config; empty for the stack's own keys.
        gke: whether the cluster is that of `gke`, which needs no kubeconfig.
    """
    provider = {key: f"pulumi config set {key}" for key in ("kubeconfig", "context")}

    def at(*path: str) -> str:
        return f"pulumi config set --path {word(dotted([*gateway, *path]))}"

    return {
        **{key: at("ingress", key) for key in ("namespace", "service", "timeout", "family")},
        "class_field": at("ingress", "classField"),
        "challenge": at("challenge") if gateway else "pulumi config set challenge",
        **({} if gke else provider),
    }
