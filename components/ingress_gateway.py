"""An existing Istio ingress gateway, seen through its Service.

It creates and changes nothing: gateway and Service belong to those who installed Istio. A preview reads the Service
once and never waits; `up` waits for the external IP until a timeout. With HTTP-01, both also read what Istio does with
the solvers' Ingresses, as far as their rights allow. What they refuse is listed in preflight/.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import pulumi

from . import preflight
from .engine import in_thread
from .inputs import check_inputs
from .kube import diagnosis, load_balancer, mesh
from .kube.client import ClusterError
from .kube.credentials import Credentials, credentials_of
from .preflight.hooks import end_of_hooks
from .preflight.service import Wanted, service_name
from .problem import COMMANDS, Problem, ProblemsError, set_input, text
from .shared_args import IngressGatewayArgs
from .shell import word
from .specs import addresses, apis


class IngressGateway(pulumi.ComponentResource):
    """The gateway's address, after a check that its Service can carry TLS.

    Example: `IngressGateway("ingress", {"http01": {}}, ResourceOptions(provider=cluster)).ip`
    """

    ip: pulumi.Output[str]
    """The external address: IPv6 with the family `ipv6`, else IPv4. Unknown at a preview that finds none."""
    ipv6: pulumi.Output[str | None]
    """The external IPv6 address, with the families `ipv6` and `dual`."""

    def __init__(self, name: str, args: IngressGatewayArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("istio-gateway-tls:index:IngressGateway", name, {}, opts)
        inputs = check_inputs(self, name, args, IngressGatewayArgs)
        ips: pulumi.Output[Sequence[str]] = pulumi.Output.all(
            credentials_of(self), inputs["namespace"], inputs["service"], inputs["http01"], inputs["selector"]
        ).apply(lambda known: _addresses(name, inputs, *known))
        # The address is public, though the kubeconfig that it was read with may be a secret.
        ips = pulumi.Output.unsecret(ips)
        self.ip = ips.apply(lambda known: known[0])
        self.ipv6 = ips.apply(lambda known: None if inputs["family"] == addresses.IPV4 else known[-1])
        self.register_outputs({"ip": self.ip, "ipv6": self.ipv6})


async def _addresses(*args: Any) -> Any:
    """Return what `_read` does, and let hooks end before an error ends the program."""
    try:
        return await _read(*args)
    except pulumi.RunError:
        await end_of_hooks()
        raise


async def _read(
    component: str,
    inputs: Mapping[str, Any],
    credentials: Credentials,
    namespace: str,
    service: str,
    http01: Mapping[str, Any] | None,
    selector: Mapping[str, str] | None,
) -> Any:
    """Return the addresses, or UNKNOWN at a preview that does not find all of them."""
    preview, timeout = pulumi.runtime.is_dry_run(), inputs["timeout"]
    commands = COMMANDS.get(component, {})
    where = service_name(namespace, service)

    def find() -> Sequence[str] | None:
        client = credentials.client()
        if http01:
            seen = mesh.read(client, namespace, service, http01, commands, by_route=inputs["api"] == apis.GATEWAY)
            if problems := list(preflight.find(preflight.MESH, seen)):
                raise ProblemsError(*problems)
            if warnings := list(preflight.find(preflight.MESH, seen, warn=True)):
                pulumi.log.warn(text(warnings))
            diagnosis.SURROUNDINGS.setdefault(namespace, []).append(seen)
        wanted = Wanted(
            inputs["family"], inputs["plain"], inputs["managed"], commands, selector or {}, inputs["public_ca"]
        )
        return load_balancer.find_address(client, namespace, service, 0 if preview else timeout, wanted)

    try:
        ips = await in_thread(find)
    except ProblemsError as error:
        raise pulumi.RunError(text(error.problems)) from None
    except ClusterError as error:
        if preview:
            # The cluster may not exist yet, and a preview in a pull request may have no access to it.
            pulumi.log.info(f"{where} is not read, its IP stays unknown in this preview: {error}")
            return pulumi.UNKNOWN
        raise pulumi.RunError(text([Problem(where, f"cannot be read: {error}", _other_cluster(commands))])) from None
    if ips is None and preview:
        return pulumi.UNKNOWN
    if ips is None:
        fix = (
            f"kubectl --namespace {word(namespace)} describe service {word(service)}",
            set_input(commands, "timeout", min(timeout * 2, 3600)),
        )
        what = f"got no external IP in {timeout} s; its events say why"
        raise pulumi.RunError(text([Problem(where, what, fix)]))
    return ips


def _other_cluster(commands: Mapping[str, str]) -> tuple[str, ...]:
    provider = {"kubeconfig": "PATH", "context": "NAME"}
    if not commands:
        return ("kubectl cluster-info", "give the component a Kubernetes provider of the cluster")
    chosen = [set_input(commands, key, value) for key, value in provider.items() if key in commands]
    return ("kubectl cluster-info", *chosen)
