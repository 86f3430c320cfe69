"""Port 80: the redirect to HTTPS, and the entry for HTTP-01. specs/istio.py says what it must not do, and why."""

from collections.abc import Sequence
from typing import Annotated, NotRequired, TypedDict

import pulumi

from .fields import COMPONENT_NAME, Api, Default, HostName, Input, KubernetesName, NonEmpty, RouteNamespace, Selector
from .inputs import check_inputs
from .shared_args import ManagedGatewayArgs
from .specs import apis, istio
from .writers import WRITERS


class HttpGatewayArgs(TypedDict):
    """The inputs of `HttpGateway`."""

    hosts: Input[NonEmpty[Input[HostName]]]
    """DNS names; `*.` may lead one."""
    gateway: NotRequired[Annotated[Input[KubernetesName], COMPONENT_NAME]]
    """The name of the Gateway and of its VirtualService, unique in the namespace."""
    namespace: NotRequired[Annotated[Input[KubernetesName], Default(istio.NAMESPACE)]]
    """The namespace of the gateway's Pods."""
    api: NotRequired[Annotated[Api, Default(apis.ISTIO)]]
    """The API that the objects are of: `istio`, or `gateway` for the Gateway API of Kubernetes."""
    service: NotRequired[Annotated[Input[KubernetesName], Default(istio.SERVICE)]]
    """The gateway's Service, by which the Gateway API finds the gateway, or which Istio is to make for it."""
    managed: NotRequired[ManagedGatewayArgs | None]
    """With `api: gateway`: Istio runs the gateway. By default, there is one, which others have installed."""
    selector: NotRequired[Annotated[Input[Selector[Input[str]]], Default(istio.SELECTOR)]]
    """Labels of the gateway's Pods, by which Istio's own API finds the gateway."""
    routes_from: NotRequired[Annotated[Input[Sequence[Input[RouteNamespace]]], Default(())]]
    """Namespaces whose VirtualServices may have routes for the hosts, beside the Gateway's own. `*` is for all."""
    owned_hosts: NotRequired[Annotated[Input[Sequence[Input[HostName]]], Default(())]]
    """Hosts that have an owner on port 443. On port 80, they take routes of the Gateway's own namespace alone."""


class HttpGateway(pulumi.ComponentResource):
    """A Gateway on port 80 that serves only redirects.

    Example: `HttpGateway("http", {"hosts": ["shop.acme.dev"]})`
    """

    service: pulumi.Output[str]
    """The gateway's Service, once it is there."""

    def __init__(self, name: str, args: HttpGatewayArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("istio-gateway-tls:index:HttpGateway", name, {}, opts)
        inputs = check_inputs(self, name, args, HttpGatewayArgs)
        self.service = WRITERS[inputs["api"]].http(self, name, inputs)
        self.register_outputs({"service": self.service})
