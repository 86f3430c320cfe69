"""Port 80: the redirect to HTTPS, and the way in for HTTP-01.

Two traps, both of which break the first issuance or leak plain HTTP:

- `httpsRedirect: true` answers the solver's path with a redirect as well (istio#27643). The redirect is a route
  without a match instead: a catch-all, which Istio sorts after the solver's exact path.
- A single Gateway with both ports would serve the application on port 80. There are two, and routes to applications
  name only the other one (tls_gateway.py).
"""

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

import pulumi
import pulumi_kubernetes as kubernetes


class HttpGatewayArgs(TypedDict):
    """What `HttpGateway` takes."""

    gateway: str
    """The name of the Gateway and of its VirtualService, unique in the namespace."""
    namespace: str
    """The gateway's namespace."""
    selector: Mapping[str, str]
    """Labels of the gateway's Pods."""
    hosts: Sequence[str]
    """DNS names; `*.` may lead one."""


class HttpGateway(pulumi.ComponentResource):
    """A Gateway on port 80 that serves redirects only."""

    def __init__(self, name: str, args: HttpGatewayArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("istio-gateway-tls:index:HttpGateway", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        metadata = {"name": args["gateway"], "namespace": args["namespace"]}
        gateway = kubernetes.apiextensions.CustomResource(
            f"{name}-gateway",
            api_version="networking.istio.io/v1",
            kind="Gateway",
            metadata=metadata,
            spec=gateway_spec(args["selector"], args["hosts"]),
            opts=child,
        )
        kubernetes.apiextensions.CustomResource(
            f"{name}-redirect",
            api_version="networking.istio.io/v1",
            kind="VirtualService",
            metadata=metadata,
            spec=redirect_spec(f"{args['namespace']}/{args['gateway']}", args["hosts"]),
            # It names the Gateway by a plain string, which is no dependency.
            opts=pulumi.ResourceOptions.merge(child, pulumi.ResourceOptions(depends_on=[gateway])),
        )
        self.register_outputs({})


def gateway_spec(selector: Mapping[str, str], hosts: Sequence[str]) -> dict[str, Any]:
    """Return the Gateway's spec; its hosts are listed, so that two stacks can share a gateway."""
    port = {"number": 80, "name": "http", "protocol": "HTTP"}
    return {"selector": dict(selector), "servers": [{"port": port, "hosts": list(hosts)}]}


def redirect_spec(gateway: str, hosts: Sequence[str]) -> dict[str, Any]:
    """Return the VirtualService's spec: 301 to HTTPS, with no match, on the port-80 Gateway alone."""
    return {
        "hosts": list(hosts),
        "gateways": [gateway],
        "http": [{"redirect": {"scheme": "https", "redirectCode": 301}}],
    }
