"""The gateway's certificates, awaited until the ACME server has signed them.

The Secrets are in the namespace of the gateway's Pods, where istiod may read them. They outlive their Certificates:
deleting one would spend the CA's weekly limit of identical certificates.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, NotRequired, TypedDict

import pulumi

from .args import Path, with_cross_check
from .fields import (
    Default,
    Input,
    IssuerKind,
    KeyAlgorithm,
    KeyRotation,
    KubernetesName,
    NonEmpty,
    Number,
    Percentage,
    Seconds,
    Text,
)
from .inputs import check_inputs, resource_label
from .kube.credentials import credentials_of
from .kube.diagnosis import WAIT_FOR_READY, explain_on_failure, timeouts
from .specs import acme, istio, tls
from .tls_gateway import CredentialArgs


def _wrong_size(key: Mapping[str, Any]) -> Iterator[tuple[Path, str]]:
    sizes = tls.KEY_SIZES[key["algorithm"]]
    if key["size"] is not None and key["size"] not in sizes:
        yield ("size",), f"is {key['size']}; accepted for {key['algorithm']}: {', '.join(map(str, sizes))}"


@with_cross_check(_wrong_size)
class KeyArgs(TypedDict):
    """The private key of a certificate."""

    algorithm: NotRequired[Annotated[KeyAlgorithm, Default("ECDSA")]]
    """The algorithm of the key."""
    size: NotRequired[Number | None]
    """The size in bits: for ECDSA 256 (the default) or 384; for RSA 2048 (the default), 3072 or 4096."""
    rotation: NotRequired[Annotated[KeyRotation, Default(tls.ROTATIONS[0])]]
    """Whether a renewal makes a new key."""


class GatewayCertificateArgs(TypedDict):
    """The inputs of `GatewayCertificate`."""

    issuer: Input[Text]
    """The name of the issuer. When it changes, every certificate is issued again, in place."""
    credentials: NonEmpty[CredentialArgs]
    """The certificates to make, the same as `TlsGateway` presents."""
    issuer_kind: NotRequired[Annotated[Input[IssuerKind], Default(acme.CLUSTER_ISSUER)]]
    """The kind of the issuer. An `Issuer` is in the namespace of the Certificates."""
    namespace: NotRequired[Annotated[Input[KubernetesName], Default(istio.NAMESPACE)]]
    """The namespace of the gateway's Pods."""
    key: NotRequired[Annotated[KeyArgs, Default({})]]
    """The private key of each certificate."""
    timeout: NotRequired[Annotated[Seconds, Default(600)]]
    """Seconds to wait for each certificate to be Ready."""
    profile: NotRequired[Text | None]
    """The ACME profile. Some profiles exclude a common name."""
    renew_before_percentage: NotRequired[Input[Percentage] | None]
    """Per cent of the lifetime that is left when a certificate is renewed. cert-manager's default is a third."""


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
    """One Certificate for each of the credentials; all are Ready when this component is.

    Example: `GatewayCertificate("certificate", {"issuer": issuers.names["prod"], "credentials": credentials})`
    """

    secret: pulumi.Output[str]
    """The first certificate's Secret."""
    not_after: pulumi.Output[str]
    """When the first certificate expires, in RFC 3339."""
    renewal_time: pulumi.Output[str]
    """When the first certificate is renewed, in RFC 3339."""

    def __init__(self, name: str, args: GatewayCertificateArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("istio-gateway-tls:index:GatewayCertificate", name, {}, opts)
        inputs = check_inputs(self, name, args, GatewayCertificateArgs)
        hooks = explain_on_failure(self, credentials_of(self))
        certificates = []
        for position, credential in enumerate(inputs["credentials"]):
            certificate = Certificate(
                f"{name}-{resource_label(credential['secret_name'], position)}",
                metadata={
                    "name": credential["secret_name"],
                    "namespace": inputs["namespace"],
                    "annotations": WAIT_FOR_READY,
                },
                spec=certificate_spec(credential, inputs),
                opts=pulumi.ResourceOptions(
                    parent=self,
                    custom_timeouts=timeouts(inputs["timeout"]),
                    hooks=hooks,
                ),
            )
            certificates.append(certificate)
        statuses = pulumi.Output.all(*(certificate.status for certificate in certificates))
        self.secret = pulumi.Output.from_input(inputs["credentials"][0]["secret_name"])
        self.not_after = statuses.apply(lambda known: earliest(known, "notAfter"))
        self.renewal_time = statuses.apply(lambda known: earliest(known, "renewalTime"))
        self.register_outputs({"secret": self.secret, "notAfter": self.not_after, "renewalTime": self.renewal_time})


def earliest(statuses: Iterable[dict[str, Any] | None], field: str) -> str:
    """Return the first time among the Certificates' statuses; times of one zone and format sort as text."""
    return min((str(status[field]) for status in statuses if status and status.get(field)), default="")


def certificate_spec(credential: Mapping[str, Any], inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return a Certificate's spec (https://cert-manager.io/docs/reference/api-docs/).

    Args:
        credential: a `CredentialArgs`.
        inputs: a `GatewayCertificateArgs`, with all its fields.
    """
    key = inputs["key"]
    spec: dict[str, Any] = {
        "secretName": credential["secret_name"],
        "issuerRef": {"group": "cert-manager.io", "kind": inputs["issuer_kind"], "name": inputs["issuer"]},
        "dnsNames": credential["hosts"],
        "privateKey": {
            "algorithm": key["algorithm"],
            "size": key["size"] or tls.KEY_SIZES[key["algorithm"]][0],
            "rotationPolicy": key["rotation"],
        },
    }
    if percentage := inputs["renew_before_percentage"]:
        spec["renewBeforePercentage"] = percentage
    first, *_ = credential["hosts"]
    # Whether a name is too long for a common name is not known of an Output; browsers read dnsNames alone.
    if isinstance(first, str) and (common_name := acme.common_name([first], inputs["profile"])):
        spec["commonName"] = common_name
    return spec
