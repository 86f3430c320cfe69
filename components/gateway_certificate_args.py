"""The inputs of `GatewayCertificate`, without Pulumi: the stack config has some of these fields."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, NotRequired, TypedDict

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
    Profile,
    Seconds,
    Text,
)
from .specs import acme, istio, tls
from .tls_gateway_args import CredentialArgs


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
    profile: NotRequired[Profile | None]
    """The ACME profile. Some profiles exclude a common name."""
    renew_before_percentage: NotRequired[Input[Percentage] | None]
    """Per cent of the lifetime that is left when a certificate is renewed. cert-manager's default is a third."""
