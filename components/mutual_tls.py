"""Mutual TLS in the mesh: what the sidecars of the applications' namespaces take.

Istio reads one PeerAuthentication without a selector per namespace, the oldest, and passes over the others without a
word to anybody but its own log. So each is called `default`, as in Istio's own documentation: where there is one, the
API server refuses another.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NotRequired, TypedDict

import pulumi
import pulumi_kubernetes as kubernetes

from . import inputs
from .specs import istio, mutual_tls, names, values


class MutualTlsArgs(TypedDict):
    """What `MutualTls` takes."""

    mode: pulumi.Input[str]
    """`permissive` takes plain text as well, `strict` does not."""
    namespaces: Sequence[pulumi.Input[str]]
    """The applications' namespaces."""
    gateway_namespace: NotRequired[pulumi.Input[str]]
    """The namespace of the gateway's Pods, `istio-system` by default. `strict` is refused there."""


SHAPE = inputs.shape(
    mode=inputs.value(values.one_of(*mutual_tls.MODES)),
    namespaces=inputs.known(inputs.several(inputs.value(names.kubernetes_name), least=0)),
    gateway_namespace=inputs.value(names.kubernetes_name, istio.NAMESPACE),
)


class MutualTls(pulumi.ComponentResource):
    """A PeerAuthentication per namespace. It is for Pods with a sidecar: the others take what they took before."""

    def __init__(self, name: str, args: MutualTlsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("istio-gateway-tls:index:MutualTls", name, {}, opts)
        given = inputs.check_inputs(self, name, args, inputs.agreeing(SHAPE, disagreements))
        agreed = inputs.agreed(self, name, "", given, disagreements)
        for position, namespace in enumerate(given["namespaces"]):
            kubernetes.apiextensions.CustomResource(
                f"{name}-{inputs.label(namespace, position)}",
                api_version="security.istio.io/v1",
                kind="PeerAuthentication",
                metadata={"name": mutual_tls.PEER_AUTHENTICATION, "namespace": namespace},
                spec=inputs.computed(lambda known: mutual_tls.peer_authentication_spec(known["mode"]), agreed),
                opts=pulumi.ResourceOptions(parent=self),
            )
        self.register_outputs({})


def disagreements(given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the namespaces that a mode is not for, and those that come twice."""
    seen: set[str] = set()
    for position, namespace in enumerate(given["namespaces"]):
        if namespace in seen:
            yield f"namespaces[{position}]", "is the same namespace as an earlier one"
        seen.add(namespace)
        if given["mode"] == mutual_tls.STRICT and (
            reason := mutual_tls.refuses_strict(namespace, given["gateway_namespace"])
        ):
            yield f"namespaces[{position}]", reason
