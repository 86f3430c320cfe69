"""Two issuers, ACME staging and production, always both.

Editing an issuer's server does not reissue its certificates (cert-manager#4223). So there are two, each with an
account key of its own, and going from staging to production is a change of the certificate's `issuerRef`.

A ClusterIssuer signs for everybody who may create Certificates, in any namespace: the `dns_names` and `dns_zones` of
its solvers limit the names. An Issuer signs only in its own namespace.
"""

import base64
from collections.abc import Mapping
from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes

from .fields import Input
from .inputs import check_inputs
from .kube.credentials import credentials_of
from .kube.diagnosis import WAIT_FOR_READY, AwaitedObject, explain_on_failure, timeouts
from .shared_args import AcmeIssuersArgs
from .specs import acme, apis


class AcmeIssuers(pulumi.ComponentResource):
    """`letsencrypt-staging-istio` and `letsencrypt-prod-istio`, both with an account at their server.

    Example: `AcmeIssuers("issuers", {"email": "platform@acme.dev"}, ResourceOptions(depends_on=[cert_manager]))`
    """

    names: pulumi.Output[Mapping[str, str]]
    """The name of the issuer of each environment, `staging` and `prod`."""
    kind: pulumi.Output[str]
    """`ClusterIssuer` or `Issuer`."""
    accounts: pulumi.Output[Mapping[str, str]]
    """The URI of each environment's ACME account, which CAA records name. Empty if accounts are not read."""

    def __init__(self, name: str, args: AcmeIssuersArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("istio-gateway-tls:index:AcmeIssuers", name, {}, opts)
        inputs = check_inputs(self, name, args, AcmeIssuersArgs)
        if inputs["create"]:
            issuers = self._create(name, inputs)
        else:
            issuers = self._read(name, inputs) if inputs["read_accounts"] else {}
        statuses = {environment: issuer.status for environment, issuer in issuers.items()}
        # The status is secret for the e-mail address in it; the account's URI is in public DNS.
        self.accounts = pulumi.Output.unsecret(pulumi.Output.from_input(statuses).apply(account_uris))
        self.names = pulumi.Output.from_input({name: acme.issuer_name(name) for name in acme.ENVIRONMENTS})
        self.kind = pulumi.Output.from_input(inputs["kind"])
        self.register_outputs({"names": self.names, "kind": self.kind, "accounts": self.accounts})

    def _create(self, name: str, inputs: Mapping[str, Any]) -> dict[str, AwaitedObject]:
        issuers = {}
        hooks = explain_on_failure(self, credentials_of(self))
        placed = {"namespace": inputs["namespace"]} if inputs["kind"] == acme.ISSUER else {}
        for environment in acme.ENVIRONMENTS:
            secret = self._account_secret(f"{name}-{environment}", environment, inputs)
            issuers[environment] = AwaitedObject(
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
                    custom_timeouts=timeouts(inputs["timeout"]),
                    hooks=hooks,
                ),
            )
        return issuers

    def _read(self, name: str, inputs: Mapping[str, Any]) -> dict[str, AwaitedObject]:
        issuers = {}
        for environment in acme.ENVIRONMENTS:
            issuer: Input[str] = acme.issuer_name(environment)
            if inputs["kind"] == acme.ISSUER:
                issuer = pulumi.Output.format("{}/{}", inputs["namespace"], issuer)
            opts = pulumi.ResourceOptions(parent=self, id=issuer, additional_secret_outputs=["status"])
            issuers[environment] = AwaitedObject(f"{name}-{environment}", inputs["kind"], None, None, opts)
        return issuers

    def _account_secret(self, name: str, environment: str, inputs: Mapping[str, Any]) -> list[pulumi.Resource]:
        account = inputs["external_accounts"].get(environment)
        if not account or account["key_secret"] is None:
            return []
        namespace = inputs["namespace" if inputs["kind"] == acme.ISSUER else "cluster_namespace"]
        return [
            kubernetes.core.v1.Secret(
                f"{name}-external-account",
                metadata={"name": acme.external_account_secret(environment), "namespace": namespace},
                string_data={acme.MAC_KEY: pulumi.Output.secret(account["key_secret"])},
                opts=pulumi.ResourceOptions(parent=self),
            )
        ]


def account_uris(statuses: Mapping[str, Any]) -> dict[str, str]:
    """Return the URIs of the issuers' accounts, without issuers that have none."""
    uris = {name: ((status or {}).get("acme") or {}).get("uri") for name, status in statuses.items()}
    return {name: str(uri) for name, uri in uris.items() if uri}


def issuer_spec(environment: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return an issuer's spec (https://cert-manager.io/docs/configuration/acme/); `inputs` has all fields."""
    spec: dict[str, Any] = {
        "email": inputs["email"],
        "server": inputs["servers"].get(environment, acme.DIRECTORIES[environment]),
        "privateKeySecretRef": {"name": acme.account_key_secret(acme.issuer_name(environment))},
        "solvers": [spec for solver in inputs["solvers"] for spec in solver_specs(solver)],
    }
    if ca_bundle := inputs["ca_bundle"]:
        spec["caBundle"] = pulumi.Output.from_input(ca_bundle).apply(
            lambda pem: base64.b64encode(pem.encode()).decode()
        )
    if profile := inputs["profile"]:
        spec["profile"] = profile
    if account := inputs["external_accounts"].get(environment):
        default = acme.external_account_secret(environment)
        secret = default if account["secret_name"] is None else account["secret_name"]
        spec["externalAccountBinding"] = {
            "keyID": account["key_id"],
            "keySecretRef": {"name": secret, "key": acme.MAC_KEY},
        }
    return {"acme": spec}


def solver_specs(solver: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return a `SolverArgs` as cert-manager has it: one solver for names and one for domains, or one for every name.

    In a selector of cert-manager, names and domains would have to match both.
    """
    spec = solver_spec(solver)
    selectors = {"dnsNames": solver["dns_names"], "dnsZones": solver["dns_zones"]}
    return [{**spec, "selector": {field: hosts}} for field, hosts in selectors.items() if hosts] or [spec]


def solver_spec(solver: Mapping[str, Any]) -> dict[str, Any]:
    """Return how a solver proves control of a name."""
    wait = solver["wait_instead_of_self_check"]
    common = {} if wait is None else {"waitInsteadOfSelfCheck": f"{wait}s"}
    if solver["challenge"] == acme.DNS01:
        zone = {"cloudDNS": {"project": solver["project"], "hostedZoneName": solver["zone"]}}
        return {"dns01": {**zone, **({"cnameStrategy": "Follow"} if solver["follow_cname"] else {})}, **common}
    if solver["api"] == apis.GATEWAY:
        return {"http01": {"gatewayHTTPRoute": {"serviceType": "ClusterIP"}}, **common}
    # ClusterIP: the gateway reaches the solver inside the cluster; the default NodePort would open one on each node.
    return {"http01": {"ingress": {solver["class_field"]: "istio", "serviceType": "ClusterIP"}}, **common}
