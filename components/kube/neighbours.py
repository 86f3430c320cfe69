"""Looks for Gateways of others with the hosts of a Gateway that is to be created; `tlsctl verify` looks for more."""

from collections.abc import Mapping
from typing import Any

import pulumi

from .. import preflight
from ..engine import in_thread
from ..preflight.hooks import before_create
from ..preflight.neighbours import Neighbours
from ..problem import text
from ..specs import istio
from .client import ClusterError, Object
from .credentials import Credentials, credentials_of


def warn_of_others(
    component: pulumi.ComponentResource, inputs: Mapping[str, Any], *, moves: bool = False
) -> pulumi.ResourceHookBinding | None:
    """Return `before_create` hooks for a Gateway, which warn.

    `inputs` has the fields `namespace`, `gateway`, `hosts` and `selector`; `moves` is for a Gateway of the Gateway API.
    """
    credentials = credentials_of(component)
    place = pulumi.Output.all(*(inputs[key] for key in ("namespace", "gateway", "hosts", "selector")))

    async def run(_args: pulumi.ResourceHookArgs) -> None:
        known, own = await credentials.future(), await place.future()
        if known is None or own is None:
            return  # not known yet at this preview
        namespace, gateway, hosts, selector = own
        seen = Neighbours(namespace, gateway, hosts, selector, await in_thread(read, known), moves=moves)
        if problems := list(preflight.find(preflight.NEIGHBOURS, seen, warn=True)):
            pulumi.log.warn(text(problems))

    return before_create(component, run)


def read(credentials: Credentials) -> list[Object]:
    """Return the Gateways of all namespaces; none, and a line in the log, where they may not be read."""
    try:
        return credentials.client().items(istio.VERSION, "gateways")
    except ClusterError as error:
        pulumi.log.info(f"Gateways of other namespaces are not read from here: {error}")
        return []
