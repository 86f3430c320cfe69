"""The Istio ingress gateway that is there already, seen through its Service.

It creates nothing and changes nothing: gateway and Service belong to whoever installed Istio. A preview reads the
Service once and never waits; `up` waits for the external IP, within a bound.
"""

import asyncio
from typing import NotRequired, TypedDict

import pulumi
from kubernetes.config import ConfigException

from components.cluster import api_client
from components.load_balancer import GatewayFaultError, UnreachableError, find_address


class IngressGatewayArgs(TypedDict):
    """What `IngressGateway` takes."""

    namespace: str
    """The Service's namespace."""
    service: str
    """The Service's name."""
    timeout: int
    """Seconds that `up` waits for the external IP."""
    kubeconfig: NotRequired[pulumi.Input[str] | None]
    """A path or content, as the provider has it; without it, the ambient one."""
    context: NotRequired[str | None]
    """The kubeconfig's context, if not its current one."""


class IngressGateway(pulumi.ComponentResource):
    """The gateway's address, once its Service is known to be fit for TLS."""

    ip: pulumi.Output[str]
    """The external IPv4 address; unknown at a preview that finds none."""

    def __init__(self, name: str, args: IngressGatewayArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("istio-gateway-tls:index:IngressGateway", name, {}, opts)
        access = pulumi.Output.all(args.get("kubeconfig"), args.get("context"))
        # The address is public, though the kubeconfig that it was read with may be a secret.
        self.ip = pulumi.Output.unsecret(access.apply(lambda both: _address(args, kubeconfig=both[0], context=both[1])))
        self.register_outputs({"ip": self.ip})


async def _address(args: IngressGatewayArgs, kubeconfig: str | None, context: str | None) -> str:
    """Return the address, or UNKNOWN at a preview without one.

    Raises:
        pulumi.RunError: the fault and the command that mends it.
    """
    preview = pulumi.runtime.is_dry_run()
    where = f"{args['namespace']}/{args['service']}"
    try:
        address = await asyncio.to_thread(
            lambda: find_address(
                api_client(kubeconfig, context),
                args["namespace"],
                args["service"],
                timeout=0 if preview else args["timeout"],
            )
        )
    except GatewayFaultError as fault:
        raise pulumi.RunError(str(fault)) from None
    except (UnreachableError, ConfigException) as error:
        if preview:
            # The cluster may not exist yet, and a preview in a pull request may have no way to it.
            pulumi.log.info(f"Service {where} is not read, its IP stays unknown in this preview: {error}")
            return pulumi.UNKNOWN  # type: ignore[return-value]
        raise pulumi.RunError(
            f"Service {where} cannot be read: {error}\n"
            "    kubectl cluster-info\n"
            "    pulumi config set kubeconfig PATH && pulumi config set context NAME"
        ) from None
    if address is None and preview:
        return pulumi.UNKNOWN  # type: ignore[return-value]
    if address is None:
        raise pulumi.RunError(
            f"Service {where} got no external IP in {args['timeout']} s; its events say why\n"
            f"    kubectl --namespace {args['namespace']} describe service {args['service']}\n"
            f"    pulumi config set --path ingress.timeout {min(args['timeout'] * 2, 3600)}"
        )
    return address
