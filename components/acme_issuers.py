"""Two ClusterIssuers, ACME staging and production, always both.

Editing an issuer's server does not reissue its certificates (cert-manager#4223). So there are two, each with an
account key of its own, and going from staging to production is a change of the certificate's `issuerRef`.
"""

import base64
from collections.abc import Mapping
from typing import Any, Literal, NotRequired, TypedDict

import pulumi
import pulumi_kubernetes as kubernetes

from components.awaiting import WAIT_FOR_READY, bounded
from components.diagnosis import explain_on_failure

Environment = Literal["staging", "prod"]
ENVIRONMENTS: tuple[Environment, ...] = ("staging", "prod")


class SolverArgs(TypedDict):
    """How ownership of a name is proven."""

    challenge: Literal["http01", "dns01"]
    """HTTP-01 through the gateway's port 80, or DNS-01 in the managed zone."""
    class_field: Literal["class", "ingressClassName"]
    """HTTP-01: the field that names the ingress class `istio`."""
    project: str
    """DNS-01: the project of the zone."""
    zone: str
    """DNS-01: the zone's name, so that zones need not be listed and the role can be bound on this one."""


class AcmeIssuersArgs(TypedDict):
    """What `AcmeIssuers` takes."""

    create: bool
    """False uses the issuers that another stack on the cluster has made: they are cluster-wide."""
    email: str
    """The ACME account's contact."""
    servers: Mapping[str, str]
    """The ACME directory of each environment, `staging` and `prod`."""
    solver: SolverArgs
    """How ownership is proven."""
    timeout: int
    """Seconds to wait for each to be Ready, that is: to have an account."""
    ca_bundle: NotRequired[str | None]
    """PEM certificates that the ACME servers' own TLS chains to."""
    profile: NotRequired[str | None]
    """The profile that orders ask for."""
    kubeconfig: NotRequired[pulumi.Input[str] | None]
    """Where to read the reason of a failure; a path or content."""
    context: NotRequired[str | None]
    """The kubeconfig's context, if not its current one."""


class AcmeIssuers(pulumi.ComponentResource):
    """`letsencrypt-staging-istio` and `letsencrypt-prod-istio`, both with an account at their server."""

    names: pulumi.Output[dict[str, str]]
    """The ClusterIssuer of each environment."""

    def __init__(self, name: str, args: AcmeIssuersArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("istio-gateway-tls:index:AcmeIssuers", name, {}, opts)
        for environment in ENVIRONMENTS if args["create"] else ():
            kubernetes.apiextensions.CustomResource(
                f"{name}-{environment}",
                api_version="cert-manager.io/v1",
                kind="ClusterIssuer",
                metadata={"name": issuer_name(environment), "annotations": WAIT_FOR_READY},
                spec=issuer_spec(environment, args),
                opts=pulumi.ResourceOptions(
                    parent=self,
                    custom_timeouts=bounded(args["timeout"]),
                    hooks=explain_on_failure(f"{name}-{environment}", args.get("kubeconfig"), args.get("context")),
                ),
            )
        self.names = pulumi.Output.from_input({each: issuer_name(each) for each in ENVIRONMENTS})
        self.register_outputs({"names": self.names})


def issuer_name(environment: str) -> str:
    """Return the name of an environment's ClusterIssuer."""
    return f"letsencrypt-{environment}-istio"


def issuer_spec(environment: Environment, args: AcmeIssuersArgs) -> dict[str, Any]:
    """Return a ClusterIssuer's spec (https://cert-manager.io/docs/configuration/acme/)."""
    acme: dict[str, Any] = {
        "email": args["email"],
        "server": args["servers"][environment],
        "privateKeySecretRef": {"name": f"{issuer_name(environment)}-account-key"},
        "solvers": [solver_spec(args["solver"])],
    }
    if ca_bundle := args.get("ca_bundle"):
        acme["caBundle"] = base64.b64encode(ca_bundle.encode()).decode()
    if profile := args.get("profile"):
        acme["profile"] = profile
    return {"acme": acme}


def solver_spec(args: SolverArgs) -> dict[str, Any]:
    """Return the one solver of both issuers."""
    if args["challenge"] == "dns01":
        return {"dns01": {"cloudDNS": {"project": args["project"], "hostedZoneName": args["zone"]}}}
    # ClusterIP: the gateway reaches the solver inside the cluster; the default NodePort would open one on each node.
    return {"http01": {"ingress": {args["class_field"]: "istio", "serviceType": "ClusterIP"}}}
