"""Port 443: TLS with the issued Secrets, and the routes to the applications.

Istio delivers the Secrets by SDS and rotates them without a restart, so nothing is mounted into the gateway.
"""

import base64
from collections.abc import Sequence

import pulumi
import pulumi_kubernetes as kubernetes

from .inputs import check_inputs, computed, recheck, resource_label
from .routes import HostArgs
from .shared_args import TlsGatewayArgs
from .specs import client_ca, istio, names


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
                *(authority["secret_name"], inputs["routes_from"]),
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
