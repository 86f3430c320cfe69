"""Port 443: TLS with the issued Secrets, and the routes to the applications.

Istio delivers the Secrets by SDS and rotates them without a restart, so nothing is mounted into the gateway.
"""

import base64
from collections.abc import Mapping, Sequence
from typing import NotRequired, TypedDict

import pulumi
import pulumi_kubernetes as kubernetes

from . import inputs
from .specs import client_ca, headers, istio, names, tls, values


class HeaderMatchArgs(TypedDict):
    """A header that a request must have."""

    name: pulumi.Input[str]
    """Its name, in any case."""
    exact: NotRequired[pulumi.Input[str]]
    """Its whole value."""
    prefix: NotRequired[pulumi.Input[str]]
    """The beginning of its value, instead."""


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
    headers: NotRequired[pulumi.Input[Sequence[HeaderMatchArgs]]]
    """Headers that a request must have, all of them. Of routes with one path, the one with the most is tried first."""
    timeout: NotRequired[pulumi.Input[int]]
    """Seconds for the whole answer, retries included; then the client gets 504. None by default."""
    retries: NotRequired[pulumi.Input[int]]
    """How often a request is sent again that its Service did not take, 0 to 10. Istio's default is 2."""
    response_headers: NotRequired[pulumi.Input[Mapping[str, pulumi.Input[str]]]]
    """Headers that are set on the answer, beside the host's own."""


class HostArgs(TypedDict):
    """A name, and its routes or what else it answers."""

    host: pulumi.Input[str]
    """A DNS name; `*.` may lead it."""
    routes: NotRequired[pulumi.Input[Sequence[RouteArgs]]]
    """In any order: the longest path that fits takes a request. Needed without a redirect or maintenance."""
    redirect_to: NotRequired[pulumi.Input[str]]
    """A DNS name that every request is redirected to (301), with its path and query; without routes then."""
    maintenance: NotRequired[pulumi.Input[bool]]
    """True answers every request with 503 and Retry-After; the routes, if there are any, wait."""
    response_headers: NotRequired[pulumi.Input[Mapping[str, pulumi.Input[str]]]]
    """Headers that are set on every answer, in the place of the application's own of these names."""


class CredentialArgs(TypedDict):
    """A certificate and the names that it is served for."""

    secret_name: pulumi.Input[str]
    """The Secret, in the namespace of the gateway's Pods (istio#27740)."""
    hosts: Sequence[pulumi.Input[str]]
    """The names."""


class ClientCaArgs(TypedDict):
    """The CA whose client certificates are asked for."""

    secret_name: pulumi.Input[str]
    """The Secret with the CA's certificates (`ca.crt` or `cacert`), in the namespace of the gateway's Pods."""
    certificates: NotRequired[pulumi.Input[str]]
    """PEM, of which the Secret is made; without it the Secret is there already."""


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
    client_ca: NotRequired[ClientCaArgs]
    """Asks every client of every host for a certificate of this CA (Istio 1.28 and later); none is, by default."""


HEADER_MATCH = inputs.shape(
    name=inputs.value(headers.name),
    exact=inputs.optional(inputs.value(headers.value)),
    prefix=inputs.optional(inputs.value(headers.value)),
)

ROUTE = inputs.shape(
    service=inputs.value(names.kubernetes_name),
    namespace=inputs.value(names.kubernetes_name),
    port=inputs.value(values.whole(1, 65535)),
    path=inputs.value(headers.path_prefix, "/"),
    headers=inputs.optional(inputs.several(HEADER_MATCH, least=0), ()),
    timeout=inputs.optional(inputs.value(values.whole(1, 3600))),
    retries=inputs.optional(inputs.value(values.whole(0, istio.MAX_RETRIES))),
    response_headers=inputs.lifted(inputs.value(headers.response, {})),
)

HOST = inputs.shape(
    host=inputs.value(names.dns_name),
    routes=inputs.optional(inputs.several(ROUTE, least=0)),
    redirect_to=inputs.optional(inputs.value(istio.redirect_target)),
    maintenance=inputs.value(values.boolean, False),
    response_headers=inputs.lifted(inputs.value(headers.response, {})),
)

CLIENT_CA = inputs.shape(
    secret_name=inputs.value(names.kubernetes_name),
    certificates=inputs.optional(inputs.value(client_ca.certificates)),
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
    hosts=inputs.known(inputs.several(inputs.agreeing(HOST, istio.disagreements))),
    min_version=inputs.value(values.one_of(*tls.VERSIONS), tls.VERSIONS[0]),
    cipher_suites=inputs.optional(inputs.several(inputs.value(tls.cipher_suite)), list(tls.CIPHER_SUITES)),
    hsts=inputs.value(values.whole(0, tls.MAX_HSTS), 0),
    client_ca=inputs.known(inputs.optional(CLIENT_CA)),
)


class TlsGateway(pulumi.ComponentResource):
    """A Gateway on port 443 and one VirtualService per host, which no plain HTTP request reaches."""

    urls: pulumi.Output[Sequence[str]]
    """Where the hosts are; a wildcard has no URL."""

    def __init__(self, name: str, args: TlsGatewayArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("istio-gateway-tls:index:TlsGateway", name, {}, opts)
        accepted = inputs.agreeing(SHAPE, istio.split_credentials, "credentials")
        given = inputs.check_inputs(self, name, {"gateway": name, **args}, accepted)
        child = pulumi.ResourceOptions(parent=self)
        presented = [(each["secret_name"], each["hosts"]) for each in given["credentials"]]
        authority = given["client_ca"] or {"secret_name": None, "certificates": None}
        made = []
        if authority["certificates"] is not None:
            # Beside the certificate's own Secret, whose entries are cert-manager's to write.
            text = pulumi.Output.from_input(authority["certificates"])
            secret = kubernetes.core.v1.Secret(
                f"{name}-client-ca",
                metadata={"name": authority["secret_name"], "namespace": given["namespace"]},
                data={client_ca.ENTRY: text.apply(lambda pem: base64.b64encode(pem.encode()).decode())},
                opts=child,
            )
            made.append(secret)
        gateway = kubernetes.apiextensions.CustomResource(
            f"{name}-gateway",
            api_version="networking.istio.io/v1",
            kind="Gateway",
            metadata=istio.metadata(given["gateway"], given["namespace"]),
            spec=inputs.computed(
                istio.tls_gateway_spec,
                *(given["selector"], presented, given["min_version"], given["cipher_suites"]),
                authority["secret_name"],
            ),
            # It names the Secret by a plain string, which is no dependency.
            opts=pulumi.ResourceOptions.merge(child, pulumi.ResourceOptions(depends_on=made)),
        )
        qualified = inputs.computed("{}/{}".format, given["namespace"], given["gateway"])
        # The VirtualServices name the Gateway by a plain string, which is no dependency.
        routed = pulumi.ResourceOptions.merge(child, pulumi.ResourceOptions(depends_on=[gateway]))
        others = [each["host"] for each in given["hosts"]]
        for position, each in enumerate(given["hosts"]):
            served = inputs.agreed(self, name, f"hosts[{position}]", each, istio.disagreements)
            # A wildcard alone has hosts below it. Pulumi walks through the list for each host that is given it.
            alone = isinstance(each["host"], str) and not names.is_wildcard(each["host"])
            kubernetes.apiextensions.CustomResource(
                f"{name}-{inputs.label(each['host'], position)}",
                api_version="networking.istio.io/v1",
                kind="VirtualService",
                metadata=istio.metadata(inputs.computed(names.object_name, each["host"]), given["namespace"]),
                spec=inputs.computed(
                    istio.virtual_service_spec, qualified, served, given["hsts"], [] if alone else others
                ),
                opts=routed,
            )
        self.urls = pulumi.Output.all(*(each["host"] for each in given["hosts"])).apply(
            lambda hosts: [f"https://{host}" for host in hosts if not names.is_wildcard(host)]
        )
        self.register_outputs({"urls": self.urls})
