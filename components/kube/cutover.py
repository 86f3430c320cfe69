"""Moves a gateway between Istio's own API and the Gateway API without a failed request.

Of two Gateways with a host, Istio serves the older one. When that is deleted, istiod empties its route configurations
at once, while Envoy still answers open connections by them, and for a moment new ones too: these requests get 404
(pilot/pkg/networking/core/httproute.go, `BuildHTTPRoutes`, of Istio 1.31). So the older Gateway is moved aside first.
It is bound to a Service of its own, with a port of the Pods to which nobody connects. The new one then has the hosts,
and the old one keeps its routes until Envoy has ended its connections.
"""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pulumi

from ..engine import has_hooks, hook_name, in_thread
from ..specs import gateway_api, istio, names
from .client import Client, ClusterError, Object, RefusedError
from .credentials import Credentials, credentials_of

PORT = 18443
"""Of the gateway's Pods, which the Service alone leads to."""

SETTLING = 10
"""Seconds after which istiod has read the Service: the longest that it gathers changes (PILOT_DEBOUNCE_MAX)."""

DRAINING = 50
"""Seconds after which Envoy has ended every connection of a listener that changed: 45 by default (drainDuration)."""


@dataclass(frozen=True)
class Gateways:
    """The Gateways of one API."""

    version: str

    @property
    def group(self) -> str:
        """The API group."""
        return self.version.partition("/")[0]

    def patch(self, host: str) -> dict[str, Any]:
        """Return the merge patch that binds one to the Service of this host name."""
        if self.group == gateway_api.GROUP:
            return {"spec": {"addresses": [gateway_api.address(host)]}}
        return {"metadata": {"annotations": {istio.GATEWAY_SERVICE: host}}}


ISTIOS = Gateways(istio.VERSION)
KUBERNETES = Gateways(gateway_api.VERSION)


def take_over_from(
    old: Gateways, component: pulumi.ComponentResource, inputs: Mapping[str, Any]
) -> pulumi.ResourceHookBinding | None:
    """Return hooks that move the Gateway of the other API aside once the new one is there; None without hooks.

    Args:
        old: The API that the stack may be moving from.
        component: The component of the new Gateway, which is the last one if there are several.
        inputs: Its fields `gateway`, `namespace` and `service`.
    """
    if not has_hooks():
        return None
    credentials = credentials_of(component)
    own = pulumi.Output.all(inputs["namespace"], inputs["gateway"], inputs["service"])

    async def run(_args: pulumi.ResourceHookArgs) -> None:
        place = await own.future() or []
        await in_thread(_move_or_warn, await credentials.future() or Credentials(), old, *place)

    return pulumi.ResourceHookBinding(after_create=[pulumi.ResourceHook(hook_name(component), run)])


def _move_or_warn(credentials: Credentials, old: Gateways, namespace: str, name: str, service: str) -> None:
    try:
        move_aside(credentials, old, namespace, name, service)
    except ClusterError as error:
        pulumi.log.warn(
            f"Gateway {namespace}/{name} of {old.group} cannot be moved aside ({error}). If it is this stack's,"
            " requests in connections that are open get 404 when it is deleted"
        )


def move_aside(credentials: Credentials, old: Gateways, namespace: str, name: str, service: str) -> None:
    """Bind a stack's Gateways to a Service of their own until their connections have ended, if there are any.

    Raises:
        ClusterError: it failed.
    """
    client = credentials.client()
    gateways = list(_read(client, old, namespace, name))
    if not gateways:
        return
    existing = client.get("v1", "services", service, namespace)
    if existing is None:
        raise ClusterError(f"Service {namespace}/{service} does not exist")
    aside = _service(f"{name}-aside", existing, gateways[0])
    try:
        client.create("v1", "services", namespace, aside)
    except RefusedError as error:
        if error.status != 409:  # an update that was interrupted has made it
            raise
    pulumi.log.info(
        f"Gateway {namespace}/{name} of {old.group} stays for {SETTLING + DRAINING} s, in which its connections end"
    )
    time.sleep(SETTLING)
    host = names.service_host(f"{name}-aside", namespace)
    for gateway in gateways:
        client.merge(old.version, "gateways", namespace, gateway["metadata"]["name"], old.patch(host))
    time.sleep(DRAINING)


def _read(client: Client, api: Gateways, namespace: str, name: str) -> Iterator[Object]:
    """Yield the Gateway of a name, and those for the hosts beyond its limit."""
    for number in range(gateway_api.MAX_PARENTS):
        gateway = client.get(api.version, "gateways", gateway_api.numbered(name, number), namespace)
        if gateway is None:
            return
        # Read at once after it was deleted, it may still be there.
        if not gateway["metadata"].get("deletionTimestamp"):
            yield gateway


def _service(name: str, gateways_own: Object, owner: Object) -> Object:
    """Return the Service, which Kubernetes deletes with the Gateway."""
    reference = {key: owner[key] for key in ("apiVersion", "kind")} | {
        key: owner["metadata"][key] for key in ("name", "uid")
    }
    ports = [{"name": "https", "port": 443, "targetPort": PORT}]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "ownerReferences": [reference]},
        "spec": {"selector": gateways_own["spec"].get("selector"), "ports": ports},
    }
