"""Two issuers, ACME staging and production, always both.

Editing an issuer's server does not reissue its certificates (cert-manager#4223). So there are two, each with an
account key of its own, and going from staging to production is a change of the certificate's `issuerRef`.

A ClusterIssuer signs for whoever may create Certificates, in any namespace: a solver's `dns_names` and `dns_zones`
limit what for. An Issuer signs for its own namespace alone.
"""

import base64
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, NotRequired, TypedDict

import pulumi
import pulumi_kubernetes as kubernetes

from .fields import (
    Challenge,
    ClassField,
    Default,
    Domain,
    Email,
    Environment,
    HostName,
    Input,
    IssuerKind,
    KubernetesName,
    MacKey,
    NonEmpty,
    Seconds,
    Text,
    Wait,
)
from .inputs import check_inputs
from .kube.awaiting import WAIT_FOR_READY, bounded
from .kube.credentials import credentials_of
from .kube.diagnosis import explain_on_failure
from .specs import acme, istio


class SolverArgs(TypedDict):
    """How control of names is proven."""

    challenge: NotRequired[Annotated[Challenge, Default(acme.HTTP01)]]
    """The challenge: `http01` through port 80 of the gateway, or `dns01` in the managed zone."""
    class_field: NotRequired[Annotated[ClassField, Default("class")]]
    """HTTP-01: the field of an Ingress that names the ingress class `istio`."""
    project: NotRequired[Input[Text]]
    """DNS-01: the project of the managed zone."""
    zone: NotRequired[Input[Text]]
    """DNS-01: the name of the managed zone. cert-manager then lists no zones, and needs a role on this one only."""
    follow_cname: NotRequired[Annotated[bool, Default(False)]]
    """DNS-01: whether `_acme-challenge.HOST` is a CNAME into the managed zone."""
    dns_names: NotRequired[Annotated[Sequence[Input[HostName]], Default(())]]
    """The names to solve for. Defaults to every name, unless there are `dns_zones`. A wildcard matches only itself."""
    dns_zones: NotRequired[Annotated[Sequence[Input[Domain]], Default(())]]
    """Domains to solve for, with every name below them."""
    wait_instead_of_self_check: NotRequired[Wait]
    """Seconds to wait instead of cert-manager's own check of a challenge."""


class ExternalAccountArgs(TypedDict):
    """An account at the CA that the ACME account is bound to (RFC 8555, section 7.3.4)."""

    key_id: Input[Text]
    """The key's identifier, which the CA assigns."""
    key_secret: NotRequired[Input[MacKey]]
    """The HMAC key, in base64url; it is put into a Secret."""
    secret_name: NotRequired[Input[KubernetesName]]
    """An existing Secret with the HMAC key in its entry `secret`, instead of `key_secret`. It is in the namespace of
    the Issuers, or for ClusterIssuers in cert-manager's."""


class AcmeIssuersArgs(TypedDict):
    """The inputs of `AcmeIssuers`."""

    email: Input[Email]
    """The contact of the ACME accounts."""
    create: NotRequired[Annotated[bool, Default(True)]]
    """False uses the issuers that another program has made."""
    read_accounts: NotRequired[Annotated[bool, Default(False)]]
    """Whether the accounts of another program's issuers are read. The issuers then have to exist."""
    kind: NotRequired[Annotated[IssuerKind, Default(acme.CLUSTER_ISSUER)]]
    """The kind of the issuers. Another kind is another issuer, with an account of its own."""
    namespace: NotRequired[Annotated[Input[KubernetesName], Default(istio.NAMESPACE)]]
    """The namespace of Issuers and of their account keys, which is that of the Certificates."""
    servers: NotRequired[Annotated[Mapping[Environment, Input[Text]], Default({})]]
    """The ACME directory of each environment, `staging` and `prod`. Let's Encrypt's by default."""
    solvers: NotRequired[Annotated[NonEmpty[SolverArgs], Default([{}])]]
    """How control of names is proven. The most specific matching solver wins. HTTP-01 for every name by default."""
    timeout: NotRequired[Annotated[Seconds, Default(600)]]
    """Seconds to wait for each issuer to be Ready, which it is when it has an account."""
    ca_bundle: NotRequired[Input[Text] | None]
    """PEM certificates of the CA that has signed the ACME servers' own certificates."""
    profile: NotRequired[Input[Text] | None]
    """The profile that certificates are ordered with."""
    external_accounts: NotRequired[Annotated[Mapping[Environment, ExternalAccountArgs], Default({})]]
    """The external account of each environment, `staging` and `prod`, where the CA asks for one."""
    cluster_namespace: NotRequired[Annotated[Input[KubernetesName], Default("cert-manager")]]
    """The namespace of the Secrets of ClusterIssuers, which is cert-manager's own."""


class Issuer(pulumi.CustomResource):
    """An issuer with its status, which pulumi_kubernetes' own CustomResource does not show."""

    status: pulumi.Output[dict[str, Any] | None]

    def __init__(
        self, name: str, kind: str, metadata: Any, spec: Any, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        version = "cert-manager.io/v1"
        props = {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec, "status": None}
        super().__init__(f"kubernetes:{version}:{kind}", name, props, opts)


class AcmeIssuers(pulumi.ComponentResource):
    """`letsencrypt-staging-istio` and `letsencrypt-prod-istio`, both with an account at their server."""

    names: pulumi.Output[Mapping[str, str]]
    """The issuer of each environment, `staging` and `prod`."""
    kind: pulumi.Output[str]
    """`ClusterIssuer` or `Issuer`."""
    accounts: pulumi.Output[Mapping[str, str]]
    """The URI of each environment's ACME account, which CAA records name; none where they are not read."""

    def __init__(self, name: str, args: AcmeIssuersArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("istio-gateway-tls:index:AcmeIssuers", name, {}, opts)
        inputs = check_inputs(self, name, args, AcmeIssuersArgs)
        placed = {"namespace": inputs["namespace"]} if inputs["kind"] == acme.ISSUER else {}
        secrets_namespace = placed.get("namespace", inputs["cluster_namespace"])
        issuers = {}
        hooks = explain_on_failure(self, credentials_of(self)) if inputs["create"] else None
        for environment in acme.ENVIRONMENTS if inputs["create"] else ():
            secret = self._account_secret(f"{name}-{environment}", environment, inputs, secrets_namespace)
            issuers[environment] = Issuer(
                f"{name}-{environment}",
                kind=inputs["kind"],
                metadata={"name": acme.issuer_name(environment), **placed, "annotations": WAIT_FOR_READY},
                spec=issuer_spec(environment, inputs),
                opts=pulumi.ResourceOptions(
                    parent=self,
                    # The issuer names it by a plain string, which is no dependency.
                    depends_on=secret,
                    # cert-manager repeats the e-mail address there, which may be a secret of the program.
                    additional_secret_outputs=["status"],
                    custom_timeouts=bounded(inputs["timeout"]),
                    hooks=hooks,
                ),
            )
        for environment in acme.ENVIRONMENTS if inputs["read_accounts"] and not inputs["create"] else ():
            issuer = acme.issuer_name(environment)
            found = pulumi.Output.format("{}/{}", inputs["namespace"], issuer) if placed else issuer
            read = pulumi.ResourceOptions(parent=self, id=found, additional_secret_outputs=["status"])
            issuers[environment] = Issuer(f"{name}-{environment}", inputs["kind"], None, None, read)
        # The status is secret for the e-mail address in it; the account's URI is in public DNS.
        self.accounts = pulumi.Output.unsecret(
            pulumi.Output.from_input({each: issuer.status for each, issuer in issuers.items()}).apply(account_uris)
        )
        self.names = pulumi.Output.from_input({each: acme.issuer_name(each) for each in acme.ENVIRONMENTS})
        self.kind = pulumi.Output.from_input(inputs["kind"])
        self.register_outputs({"names": self.names, "kind": self.kind, "accounts": self.accounts})

    def _account_secret(
        self, name: str, environment: str, inputs: Mapping[str, Any], namespace: Any
    ) -> list[pulumi.Resource]:
        """Make the Secret of an external account, where its key is given."""
        account = inputs["external_accounts"].get(environment)
        if not account or account["key_secret"] is None:
            return []
        key = pulumi.Output.secret(account["key_secret"])
        return [
            kubernetes.core.v1.Secret(
                f"{name}-external-account",
                metadata={"name": acme.external_account_secret(environment), "namespace": namespace},
                string_data={acme.MAC_KEY: key},
                opts=pulumi.ResourceOptions(parent=self),
            )
        ]


def account_uris(statuses: Mapping[str, Any]) -> dict[str, str]:
    """Return the URI of each issuer's account, of those that have one."""
    found = {each: ((status or {}).get("acme") or {}).get("uri") for each, status in statuses.items()}
    return {each: str(uri) for each, uri in found.items() if uri}


def issuer_spec(environment: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return an issuer's spec (https://cert-manager.io/docs/configuration/acme/)."""
    spec: dict[str, Any] = {
        "email": given["email"],
        "server": given["servers"].get(environment, acme.DIRECTORIES[environment]),
        "privateKeySecretRef": {"name": acme.account_key_secret(acme.issuer_name(environment))},
        "solvers": [spec for solver in given["solvers"] for spec in solver_specs(solver)],
    }
    if ca_bundle := given.get("ca_bundle"):
        spec["caBundle"] = pulumi.Output.from_input(ca_bundle).apply(
            lambda pem: base64.b64encode(pem.encode()).decode()
        )
    if profile := given.get("profile"):
        spec["profile"] = profile
    if account := (given.get("external_accounts") or {}).get(environment):
        named = account["secret_name"]
        secret = acme.external_account_secret(environment) if named is None else named
        spec["externalAccountBinding"] = {
            "keyID": account["key_id"],
            "keySecretRef": {"name": secret, "key": acme.MAC_KEY},
        }
    return {"acme": spec}


def solver_specs(given: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return a solver of both issuers: as one, or as one by names and one by domains. A selector takes both at once."""
    solver = solver_spec(given)
    selectors = {"dnsNames": given.get("dns_names"), "dnsZones": given.get("dns_zones")}
    return [{**solver, "selector": {field: chosen}} for field, chosen in selectors.items() if chosen] or [solver]


def solver_spec(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return how both issuers have a name proven."""
    wait = given.get("wait_instead_of_self_check")
    common = {} if wait is None else {"waitInsteadOfSelfCheck": f"{wait}s"}
    if given["challenge"] == acme.DNS01:
        zone = {"cloudDNS": {"project": given["project"], "hostedZoneName": given["zone"]}}
        return {"dns01": {**zone, **({"cnameStrategy": "Follow"} if given.get("follow_cname") else {})}, **common}
    # ClusterIP: the gateway reaches the solver inside the cluster; the default NodePort would open one on each node.
    return {"http01": {"ingress": {given["class_field"]: "istio", "serviceType": "ClusterIP"}}, **common}
