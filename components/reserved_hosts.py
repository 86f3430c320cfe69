"""Reserves hosts for the namespaces of their gateways, by the API server's own admission."""

from collections.abc import Mapping, Sequence
from typing import Annotated, NotRequired, TypedDict

import pulumi
import pulumi_kubernetes as kubernetes

from .fields import COMPONENT_NAME, Default, HostName, Input, KubernetesName, NonEmpty, Selector, Text
from .inputs import check_inputs, computed
from .specs import istio, reserved_hosts


class ReservedHostsArgs(TypedDict):
    """The inputs of `ReservedHosts`."""

    hosts: Input[NonEmpty[Input[HostName]]]
    """DNS names; `*.` may lead one, which reserves every name below it."""
    namespaces: NotRequired[Annotated[Input[NonEmpty[Input[KubernetesName]]], Default([istio.NAMESPACE])]]
    """The namespaces whose objects may name the hosts: that of the gateway's Pods first."""
    owners: NotRequired[Annotated[Mapping[HostName, Input[KubernetesName]], Default({})]]
    """Hosts that routes of one more namespace may name, each with that namespace."""
    secrets: NotRequired[Annotated[Input[Sequence[Input[Text]]], Default(())]]
    """Secrets of the gateway that no Gateway or Ingress of another namespace may present."""
    selectors: NotRequired[Annotated[Input[NonEmpty[Selector[Input[str]]]], Default([istio.SELECTOR])]]
    """Labels of each gateway's Pods."""
    object_name: NotRequired[Annotated[Input[Text], COMPONENT_NAME]]
    """The name of the policy and of its binding, unique in the cluster."""


class ReservedHosts(pulumi.ComponentResource):
    """A ValidatingAdmissionPolicy that refuses Gateways, routes, Ingresses and ACME Orders with the hosts elsewhere.

    It needs Kubernetes 1.30. Objects that exist already stay, and their updates are refused.

    Example: `ReservedHosts("reserved", {"hosts": ["shop.acme.dev"], "secrets": ["shop-tls"]})`
    """

    def __init__(self, name: str, args: ReservedHostsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("istio-gateway-tls:index:ReservedHosts", name, {}, opts)
        inputs = check_inputs(self, name, args, ReservedHostsArgs)
        metadata = {"name": inputs["object_name"]}
        policy = kubernetes.apiextensions.CustomResource(
            f"{name}-policy",
            api_version=reserved_hosts.API_VERSION,
            kind="ValidatingAdmissionPolicy",
            metadata=metadata,
            spec=computed(
                reserved_hosts.policy_spec,
                *(inputs["hosts"], inputs["namespaces"], inputs["secrets"], inputs["selectors"], inputs["owners"]),
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
        kubernetes.apiextensions.CustomResource(
            f"{name}-binding",
            api_version=reserved_hosts.API_VERSION,
            kind="ValidatingAdmissionPolicyBinding",
            metadata=metadata,
            spec=computed(reserved_hosts.binding_spec, inputs["object_name"]),
            # It names the policy by a plain string, which is no dependency.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[policy]),
        )
        self.register_outputs({})
