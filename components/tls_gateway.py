"""Port 443: TLS with the issued Secrets, and the routes to the applications.

Istio delivers the Secrets by SDS and rotates them without a restart, so nothing is mounted into the gateway.
"""

import base64
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, NotRequired, TypedDict

import pulumi
import pulumi_kubernetes as kubernetes

from .args import Path, with_cross_check
from .fields import (
    COMPONENT_NAME,
    CaCertificates,
    CipherSuite,
    Default,
    HostName,
    Hsts,
    Input,
    KubernetesName,
    NonEmpty,
    Selector,
    Text,
    TlsVersion,
)
from .inputs import check_inputs, computed, recheck, resource_label
from .routes import HostArgs
from .specs import client_ca, istio, names, tls


class CredentialArgs(TypedDict):
    """A certificate and the names that it is served for."""

    secret_name: Input[Text]
    """The Secret, in the namespace of the gateway's Pods (istio#27740)."""
    hosts: NonEmpty[Input[HostName]]
    """The names."""


class ClientCaArgs(TypedDict):
    """The CA whose client certificates are asked for."""

    secret_name: Input[KubernetesName]
    """The Secret with the CA's certificates (`ca.crt` or `cacert`), in the namespace of the gateway's Pods."""
    certificates: NotRequired[Input[CaCertificates]]
    """The CA's certificates in PEM, which are put into the Secret. Without them, the Secret has to exist."""


def shared_credentials(args: Mapping[str, Any]) -> Iterator[tuple[Path, str]]:
    """Yield the credentials that a browser or Istio would reject.

    A browser asks for every name of a certificate over one connection, and Envoy knows the routes of one server there
    (istio#13589). Istio ignores a server with a host that an earlier server has. A wildcard's server has the routes of
    the exact hosts that it covers as well, since Istio binds routes to Gateways: those may have other certificates.
    """
    secrets: set[str] = set()
    seen: set[str] = set()
    for position, credential in enumerate(args["credentials"]):
        if credential["secret_name"] in secrets:
            what = "is the Secret of earlier credentials: one certificate is one server, or browsers get 404 (HTTP/2)"
            yield ("credentials", position, "secret_name"), what
        secrets.add(credential["secret_name"])
        for number, host in enumerate(credential["hosts"]):
            if host in seen:
                yield ("credentials", position, "hosts", number), "has another certificate already"
            seen.add(host)


@with_cross_check(shared_credentials, "credentials")
class TlsGatewayArgs(TypedDict):
    """The inputs of `TlsGateway`."""

    credentials: NonEmpty[CredentialArgs]
    """The certificates."""
    hosts: NonEmpty[HostArgs]
    """What is served."""
    gateway: NotRequired[Annotated[Input[KubernetesName], COMPONENT_NAME]]
    """The Gateway's name, unique in the namespace."""
    namespace: NotRequired[Annotated[Input[KubernetesName], Default(istio.NAMESPACE)]]
    """The namespace of the gateway's Pods."""
    selector: NotRequired[Annotated[Input[Selector[Input[str]]], Default(istio.SELECTOR)]]
    """Labels of the gateway's Pods."""
    min_version: NotRequired[Annotated[Input[TlsVersion], Default(tls.VERSIONS[0])]]
    """The lowest version of TLS that is offered."""
    cipher_suites: NotRequired[Annotated[Input[NonEmpty[Input[CipherSuite]]], Default(tls.CIPHER_SUITES)]]
    """The suites of TLS 1.2, in Envoy's names; TLS 1.3 has its own. Mozilla's intermediate profile by default."""
    hsts: NotRequired[Annotated[Input[Hsts], Default(0)]]
    """Seconds of Strict-Transport-Security; 0 sends none."""
    client_ca: NotRequired[ClientCaArgs]
    """Asks the clients of every host for a certificate of this CA (Istio 1.28 and later). By default, none is asked."""


class TlsGateway(pulumi.ComponentResource):
    """A Gateway on port 443 and one VirtualService per host, which plain HTTP requests do not reach.

    Example: `TlsGateway("tls", {"credentials": credentials, "hosts": [{"host": "shop.acme.dev", "routes": routes}]})`
    """

    urls: pulumi.Output[Sequence[str]]
    """The URLs of the hosts; a wildcard has none."""

    def __init__(self, name: str, args: TlsGatewayArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("istio-gateway-tls:index:TlsGateway", name, {}, opts)
        inputs = check_inputs(self, name, args, TlsGatewayArgs)
        child = pulumi.ResourceOptions(parent=self)
        presented = [(credential["secret_name"], credential["hosts"]) for credential in inputs["credentials"]]
        authority = inputs["client_ca"] or {"secret_name": None, "certificates": None}
        made = []
        if authority["certificates"] is not None:
            # Beside the certificate's own Secret, whose entries are cert-manager's to write.
            text = pulumi.Output.from_input(authority["certificates"])
            secret = kubernetes.core.v1.Secret(
                f"{name}-client-ca",
                metadata={"name": authority["secret_name"], "namespace": inputs["namespace"]},
                data={client_ca.ENTRY: text.apply(lambda pem: base64.b64encode(pem.encode()).decode())},
                opts=child,
            )
            made.append(secret)
        gateway = kubernetes.apiextensions.CustomResource(
            f"{name}-gateway",
            api_version="networking.istio.io/v1",
            kind="Gateway",
            metadata=istio.metadata(inputs["gateway"], inputs["namespace"]),
            spec=computed(
                istio.tls_gateway_spec,
                *(inputs["selector"], presented, inputs["min_version"], inputs["cipher_suites"]),
                authority["secret_name"],
            ),
            # It names the Secret by a plain string, which is no dependency.
            opts=pulumi.ResourceOptions.merge(child, pulumi.ResourceOptions(depends_on=made)),
        )
        qualified = computed("{}/{}".format, inputs["namespace"], inputs["gateway"])
        # The VirtualServices name the Gateway by a plain string, which is no dependency.
        routed = pulumi.ResourceOptions.merge(child, pulumi.ResourceOptions(depends_on=[gateway]))
        others = [host["host"] for host in inputs["hosts"]]
        for position, host in enumerate(inputs["hosts"]):
            served = recheck(self, name, ("hosts", position), host, HostArgs)
            # Only a wildcard has hosts below it. Pulumi walks through the list for each host that is given it.
            alone = isinstance(host["host"], str) and not names.is_wildcard(host["host"])
            kubernetes.apiextensions.CustomResource(
                f"{name}-{resource_label(host['host'], position)}",
                api_version="networking.istio.io/v1",
                kind="VirtualService",
                metadata=istio.metadata(computed(names.object_name, host["host"]), inputs["namespace"]),
                spec=computed(istio.virtual_service_spec, qualified, served, inputs["hsts"], [] if alone else others),
                opts=routed,
            )
        self.urls = pulumi.Output.all(*(host["host"] for host in inputs["hosts"])).apply(
            lambda hosts: [f"https://{host}" for host in hosts if not names.is_wildcard(host)]
        )
        self.register_outputs({"urls": self.urls})
