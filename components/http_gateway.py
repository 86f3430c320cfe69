"""Port 80: the redirect to HTTPS, and the entry for HTTP-01. specs/istio.py says what it must not do, and why."""

from collections.abc import Sequence
from typing import Annotated, NotRequired, TypedDict

import pulumi
import pulumi_kubernetes as kubernetes

from .fields import COMPONENT_NAME, Default, HostName, Input, KubernetesName, NonEmpty, RouteNamespace, Selector
from .inputs import check_inputs, computed
from .specs import istio


class HttpGatewayArgs(TypedDict):
    """The inputs of `HttpGateway`."""

    hosts: Input[NonEmpty[Input[HostName]]]
    """DNS names; `*.` may lead one."""
    gateway: NotRequired[Annotated[Input[KubernetesName], COMPONENT_NAME]]
    """The name of the Gateway and of its VirtualService, unique in the namespace."""
    namespace: NotRequired[Annotated[Input[KubernetesName], Default(istio.NAMESPACE)]]
    """The namespace of the gateway's Pods."""
    selector: NotRequired[Annotated[Input[Selector[Input[str]]], Default(istio.SELECTOR)]]
    """Labels of the gateway's Pods."""
    routes_from: NotRequired[Annotated[Input[Sequence[Input[RouteNamespace]]], Default(())]]
    """Namespaces whose VirtualServices may have routes for the hosts, beside the Gateway's own. `*` is for all."""


class HttpGateway(pulumi.ComponentResource):
    """A Gateway on port 80 that serves only redirects.

    Example: `HttpGateway("http", {"hosts": ["shop.acme.dev"]})`
    """

    def __init__(self, name: str, args: HttpGatewayArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("istio-gateway-tls:index:HttpGateway", name, {}, opts)
        inputs = check_inputs(self, name, args, HttpGatewayArgs)
        child = pulumi.ResourceOptions(parent=self)
        metadata = istio.metadata(inputs["gateway"], inputs["namespace"])
        gateway = kubernetes.apiextensions.CustomResource(
            f"{name}-gateway",
            api_version="networking.istio.io/v1",
            kind="Gateway",
            metadata=metadata,
            spec=computed(istio.http_gateway_spec, inputs["selector"], inputs["hosts"], inputs["routes_from"]),
            opts=child,
        )
        qualified = computed("{}/{}".format, inputs["namespace"], inputs["gateway"])
        kubernetes.apiextensions.CustomResource(
            f"{name}-redirect",
            api_version="networking.istio.io/v1",
            kind="VirtualService",
            metadata=metadata,
            spec=computed(istio.redirect_spec, qualified, inputs["hosts"]),
            # It names the Gateway by a plain string, which is no dependency.
            opts=pulumi.ResourceOptions.merge(child, pulumi.ResourceOptions(depends_on=[gateway])),
        )
        self.register_outputs({})
