"""Port 443: TLS with the issued Secrets, and the routes to the applications.

Istio delivers the Secrets by SDS and rotates them without a restart, so nothing is mounted into the gateway.
"""

from collections.abc import Mapping, Sequence
from typing import NotRequired, TypedDict

import pulumi
import pulumi_kubernetes as kubernetes

from . import inputs
from .rules import names, routes, tls, values


class RouteArgs(TypedDict):
    """Where requests under a path go."""

    service: pulumi.Input[str]
    """The Service's name."""
    namespace: pulumi.Input[str]
    """The Service's namespace."""
    port: pulumi.Input[int]
    """The Service's port."""
    path: NotRequired[pulumi.Input[str]]
    """A path prefix, `/` by default."""


class HostArgs(TypedDict):
    """A name and its routes."""

    host: pulumi.Input[str]
    """A DNS name; `*.` may lead it."""
    routes: pulumi.Input[Sequence[RouteArgs]]
    """At least one, in any order: the longest path that fits takes a request."""


class CredentialArgs(TypedDict):
    """A certificate and the names that it is served for."""

    secret_name: pulumi.Input[str]
    """The Secret, in the namespace of the gateway's Pods (istio#27740)."""
    hosts: Sequence[pulumi.Input[str]]
    """The names."""


class TlsGatewayArgs(TypedDict):
    """What `TlsGateway` takes."""

    credentials: Sequence[CredentialArgs]
    """The certificates."""
    hosts: Sequence[HostArgs]
    """What is served."""
    gateway: NotRequired[pulumi.Input[str]]
    """The Gateway's name, unique in the namespace; the component's name by default."""
    namespace: NotRequired[pulumi.Input[str]]
    """The namespace of the gateway's Pods, `istio-system` by default."""
    selector: NotRequired[pulumi.Input[Mapping[str, pulumi.Input[str]]]]
    """Labels of the gateway's Pods, `istio: ingressgateway` by default."""
    min_version: NotRequired[pulumi.Input[str]]
    """`1.2` (the default) or `1.3`."""
    cipher_suites: NotRequired[pulumi.Input[Sequence[pulumi.Input[str]]]]
    """Those of TLS 1.2, in Envoy's names; TLS 1.3 has its own. Mozilla's intermediate profile by default."""
    hsts: NotRequired[pulumi.Input[int]]
    """Seconds of Strict-Transport-Security; 0, the default, sends none."""


ROUTE = inputs.shape(
    service=inputs.value(names.kubernetes_name),
    namespace=inputs.value(names.kubernetes_name),
    port=inputs.value(values.whole(1, 65535)),
    path=inputs.value(values.path_prefix, "/"),
)

CREDENTIALS = inputs.known(
    inputs.several(
        inputs.shape(
            secret_name=inputs.value(values.string),
            hosts=inputs.known(inputs.several(inputs.value(names.dns_name))),
        )
    )
)


SHAPE = inputs.shape(
    **inputs.GATEWAY,
    credentials=CREDENTIALS,
    hosts=inputs.known(
        inputs.several(
            inputs.shape(
                host=inputs.value(names.dns_name),
                routes=inputs.several(ROUTE),
            )
        )
    ),
    min_version=inputs.value(values.one_of(*tls.VERSIONS), tls.VERSIONS[0]),
    cipher_suites=inputs.optional(inputs.several(inputs.value(tls.cipher_suite)), list(tls.CIPHER_SUITES)),
    hsts=inputs.value(values.whole(0, tls.MAX_HSTS), 0),
)


class TlsGateway(pulumi.ComponentResource):
    """A Gateway on port 443 and one VirtualService per host, which no plain HTTP request reaches."""

    urls: pulumi.Output[Sequence[str]]
    """Where the hosts are; a wildcard has no URL."""

    def __init__(self, name: str, args: TlsGatewayArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("istio-gateway-tls:index:TlsGateway", name, {}, opts)
        given = inputs.check_inputs(self, name, {"gateway": name, **args}, SHAPE)
        child = pulumi.ResourceOptions(parent=self)
        presented = [(each["secret_name"], each["hosts"]) for each in given["credentials"]]
        gateway = kubernetes.apiextensions.CustomResource(
            f"{name}-gateway",
            api_version="networking.istio.io/v1",
            kind="Gateway",
            metadata={"name": given["gateway"], "namespace": given["namespace"]},
            spec=pulumi.Output.all(given["selector"], presented, given["min_version"], given["cipher_suites"]).apply(
                lambda all_of_them: routes.tls_gateway_spec(*all_of_them)
            ),
            opts=child,
        )
        qualified = pulumi.Output.format("{}/{}", given["namespace"], given["gateway"])
        # The VirtualServices name the Gateway by a plain string, which is no dependency.
        routed = pulumi.ResourceOptions.merge(child, pulumi.ResourceOptions(depends_on=[gateway]))
        for position, each in enumerate(given["hosts"]):
            host = pulumi.Output.from_input(each["host"])
            kubernetes.apiextensions.CustomResource(
                f"{name}-{inputs.label(each['host'], position)}",
                api_version="networking.istio.io/v1",
                kind="VirtualService",
                metadata={"name": host.apply(names.object_name), "namespace": given["namespace"]},
                spec=pulumi.Output.all(qualified, host, each["routes"], given["hsts"]).apply(
                    lambda all_of_them: routes.virtual_service_spec(*all_of_them)
                ),
                opts=routed,
            )
        self.urls = pulumi.Output.all(*(each["host"] for each in given["hosts"])).apply(
            lambda hosts: [f"https://{host}" for host in hosts if not names.is_wildcard(host)]
        )
        self.register_outputs({"urls": self.urls})
