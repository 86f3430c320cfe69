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
from typing import TYPE_CHECKING, Any

import pulumi

from ..engine import has_hooks, hook_name, in_thread
from ..specs import gateway_api, istio
from .credentials import Credentials, credentials_of

if TYPE_CHECKING:
    from kubernetes import client

PORT = 18443
"""Of the gateway's Pods, which the Service alone leads to."""

SETTLING = 10
"""Seconds after which istiod has read the Service: the longest that it gathers changes (PILOT_DEBOUNCE_MAX)."""

DRAINING = 50
"""Seconds after which Envoy has ended every connection of a listener that changed: 45 by default (drainDuration)."""

_TIMEOUT = (5, 10)
"""Seconds to connect and to answer."""


@dataclass(frozen=True)
class Gateways:
    """The Gateways of one API."""

    group: str
    version: str

    def patch(self, host: str) -> dict[str, Any]:
        """Return the merge patch that binds one to the Service of this host name."""
        if self.group == gateway_api.GROUP:
            return {"spec": {"addresses": [gateway_api.address(host)]}}
        return {"metadata": {"annotations": {istio.GATEWAY_SERVICE: host}}}


ISTIOS = Gateways(*istio.VERSION.split("/"))
KUBERNETES = Gateways(*gateway_api.VERSION.split("/"))


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
    names = pulumi.Output.all(inputs["namespace"], inputs["gateway"], inputs["service"])

    async def run(_args: pulumi.ResourceHookArgs) -> None:
        place = await names.future() or []
        await in_thread(_move_or_warn, await credentials.future() or Credentials(), old, *place)

    return pulumi.ResourceHookBinding(after_create=[pulumi.ResourceHook(hook_name(component), run)])


def _move_or_warn(credentials: Credentials, old: Gateways, namespace: str, name: str, service: str) -> None:
    from kubernetes import client, config
    from urllib3.exceptions import HTTPError

    try:
        move_aside(credentials, old, namespace, name, service)
    except (client.ApiException, config.ConfigException, HTTPError) as error:
        reason = f"{error.status} {error.reason}" if isinstance(error, client.ApiException) else str(error)
        pulumi.log.warn(
            f"Gateway {namespace}/{name} of {old.group} cannot be moved aside ({reason}). If it is this stack's,"
            " requests in connections that are open get 404 when it is deleted"
        )


def move_aside(credentials: Credentials, old: Gateways, namespace: str, name: str, service: str) -> None:
    """Bind a stack's Gateways to a Service of their own until their connections have ended, if there are any.

    Raises:
        kubernetes.client.ApiException, kubernetes.config.ConfigException, urllib3.exceptions.HTTPError: it failed.
    """
    from kubernetes import client

    api = credentials.api()
    objects, core = client.CustomObjectsApi(api), client.CoreV1Api(api)
    place = (old.group, old.version, namespace, "gateways")
    gateways = list(_read(objects, place, name))
    if not gateways:
        return
    existing = core.read_namespaced_service(service, namespace, _request_timeout=_TIMEOUT)
    aside = _service(f"{name}-aside", existing, gateways[0])
    try:
        core.create_namespaced_service(namespace, aside, _request_timeout=_TIMEOUT)
    except client.ApiException as error:
        if error.status != 409:  # an update that was interrupted has made it
            raise
    pulumi.log.info(
        f"Gateway {namespace}/{name} of {old.group} stays for {SETTLING + DRAINING} s, in which its connections end"
    )
    time.sleep(SETTLING)
    host = f"{name}-aside.{namespace}.svc.cluster.local"
    for gateway in gateways:
        own_name = gateway["metadata"]["name"]
        objects.patch_namespaced_custom_object(*place, own_name, old.patch(host), _request_timeout=_TIMEOUT)
    time.sleep(DRAINING)


def _read(objects: "client.CustomObjectsApi", place: tuple[str, str, str, str], name: str) -> Iterator[Any]:
    """Yield the Gateway of a name, and those for the hosts beyond its limit."""
    from kubernetes import client

    for number in range(gateway_api.MAX_PARENTS):
        part = gateway_api.numbered(name, number)
        try:
            gateway: Any = objects.get_namespaced_custom_object(*place, part, _request_timeout=_TIMEOUT)
        except client.ApiException as error:
            if error.status == 404:
                return
            raise
        # Read at once after it was deleted, it may still be there.
        if not gateway["metadata"].get("deletionTimestamp"):
            yield gateway


def _service(name: str, gateways_own: "client.V1Service", owner: Mapping[str, Any]) -> dict[str, Any]:
    """Return the Service, which Kubernetes deletes with the Gateway."""
    reference = {key: owner[key] for key in ("apiVersion", "kind")} | {
        key: owner["metadata"][key] for key in ("name", "uid")
    }
    selector = gateways_own.spec.selector if gateways_own.spec else None
    return {
        "metadata": {"name": name, "ownerReferences": [reference]},
        "spec": {"selector": selector, "ports": [{"name": "https", "port": 443, "targetPort": PORT}]},
    }
