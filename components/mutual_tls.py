"""Mutual TLS in the mesh: what the sidecars of the applications' namespaces take.

Istio reads one PeerAuthentication without a selector per namespace, the oldest, and passes over the others without a
word to anybody but its own log. So each is called `default`, as in Istio's own documentation: where there is one, the
API server refuses another.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, NotRequired, TypedDict

import pulumi
import pulumi_kubernetes as kubernetes

from .args import Path, with_cross_check
from .fields import Default, Input, KubernetesName, OneOf
from .inputs import check_inputs, computed, recheck, resource_label
from .specs import istio, mutual_tls


def namespace_conflicts(args: Mapping[str, Any]) -> Iterator[tuple[Path, str]]:
    """Yield the namespaces that cannot have the mode, and those that are listed twice."""
    seen: set[str] = set()
    for position, namespace in enumerate(args["namespaces"]):
        if namespace in seen:
            yield ("namespaces", position), "is the same namespace as an earlier one"
        seen.add(namespace)
        if args["mode"] == mutual_tls.STRICT and (
            reason := mutual_tls.refuses_strict(namespace, args["gateway_namespace"])
        ):
            yield ("namespaces", position), reason


@with_cross_check(namespace_conflicts)
class MutualTlsArgs(TypedDict):
    """The inputs of `MutualTls`."""

    mode: Input[Annotated[str, OneOf(*mutual_tls.MODES)]]
    """`permissive` accepts plain text as well, `strict` does not."""
    namespaces: Sequence[Input[KubernetesName]]
    """The namespaces of the applications."""
    gateway_namespace: NotRequired[Annotated[Input[KubernetesName], Default(istio.NAMESPACE)]]
    """The namespace of the gateway's Pods. `strict` is refused there."""


class MutualTls(pulumi.ComponentResource):
    """A PeerAuthentication per namespace. Pods without a sidecar are unaffected.

    Example: `MutualTls("mtls", {"mode": "strict", "namespaces": ["shop"]})`
    """

    def __init__(self, name: str, args: MutualTlsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("istio-gateway-tls:index:MutualTls", name, {}, opts)
        inputs = check_inputs(self, name, args, MutualTlsArgs)
        rechecked = recheck(self, name, (), inputs, MutualTlsArgs)
        for position, namespace in enumerate(inputs["namespaces"]):
            kubernetes.apiextensions.CustomResource(
                f"{name}-{resource_label(namespace, position)}",
                api_version="security.istio.io/v1",
                kind="PeerAuthentication",
                metadata={"name": mutual_tls.PEER_AUTHENTICATION, "namespace": namespace},
                # It is for the whole namespace, without a selector.
                spec=computed(lambda known: {"mtls": {"mode": known["mode"].upper()}}, rechecked),
                opts=pulumi.ResourceOptions(parent=self),
            )
        self.register_outputs({})
