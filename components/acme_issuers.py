"""Two issuers, ACME staging and production, always both.

Editing an issuer's server does not reissue its certificates (cert-manager#4223). So there are two, each with an
account key of its own, and going from staging to production is a change of the certificate's `issuerRef`.

A ClusterIssuer signs for whoever may create Certificates, in any namespace: a solver's `dns_names` and `dns_zones`
limit what for. An Issuer signs for its own namespace alone.
"""

import base64
from collections.abc import Mapping, Sequence
from typing import Any, NotRequired, TypedDict

import pulumi
import pulumi_kubernetes as kubernetes

from . import inputs
from .awaiting import WAIT_FOR_READY, bounded
from .credentials import credentials_of
from .diagnosis import explain_on_failure
from .rules import acme, names, routes, values


class SolverArgs(TypedDict):
    """How ownership of a name is proven."""

    challenge: NotRequired[str]
    """`http01`, through the gateway's port 80 (the default), or `dns01`, in the managed zone."""
    class_field: NotRequired[str]
    """HTTP-01: the field that names the ingress class `istio`, `class` (the default) or `ingressClassName`."""
    project: NotRequired[pulumi.Input[str]]
    """DNS-01: the project of the zone."""
    zone: NotRequired[pulumi.Input[str]]
    """DNS-01: the zone's name, so that zones need not be listed and the role can be bound on this one."""
    dns_names: NotRequired[Sequence[pulumi.Input[str]]]
    """The names to solve for; without them and `dns_zones`, any name. A wildcard stands for itself alone."""
    dns_zones: NotRequired[Sequence[pulumi.Input[str]]]
    """Domains to solve for, with every name below them."""


class AcmeIssuersArgs(TypedDict):
    """What `AcmeIssuers` takes."""

    email: pulumi.Input[str]
    """The ACME account's contact."""
    create: NotRequired[bool]
    """False uses the issuers that another program has made. True by default."""
    kind: NotRequired[str]
    """`ClusterIssuer` (the default) or `Issuer`. Another kind is another issuer, with an account of its own."""
    namespace: NotRequired[pulumi.Input[str]]
    """Of Issuers and of their account keys: that of the Certificates, `istio-system` by default."""
    servers: NotRequired[Mapping[str, pulumi.Input[str]]]
    """The ACME directory of each environment, `staging` and `prod`; Let's Encrypt's by default."""
    solver: NotRequired[SolverArgs]
    """How ownership is proven; HTTP-01 by default."""
    timeout: NotRequired[int]
    """Seconds to wait for each to be Ready, that is: to have an account. 600 by default."""
    ca_bundle: NotRequired[pulumi.Input[str] | None]
    """PEM certificates that the ACME servers' own TLS chains to."""
    profile: NotRequired[pulumi.Input[str] | None]
    """The profile that orders ask for."""


SHAPE = inputs.shape(
    email=inputs.value(names.email_address),
    create=inputs.known(inputs.value(values.boolean, True)),
    kind=inputs.known(inputs.value(values.one_of(*acme.ISSUER_KINDS), acme.CLUSTER_ISSUER)),
    namespace=inputs.value(names.kubernetes_name, routes.NAMESPACE),
    servers=inputs.optional(
        inputs.shape(**{each: inputs.value(values.string, acme.DIRECTORIES[each]) for each in acme.ENVIRONMENTS}), {}
    ),
    solver=inputs.optional(
        inputs.shape(
            challenge=inputs.known(inputs.value(values.one_of(*acme.CHALLENGES), "http01")),
            class_field=inputs.known(inputs.value(values.one_of("class", "ingressClassName"), "class")),
            project=inputs.optional(inputs.value(values.string)),
            zone=inputs.optional(inputs.value(values.string)),
            dns_names=inputs.known(inputs.optional(inputs.several(inputs.value(names.dns_name), least=0), [])),
            dns_zones=inputs.known(inputs.optional(inputs.several(inputs.value(names.domain), least=0), [])),
        ),
        {},
    ),
    timeout=inputs.known(inputs.value(values.whole(1, 3600), 600)),
    ca_bundle=inputs.optional(inputs.value(values.string)),
    profile=inputs.optional(inputs.value(values.string)),
)


class AcmeIssuers(pulumi.ComponentResource):
    """`letsencrypt-staging-istio` and `letsencrypt-prod-istio`, both with an account at their server."""

    names: pulumi.Output[Mapping[str, str]]
    """The issuer of each environment, `staging` and `prod`."""
    kind: pulumi.Output[str]
    """`ClusterIssuer` or `Issuer`."""

    def __init__(self, name: str, args: AcmeIssuersArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("istio-gateway-tls:index:AcmeIssuers", name, {}, opts)
        given = inputs.check_inputs(self, name, args, SHAPE)
        placed = {"namespace": given["namespace"]} if given["kind"] == acme.ISSUER else {}
        for environment in acme.ENVIRONMENTS if given["create"] else ():
            kubernetes.apiextensions.CustomResource(
                f"{name}-{environment}",
                api_version="cert-manager.io/v1",
                kind=given["kind"],
                metadata={"name": acme.issuer_name(environment), **placed, "annotations": WAIT_FOR_READY},
                spec=issuer_spec(environment, given),
                opts=pulumi.ResourceOptions(
                    parent=self,
                    # cert-manager repeats the e-mail address there, which may be a secret of the program.
                    additional_secret_outputs=["status"],
                    custom_timeouts=bounded(given["timeout"]),
                    hooks=explain_on_failure(f"{name}-{environment}", credentials_of(self)),
                ),
            )
        self.names = pulumi.Output.from_input({each: acme.issuer_name(each) for each in acme.ENVIRONMENTS})
        self.kind = pulumi.Output.from_input(given["kind"])
        self.register_outputs({"names": self.names, "kind": self.kind})


def issuer_spec(environment: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return an issuer's spec (https://cert-manager.io/docs/configuration/acme/)."""
    spec: dict[str, Any] = {
        "email": given["email"],
        "server": given["servers"][environment],
        "privateKeySecretRef": {"name": f"{acme.issuer_name(environment)}-account-key"},
        "solvers": solver_specs(given["solver"]),
    }
    if ca_bundle := given.get("ca_bundle"):
        spec["caBundle"] = pulumi.Output.from_input(ca_bundle).apply(
            lambda pem: base64.b64encode(pem.encode()).decode()
        )
    if profile := given.get("profile"):
        spec["profile"] = profile
    return {"acme": spec}


def solver_specs(given: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the solvers of both issuers: one, or one by names and one by domains. A selector takes both at once."""
    solver = solver_spec(given)
    selectors = {"dnsNames": given.get("dns_names"), "dnsZones": given.get("dns_zones")}
    return [{**solver, "selector": {field: chosen}} for field, chosen in selectors.items() if chosen] or [solver]


def solver_spec(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return how both issuers have a name proven."""
    if given["challenge"] == "dns01":
        return {"dns01": {"cloudDNS": {"project": given["project"], "hostedZoneName": given["zone"]}}}
    # ClusterIP: the gateway reaches the solver inside the cluster; the default NodePort would open one on each node.
    return {"http01": {"ingress": {given["class_field"]: "istio", "serviceType": "ClusterIP"}}}
