"""Port 80: the redirect to HTTPS, and the way in for HTTP-01. rules/istio.py says what it must not do, and why."""

from collections.abc import Mapping, Sequence
from typing import NotRequired, TypedDict

import pulumi
import pulumi_kubernetes as kubernetes

from . import inputs
from .specs import istio, names


class HttpGatewayArgs(TypedDict):
    """What `HttpGateway` takes."""

    hosts: pulumi.Input[Sequence[pulumi.Input[str]]]
    """DNS names; `*.` may lead one."""
    gateway: NotRequired[pulumi.Input[str]]
    """The name of the Gateway and of its VirtualService, unique in the namespace; the component's name by default."""
    namespace: NotRequired[pulumi.Input[str]]
    """The namespace of the gateway's Pods, `istio-system` by default."""
    selector: NotRequired[pulumi.Input[Mapping[str, pulumi.Input[str]]]]
    """Labels of the gateway's Pods, `istio: ingressgateway` by default."""


SHAPE = inputs.shape(
    **inputs.GATEWAY,
    hosts=inputs.several(inputs.value(names.dns_name)),
)


class HttpGateway(pulumi.ComponentResource):
    """A Gateway on port 80 that serves redirects only."""

    def __init__(self, name: str, args: HttpGatewayArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("istio-gateway-tls:index:HttpGateway", name, {}, opts)
        given = inputs.check_inputs(self, name, {"gateway": name, **args}, SHAPE)
        child = pulumi.ResourceOptions(parent=self)
        metadata = istio.metadata(given["gateway"], given["namespace"])
        gateway = kubernetes.apiextensions.CustomResource(
            f"{name}-gateway",
            api_version="networking.istio.io/v1",
            kind="Gateway",
            metadata=metadata,
            spec=inputs.computed(istio.http_gateway_spec, given["selector"], given["hosts"]),
            opts=child,
        )
        qualified = inputs.computed("{}/{}".format, given["namespace"], given["gateway"])
        kubernetes.apiextensions.CustomResource(
            f"{name}-redirect",
            api_version="networking.istio.io/v1",
            kind="VirtualService",
            metadata=metadata,
            spec=inputs.computed(istio.redirect_spec, qualified, given["hosts"]),
            # It names the Gateway by a plain string, which is no dependency.
            opts=pulumi.ResourceOptions.merge(child, pulumi.ResourceOptions(depends_on=[gateway])),
        )
        self.register_outputs({})
