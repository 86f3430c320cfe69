"""Port 443: TLS with the issued Secrets, and the routes to the applications.

Istio delivers the Secrets by SDS and rotates them without a restart, so nothing is mounted into the gateway.
"""

import base64
from collections.abc import Sequence

import pulumi
import pulumi_kubernetes as kubernetes

from .inputs import check_inputs
from .shared_args import TlsGatewayArgs
from .specs import client_ca, names
from .writers import WRITERS


class TlsGateway(pulumi.ComponentResource):
    """A Gateway on port 443 and one VirtualService or HTTPRoute per host, which plain HTTP requests do not reach.

    Example: `TlsGateway("tls", {"credentials": credentials, "hosts": [{"host": "shop.acme.dev", "routes": routes}]})`
    """

    urls: pulumi.Output[Sequence[str]]
    """The URLs of the hosts; a wildcard has none."""

    def __init__(self, name: str, args: TlsGatewayArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("istio-gateway-tls:index:TlsGateway", name, {}, opts)
        inputs = check_inputs(self, name, args, TlsGatewayArgs)
        child = pulumi.ResourceOptions(parent=self)
        authority = inputs["client_ca"] or {"secret_name": None, "certificates": None}
        made: list[pulumi.Resource] = []
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
        WRITERS[inputs["api"]].tls(self, name, inputs, made)
        self.urls = pulumi.Output.all(*(host["host"] for host in inputs["hosts"])).apply(
            lambda hosts: [f"https://{host}" for host in hosts if not names.is_wildcard(host)]
        )
        self.register_outputs({"urls": self.urls})
