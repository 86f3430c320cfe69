"""The Istio ingress gateway that is there already, seen through its Service.

It creates nothing and changes nothing: gateway and Service belong to whoever installed Istio. A preview reads the
Service once and never waits; `up` waits for the external IP, within a bound.
"""

import asyncio
from typing import Any, NotRequired, TypedDict

import pulumi

from . import inputs
from .credentials import Credentials, credentials_of
from .rules import names, routes, values
from .rules.problem import Problem, ProblemsError, text


class IngressGatewayArgs(TypedDict):
    """What `IngressGateway` takes."""

    namespace: NotRequired[pulumi.Input[str]]
    """The Service's namespace, `istio-system` by default."""
    service: NotRequired[pulumi.Input[str]]
    """The Service's name, `istio-ingressgateway` by default."""
    timeout: NotRequired[int]
    """Seconds that `up` waits for the external IP, 300 by default."""


SHAPE = inputs.shape(
    namespace=inputs.value(names.kubernetes_name, routes.NAMESPACE),
    service=inputs.value(names.kubernetes_name, routes.SERVICE),
    timeout=inputs.known(inputs.value(values.whole(1, 3600), 300)),
)


class IngressGateway(pulumi.ComponentResource):
    """The gateway's address, once its Service is known to be fit for TLS."""

    ip: pulumi.Output[str]
    """The external IPv4 address; unknown at a preview that finds none."""

    def __init__(self, name: str, args: IngressGatewayArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("istio-gateway-tls:index:IngressGateway", name, {}, opts)
        given = inputs.check_inputs(self, name, args, SHAPE)
        known = pulumi.Output.all(credentials_of(self), given["namespace"], given["service"])
        # The address is public, though the kubeconfig that it was read with may be a secret.
        self.ip = pulumi.Output.unsecret(
            known.apply(lambda each: _address(each[0], each[1], each[2], given["timeout"]))
        )
        self.register_outputs({"ip": self.ip})


async def _address(credentials: Credentials, namespace: str, service: str, timeout: int) -> Any:
    """Return the address, or UNKNOWN at a preview without one.

    Raises:
        pulumi.RunError: what is wrong with the Service, or why it cannot be read, and the commands that fix it.
    """
    # The client takes most of a second to load: no longer than the first resources take to register.
    from kubernetes.config import ConfigException

    from .load_balancer import UnreachableError, find_address, service_name

    preview = pulumi.runtime.is_dry_run()
    where = service_name(namespace, service)
    try:
        address = await asyncio.to_thread(
            lambda: find_address(credentials.api(), namespace, service, timeout=0 if preview else timeout)
        )
    except ProblemsError as error:
        raise pulumi.RunError(text(error.problems)) from None
    except (UnreachableError, ConfigException) as error:
        if preview:
            # The cluster may not exist yet, and a preview in a pull request may have no way to it.
            pulumi.log.info(f"{where} is not read, its IP stays unknown in this preview: {error}")
            return pulumi.UNKNOWN
        fix = (
            "kubectl cluster-info",
            "pulumi config set kubeconfig PATH && pulumi config set context NAME",
        )
        raise pulumi.RunError(text([Problem(where, f"cannot be read: {error}", fix)])) from None
    if address is None and preview:
        return pulumi.UNKNOWN
    if address is None:
        fix = (
            f"kubectl --namespace {namespace} describe service {service}",
            f"pulumi config set --path ingress.timeout {min(timeout * 2, 3600)}",
        )
        problem = Problem(where, f"got no external IP in {timeout} s; its events say why", fix)
        raise pulumi.RunError(text([problem]))
    return address
