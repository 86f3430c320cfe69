"""Looks for Gateways of others with the hosts of a Gateway that is to be created; `tlsctl verify` looks for more."""

from collections.abc import Mapping
from functools import cache
from threading import Lock
from typing import Any

import pulumi

from .. import preflight
from ..engine import in_thread
from ..preflight.hooks import before_create
from ..preflight.neighbours import Neighbours, Pods
from ..problem import text
from ..specs import istio
from .client import ClusterError, Object
from .credentials import Credentials, credentials_of

_FIELDS = ("gateway", "hosts", "routes_from", "owned_hosts")
_READING = Lock()


def warn_of_others(
    component: pulumi.ComponentResource, inputs: Mapping[str, Any], *, moves: bool = False
) -> pulumi.ResourceHookBinding | None:
    """Return `before_create` hooks for a Gateway, which warn.

    `inputs` are a `HttpGatewayArgs` with all its fields; `moves` is for a Gateway of the Gateway API.
    """
    credentials = credentials_of(component)
    place = pulumi.Output.all(inputs["namespace"], inputs["service"], inputs["selector"])
    served = pulumi.Output.all(**{field: inputs[field] for field in _FIELDS})

    async def run(_args: pulumi.ResourceHookArgs) -> None:
        known, pods, own = await credentials.future(), await place.future(), await served.future()
        if known is None or pods is None or own is None:
            return  # not known yet at this preview
        seen = Neighbours(Pods(*pods), **own, gateways=await in_thread(read, known), moves=moves)
        if problems := list(preflight.find(preflight.NEIGHBOURS, seen, warn=True)):
            pulumi.log.warn(text(problems))

    return before_create(component, run)


def read(credentials: Credentials) -> list[Object]:
    """Return the Gateways of all namespaces; none, and a line in the log, where they may not be read.

    The components of a program, each of which looks at the same time, read them once.
    """
    with _READING:
        return _read(credentials)


@cache
def _read(credentials: Credentials) -> list[Object]:
    try:
        return credentials.client().items(istio.VERSION, "gateways")
    except ClusterError as error:
        pulumi.log.info(f"Gateways of other namespaces are not read from here: {error}")
        return []
