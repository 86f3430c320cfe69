"""The gateway's certificates, awaited until the ACME server has signed them.

The Secrets lie in the namespace of the gateway's Pods, where istiod may read them. They outlive their Certificates:
deleting one would spend the CA's weekly limit of identical certificates.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NotRequired, TypedDict

import pulumi

from . import inputs
from .kube.awaiting import WAIT_FOR_READY, bounded
from .kube.credentials import credentials_of
from .kube.diagnosis import explain_on_failure
from .specs import acme, istio, names, tls, values
from .tls_gateway import CREDENTIALS, CredentialArgs


class KeyArgs(TypedDict):
    """The private key."""

    algorithm: NotRequired[str]
    """`ECDSA` (the default) or `RSA`."""
    size: NotRequired[int | None]
    """Bits: 256 (the default of ECDSA) or 384; 2048 (the default of RSA), 3072 or 4096."""
    rotation: NotRequired[str]
    """Whether a renewal makes a new key: `Always` (the default) or `Never`."""


class GatewayCertificateArgs(TypedDict):
    """What `GatewayCertificate` takes."""

    issuer: pulumi.Input[str]
    """Its name. Another issuer, or one of another kind, signs every certificate anew, in place."""
    credentials: Sequence[CredentialArgs]
    """The certificates to make, the same as `TlsGateway` presents."""
    issuer_kind: NotRequired[pulumi.Input[str]]
    """`ClusterIssuer` (the default), or `Issuer` for one of the Certificates' own namespace."""
    namespace: NotRequired[pulumi.Input[str]]
    """The namespace of the gateway's Pods, `istio-system` by default."""
    key: NotRequired[KeyArgs]
    """The private key of each."""
    timeout: NotRequired[int]
    """Seconds to wait for each to be Ready, 600 by default."""
    profile: NotRequired[str | None]
    """The ACME profile, which may rule out a common name."""
    renew_before_percentage: NotRequired[pulumi.Input[int] | None]
    """Per cent of the lifetime left at renewal; cert-manager's own third by default."""


SHAPE = inputs.shape(
    issuer=inputs.value(values.string),
    issuer_kind=inputs.value(values.one_of(*acme.ISSUER_KINDS), acme.CLUSTER_ISSUER),
    credentials=CREDENTIALS,
    namespace=inputs.value(names.kubernetes_name, istio.NAMESPACE),
    key=inputs.optional(
        inputs.shape(
            algorithm=inputs.known(inputs.value(values.one_of(*tls.KEY_SIZES), "ECDSA")),
            size=inputs.known(inputs.optional(inputs.value(values.whole(1, 65536)))),
            rotation=inputs.known(inputs.value(values.one_of(*tls.ROTATIONS), "Always")),
        ),
        {},
    ),
    timeout=inputs.known(inputs.value(values.whole(1, 3600), 600)),
    profile=inputs.known(inputs.optional(inputs.value(values.string))),
    renew_before_percentage=inputs.optional(inputs.value(values.whole(1, 99))),
)


class Certificate(pulumi.CustomResource):
    """A cert-manager Certificate with its status, which pulumi_kubernetes' own CustomResource does not show."""

    status: pulumi.Output[dict[str, Any]]

    def __init__(self, name: str, metadata: Any, spec: Any, opts: pulumi.ResourceOptions | None = None) -> None:
        props = {
            "apiVersion": "cert-manager.io/v1",
            "kind": "Certificate",
            "metadata": metadata,
            "spec": spec,
            "status": None,
        }
        super().__init__("kubernetes:cert-manager.io/v1:Certificate", name, props, opts)


class GatewayCertificate(pulumi.ComponentResource):
    """One Certificate for each of the credentials, each Ready when this component is."""

    secret: pulumi.Output[str]
    """The first certificate's Secret."""
    not_after: pulumi.Output[str]
    """When the first of them expires, RFC 3339."""
    renewal_time: pulumi.Output[str]
    """When the first of them is renewed, RFC 3339."""

    def __init__(self, name: str, args: GatewayCertificateArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("istio-gateway-tls:index:GatewayCertificate", name, {}, opts)
        given = inputs.check_inputs(self, name, args, SHAPE)
        key = key_spec(f"GatewayCertificate {name!r}", given["key"])
        hooks = explain_on_failure(self, credentials_of(self))
        certificates = []
        for position, each in enumerate(given["credentials"]):
            certificate = Certificate(
                f"{name}-{inputs.label(each['secret_name'], position)}",
                metadata={
                    "name": each["secret_name"],
                    "namespace": given["namespace"],
                    "annotations": WAIT_FOR_READY,
                },
                spec=certificate_spec(each, given, key),
                opts=pulumi.ResourceOptions(
                    parent=self,
                    custom_timeouts=bounded(given["timeout"]),
                    hooks=hooks,
                ),
            )
            certificates.append(certificate)
        statuses = pulumi.Output.all(*(certificate.status for certificate in certificates))
        self.secret = pulumi.Output.from_input(given["credentials"][0]["secret_name"])
        self.not_after = statuses.apply(lambda all_of_them: earliest(all_of_them, "notAfter"))
        self.renewal_time = statuses.apply(lambda all_of_them: earliest(all_of_them, "renewalTime"))
        self.register_outputs({"secret": self.secret, "notAfter": self.not_after, "renewalTime": self.renewal_time})


def earliest(statuses: Iterable[dict[str, Any] | None], field: str) -> str:
    """Return the first time among the Certificates' statuses; times of one zone and format sort as text."""
    return min((str(status[field]) for status in statuses if status and status.get(field)), default="")


def key_spec(component: str, key: Mapping[str, Any]) -> dict[str, Any]:
    """Return a Certificate's `privateKey`; `component` is named when the size is not one of the algorithm's."""
    algorithm = key["algorithm"]
    size = key["size"] or tls.KEY_SIZES[algorithm][0]
    check = inputs.shape(size=inputs.value(lambda given: tls.key_size(algorithm, given)))
    inputs.check_value(component, "key", {"size": size}, check)
    return {"algorithm": algorithm, "size": size, "rotationPolicy": key["rotation"]}


def certificate_spec(credential: Mapping[str, Any], given: Mapping[str, Any], key: Mapping[str, Any]) -> dict[str, Any]:
    """Return a Certificate's spec (https://cert-manager.io/docs/reference/api-docs/)."""
    spec: dict[str, Any] = {
        "secretName": credential["secret_name"],
        "issuerRef": {"group": "cert-manager.io", "kind": given["issuer_kind"], "name": given["issuer"]},
        "dnsNames": credential["hosts"],
        "privateKey": key,
    }
    if percentage := given.get("renew_before_percentage"):
        spec["renewBeforePercentage"] = percentage
    first, *_ = credential["hosts"]
    # Whether a name is too long for a common name is not known of an Output; browsers read dnsNames alone.
    if isinstance(first, str) and (common_name := acme.common_name([first], given["profile"])):
        spec["commonName"] = common_name
    return spec
