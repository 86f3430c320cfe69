"""The Istio ingress gateway that is there already, seen through its Service.

It creates nothing and changes nothing: gateway and Service belong to whoever installed Istio. A preview reads the
Service once and never waits; `up` waits for the external IP, within a bound. Where names are proven by HTTP-01, both
read what Istio does with the solvers' Ingresses, as far as they may.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, NotRequired, TypedDict

import pulumi

from . import inputs
from .engine import in_thread
from .kube import solver_route
from .kube.credentials import Credentials, credentials_of
from .problem import Problem, ProblemsError, setting, text
from .shell import word
from .specs import addresses, istio, names, values

if TYPE_CHECKING:
    from kubernetes import client


class Http01Args(TypedDict):
    """What the Ingress of a solver has to lead to."""

    selector: NotRequired[pulumi.Input[Mapping[str, pulumi.Input[str]]]]
    """Labels of the gateway's Pods, `istio: ingressgateway` by default."""
    class_field: NotRequired[pulumi.Input[str]]
    """How the Ingress names the ingress class `istio`: `class` (the default) or `ingressClassName`."""
    control_plane: NotRequired[pulumi.Input[str]]
    """istiod's namespace, `istio-system` by default."""
    revision: NotRequired[pulumi.Input[str]]
    """The revision of Istio that the gateway belongs to; by default what its Deployment's label says."""


class IngressGatewayArgs(TypedDict):
    """What `IngressGateway` takes."""

    namespace: NotRequired[pulumi.Input[str]]
    """The Service's namespace, `istio-system` by default."""
    service: NotRequired[pulumi.Input[str]]
    """The Service's name, `istio-ingressgateway` by default."""
    timeout: NotRequired[int]
    """Seconds that `up` waits for the external IP, 300 by default."""
    plain: NotRequired[bool]
    """Whether the Service has to have port 80, for HTTP-01 and the redirect. True by default."""
    family: NotRequired[str]
    """`ipv4` (the default), `ipv6` or `dual`, which waits for an address of each."""
    http01: NotRequired[Http01Args]
    """Given where names are proven by HTTP-01: refuses a gateway to which Istio routes no Ingress of a solver."""
    commands: NotRequired[Mapping[str, str]]
    """The command that sets an input, without the value, by the input's name: what a problem says in its place. Beside
    the inputs above there are `challenge`, how names are proven, and the provider's `kubeconfig` and `context`."""


SHAPE = inputs.shape(
    namespace=inputs.value(names.kubernetes_name, istio.NAMESPACE),
    service=inputs.value(names.kubernetes_name, istio.SERVICE),
    timeout=inputs.known(inputs.value(values.whole(1, 3600), 300)),
    plain=inputs.known(inputs.value(values.boolean, True)),
    family=inputs.known(inputs.value(values.one_of(*addresses.FAMILIES), addresses.IPV4)),
    http01=inputs.known(
        inputs.optional(
            inputs.shape(
                selector=inputs.value(values.labels, istio.SELECTOR),
                class_field=inputs.value(values.one_of("class", "ingressClassName"), "class"),
                control_plane=inputs.value(names.kubernetes_name, solver_route.CONTROL_PLANE),
                revision=inputs.optional(inputs.value(values.string)),
            )
        )
    ),
    commands=inputs.known(inputs.optional(inputs.value(values.mapping), {})),
)


class IngressGateway(pulumi.ComponentResource):
    """The gateway's address, once its Service is known to be fit for TLS."""

    ip: pulumi.Output[str]
    """The external address: IPv6 with the family `ipv6`, else IPv4. Unknown at a preview that finds none."""
    ipv6: pulumi.Output[str | None]
    """The external IPv6 address, with the families `ipv6` and `dual`."""

    def __init__(self, name: str, args: IngressGatewayArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("istio-gateway-tls:index:IngressGateway", name, {}, opts)
        given = inputs.check_inputs(self, name, args, SHAPE)
        # The client takes half a second to load. So it is loaded while the provider starts, which takes as long.
        loaded = in_thread(import_module, f"{__package__}.kube.load_balancer")
        known = pulumi.Output.all(credentials_of(self), given["namespace"], given["service"], given["http01"], loaded)
        # The address is public, though the kubeconfig that it was read with may be a secret.
        options = _Options(given["timeout"], given["family"], given["plain"], given["commands"])
        found: pulumi.Output[Sequence[str]] = pulumi.Output.unsecret(
            known.apply(lambda each: _Gateway(each[0], each[1], each[2], each[3], options).addresses())
        )
        self.ip = found.apply(lambda ips: ips[0])
        self.ipv6 = found.apply(lambda ips: None if given["family"] == addresses.IPV4 else ips[-1])
        self.register_outputs({"ip": self.ip, "ipv6": self.ipv6})


@dataclass(frozen=True)
class _Options:
    """How it is looked at."""

    timeout: int
    family: str
    plain: bool
    commands: Mapping[str, str]


@dataclass(frozen=True)
class _Gateway:
    """A gateway to look at."""

    credentials: Credentials
    namespace: str
    service: str
    http01: Mapping[str, Any] | None
    options: _Options

    async def addresses(self) -> Any:
        """Return the addresses, or UNKNOWN at a preview that does not find all of them.

        Raises:
            pulumi.RunError: what is wrong with the gateway, or why it cannot be read, and the commands that fix it.
        """
        from kubernetes.config import ConfigException

        from .kube.load_balancer import UnreachableError, service_name

        preview = pulumi.runtime.is_dry_run()
        where = service_name(self.namespace, self.service)
        try:
            address = await in_thread(self._find, 0 if preview else self.options.timeout)
        except ProblemsError as error:
            raise pulumi.RunError(text(error.problems)) from None
        except (UnreachableError, ConfigException) as error:
            if preview:
                # The cluster may not exist yet, and a preview in a pull request may have no way to it.
                pulumi.log.info(f"{where} is not read, its IP stays unknown in this preview: {error}")
                return pulumi.UNKNOWN
            commands = self.options.commands
            # A program that names commands, and none for these, has its cluster from elsewhere.
            named = [each for each in _PROVIDER if not commands or each[0] in commands]
            fix = ("kubectl cluster-info", *(setting(commands, *each) for each in named))
            raise pulumi.RunError(text([Problem(where, f"cannot be read: {error}", fix)])) from None
        if address is None and preview:
            return pulumi.UNKNOWN
        if address is None:
            fix = (
                f"kubectl --namespace {word(self.namespace)} describe service {word(self.service)}",
                setting(self.options.commands, "timeout", min(self.options.timeout * 2, 3600)),
            )
            problem = Problem(where, f"got no external IP in {self.options.timeout} s; its events say why", fix)
            raise pulumi.RunError(text([problem]))
        return address

    def _find(self, timeout: int) -> Sequence[str] | None:
        from .kube.load_balancer import Wanted, find_address

        api = self.credentials.api()
        self._require_route_of_solvers(api)
        wanted = Wanted(self.options.family, self.options.plain, self.options.commands)
        return find_address(api, self.namespace, self.service, timeout, wanted)

    def _require_route_of_solvers(self, api: "client.ApiClient") -> None:
        if self.http01 is None:
            return
        from .kube.mesh import Solver, solver_problem

        given = self.http01
        solver = Solver(given["selector"], given["class_field"], given["control_plane"], given["revision"])
        if problem := solver_problem(api, self.namespace, self.service, solver, self.options.commands):
            raise ProblemsError(problem)


_PROVIDER = (("kubeconfig", "PATH"), ("context", "NAME"))
"""Inputs of the provider that say which cluster it is."""
