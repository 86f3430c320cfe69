"""Port 443: TLS with the issued Secrets, and the routes to the applications.

Istio delivers the Secrets by SDS and rotates them without a restart, so nothing is mounted into the gateway.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NotRequired, TypedDict

import pulumi
import pulumi_kubernetes as kubernetes


class RouteArgs(TypedDict):
    """Where requests under a path go."""

    path: str
    """A path prefix."""
    service: str
    """The Service's name."""
    namespace: str
    """The Service's namespace."""
    port: int
    """The Service's port."""


class HostArgs(TypedDict):
    """A name and its routes."""

    host: str
    """A DNS name; `*.` may lead it."""
    routes: Sequence[RouteArgs]
    """At least one, in any order."""


class CredentialArgs(TypedDict):
    """A certificate and the names that it is served for."""

    secret_name: str
    """The Secret, in the namespace of the gateway's Pods (istio#27740)."""
    hosts: Sequence[str]
    """The names."""


class TlsGatewayArgs(TypedDict):
    """What `TlsGateway` takes."""

    gateway: str
    """The Gateway's name, unique in the namespace."""
    namespace: str
    """The gateway's namespace."""
    selector: Mapping[str, str]
    """Labels of the gateway's Pods."""
    credentials: Sequence[CredentialArgs]
    """The certificates."""
    hosts: Sequence[HostArgs]
    """What is served."""
    min_version: str
    """`1.2` or `1.3`."""
    cipher_suites: Sequence[str]
    """Those of TLS 1.2, in Envoy's names; TLS 1.3 has its own."""
    hsts: NotRequired[int]
    """Seconds of Strict-Transport-Security; 0 sends none."""


class TlsGateway(pulumi.ComponentResource):
    """A Gateway on port 443 and one VirtualService per host, which no plain HTTP request reaches."""

    urls: pulumi.Output[list[str]]
    """Where the hosts are; a wildcard has no URL."""

    def __init__(self, name: str, args: TlsGatewayArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("istio-gateway-tls:index:TlsGateway", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        gateway = kubernetes.apiextensions.CustomResource(
            f"{name}-gateway",
            api_version="networking.istio.io/v1",
            kind="Gateway",
            metadata={"name": args["gateway"], "namespace": args["namespace"]},
            spec=gateway_spec(args),
            opts=child,
        )
        # The VirtualServices name the Gateway by a plain string, which is no dependency.
        routed = pulumi.ResourceOptions.merge(child, pulumi.ResourceOptions(depends_on=[gateway]))
        for host in args["hosts"]:
            kubernetes.apiextensions.CustomResource(
                f"{name}-{host['host']}",
                api_version="networking.istio.io/v1",
                kind="VirtualService",
                metadata={"name": object_name(host["host"]), "namespace": args["namespace"]},
                spec=virtual_service_spec(f"{args['namespace']}/{args['gateway']}", host, args.get("hsts", 0)),
                opts=routed,
            )
        self.urls = pulumi.Output.from_input(
            [f"https://{host['host']}" for host in args["hosts"] if not host["host"].startswith("*.")]
        )
        self.register_outputs({"urls": self.urls})


def object_name(host: str) -> str:
    """Return a Kubernetes name for a host: itself, or for a wildcard, what it stands for."""
    return f"{host[2:]}-wildcard" if host.startswith("*.") else host


def gateway_spec(args: TlsGatewayArgs) -> dict[str, Any]:
    """Return the Gateway's spec: one server per certificate, since a server presents one."""
    # Istio hardens nothing that is not written here, and TLS 1.3 takes no list of ciphers.
    tls: dict[str, Any] = {
        "mode": "SIMPLE",
        "minProtocolVersion": f"TLSV{args['min_version'].replace('.', '_')}",
    }
    if args["min_version"] == "1.2":
        tls["cipherSuites"] = list(args["cipher_suites"])
    return {
        "selector": dict(args["selector"]),
        "servers": [
            {
                # Port names are unique in a Gateway.
                "port": {
                    "number": 443,
                    "name": f"https-{number}" if number > 1 else "https",
                    "protocol": "HTTPS",
                },
                "hosts": list(credential["hosts"]),
                "tls": {**tls, "credentialName": credential["secret_name"]},
            }
            for number, credential in enumerate(args["credentials"], start=1)
        ],
    }


def virtual_service_spec(gateway: str, host: HostArgs, hsts: int = 0) -> dict[str, Any]:
    """Return a host's VirtualService: its routes on the port-443 Gateway alone.

    Istio takes the first route that matches, and `/` matches everything, so the longest prefix comes first.
    """
    headers = {"response": {"set": {"strict-transport-security": f"max-age={hsts}"}}}
    return {
        "hosts": [host["host"]],
        "gateways": [gateway],
        "http": [
            {
                "match": [{"uri": {"prefix": route["path"]}}],
                "route": [
                    {
                        "destination": {
                            "host": f"{route['service']}.{route['namespace']}.svc.cluster.local",
                            "port": {"number": route["port"]},
                        }
                    }
                ],
                **({"headers": headers} if hsts else {}),
            }
            for route in sorted(host["routes"], key=lambda route: (-len(route["path"]), route["path"]))
        ],
    }
