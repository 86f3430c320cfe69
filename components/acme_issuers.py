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
from .kube.awaiting import WAIT_FOR_READY, bounded
from .kube.credentials import credentials_of
from .kube.diagnosis import explain_on_failure
from .specs import acme, istio, names, values


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
    follow_cname: NotRequired[bool]
    """DNS-01: whether `_acme-challenge.HOST` is a CNAME into that zone. False by default."""
    wait: NotRequired[int]
    """Seconds to wait before the CA is asked to look, in place of cert-manager's own look; 0, the default, looks."""
    dns_names: NotRequired[Sequence[pulumi.Input[str]]]
    """The names to solve for; without them and `dns_zones`, any name. A wildcard stands for itself alone."""
    dns_zones: NotRequired[Sequence[pulumi.Input[str]]]
    """Domains to solve for, with every name below them."""
    wait_instead_of_self_check: NotRequired[int]
    """Seconds to wait in place of cert-manager's own check of a challenge, which it makes by default."""


class ExternalAccountArgs(TypedDict):
    """An account at the CA itself, which the ACME account is bound to (RFC 8555, section 7.3.4)."""

    key_id: pulumi.Input[str]
    """The key's identifier, as the CA gives it."""
    key_secret: NotRequired[pulumi.Input[str]]
    """The HMAC key, base64url; it is put into a Secret."""
    secret_name: NotRequired[pulumi.Input[str]]
    """A Secret that has the HMAC key in `secret` already, in place of `key_secret`: in the issuers' namespace, or for
    ClusterIssuers in cert-manager's."""


class AcmeIssuersArgs(TypedDict):
    """What `AcmeIssuers` takes."""

    email: pulumi.Input[str]
    """The ACME account's contact."""
    create: NotRequired[bool]
    """False uses the issuers that another program has made. True by default."""
    read_accounts: NotRequired[bool]
    """Whether the accounts of another program's issuers are read. False by default: they need not be there yet."""
    kind: NotRequired[str]
    """`ClusterIssuer` (the default) or `Issuer`. Another kind is another issuer, with an account of its own."""
    namespace: NotRequired[pulumi.Input[str]]
    """Of Issuers and of their account keys: that of the Certificates, `istio-system` by default."""
    servers: NotRequired[Mapping[str, pulumi.Input[str]]]
    """The ACME directory of each environment, `staging` and `prod`; Let's Encrypt's by default."""
    solvers: NotRequired[Sequence[SolverArgs]]
    """How ownership is proven; of several for a name, the one that says so most exactly. HTTP-01 by default."""
    timeout: NotRequired[int]
    """Seconds to wait for each to be Ready, that is: to have an account. 600 by default."""
    ca_bundle: NotRequired[pulumi.Input[str] | None]
    """PEM certificates that the ACME servers' own TLS chains to."""
    profile: NotRequired[pulumi.Input[str] | None]
    """The profile that orders ask for."""
    external_accounts: NotRequired[Mapping[str, ExternalAccountArgs]]
    """Of `staging` and of `prod`, where the CA asks for one."""
    cluster_namespace: NotRequired[pulumi.Input[str]]
    """Where cert-manager looks for the Secrets of ClusterIssuers: its own, `cert-manager` by default."""


SOLVER = inputs.shape(
    challenge=inputs.known(inputs.value(values.one_of(*acme.CHALLENGES), acme.HTTP01)),
    class_field=inputs.known(inputs.value(values.one_of("class", "ingressClassName"), "class")),
    project=inputs.optional(inputs.value(values.string)),
    zone=inputs.optional(inputs.value(values.string)),
    follow_cname=inputs.known(inputs.value(values.boolean, False)),
    wait_instead_of_self_check=inputs.known(inputs.optional(inputs.value(values.whole(0, 3600)))),
    dns_names=inputs.known(inputs.optional(inputs.several(inputs.value(names.dns_name), least=0), [])),
    dns_zones=inputs.known(inputs.optional(inputs.several(inputs.value(names.domain), least=0), [])),
)

EXTERNAL_ACCOUNT = inputs.shape(
    key_id=inputs.value(values.string),
    key_secret=inputs.optional(inputs.value(acme.mac_key)),
    secret_name=inputs.optional(inputs.value(names.kubernetes_name)),
)

SHAPE = inputs.shape(
    email=inputs.value(names.email_address),
    create=inputs.known(inputs.value(values.boolean, True)),
    read_accounts=inputs.known(inputs.value(values.boolean, False)),
    kind=inputs.known(inputs.value(values.one_of(*acme.ISSUER_KINDS), acme.CLUSTER_ISSUER)),
    namespace=inputs.value(names.kubernetes_name, istio.NAMESPACE),
    servers=inputs.optional(
        inputs.shape(**{each: inputs.value(values.string, acme.DIRECTORIES[each]) for each in acme.ENVIRONMENTS}), {}
    ),
    solvers=inputs.known(inputs.optional(inputs.several(SOLVER), [{}])),
    timeout=inputs.known(inputs.value(values.whole(1, 3600), 600)),
    ca_bundle=inputs.optional(inputs.value(values.string)),
    profile=inputs.optional(inputs.value(values.string)),
    external_accounts=inputs.known(
        inputs.optional(inputs.shape(**{each: inputs.optional(EXTERNAL_ACCOUNT) for each in acme.ENVIRONMENTS}), {})
    ),
    cluster_namespace=inputs.value(names.kubernetes_name, "cert-manager"),
)


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
        given = inputs.check_inputs(self, name, args, SHAPE)
        placed = {"namespace": given["namespace"]} if given["kind"] == acme.ISSUER else {}
        secrets_namespace = placed.get("namespace", given["cluster_namespace"])
        issuers = {}
        hooks = explain_on_failure(self, credentials_of(self)) if given["create"] else None
        for environment in acme.ENVIRONMENTS if given["create"] else ():
            secret = self._account_secret(f"{name}-{environment}", environment, given, secrets_namespace)
            issuers[environment] = Issuer(
                f"{name}-{environment}",
                kind=given["kind"],
                metadata={"name": acme.issuer_name(environment), **placed, "annotations": WAIT_FOR_READY},
                spec=issuer_spec(environment, given),
                opts=pulumi.ResourceOptions(
                    parent=self,
                    # The issuer names it by a plain string, which is no dependency.
                    depends_on=secret,
                    # cert-manager repeats the e-mail address there, which may be a secret of the program.
                    additional_secret_outputs=["status"],
                    custom_timeouts=bounded(given["timeout"]),
                    hooks=hooks,
                ),
            )
        for environment in acme.ENVIRONMENTS if given["read_accounts"] and not given["create"] else ():
            issuer = acme.issuer_name(environment)
            found = pulumi.Output.format("{}/{}", given["namespace"], issuer) if placed else issuer
            read = pulumi.ResourceOptions(parent=self, id=found, additional_secret_outputs=["status"])
            issuers[environment] = Issuer(f"{name}-{environment}", given["kind"], None, None, read)
        # The status is secret for the e-mail address in it; the account's URI is in public DNS.
        self.accounts = pulumi.Output.unsecret(
            pulumi.Output.from_input({each: issuer.status for each, issuer in issuers.items()}).apply(account_uris)
        )
        self.names = pulumi.Output.from_input({each: acme.issuer_name(each) for each in acme.ENVIRONMENTS})
        self.kind = pulumi.Output.from_input(given["kind"])
        self.register_outputs({"names": self.names, "kind": self.kind, "accounts": self.accounts})

    def _account_secret(
        self, name: str, environment: str, given: Mapping[str, Any], namespace: Any
    ) -> list[pulumi.Resource]:
        """Make the Secret of an external account, where its key is given."""
        account = given["external_accounts"].get(environment)
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
        "server": given["servers"][environment],
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
