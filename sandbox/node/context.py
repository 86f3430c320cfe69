"""What all Pods of the node share: the API, Events, live copies of ConfigMaps and Secrets, addresses."""

import asyncio
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field

from sandbox.api import ApiError, Json
from sandbox.node import NODE_NAME
from sandbox.node.api import Api
from sandbox.node.netns import addresses
from sandbox.node.status import now
from sandbox.watch import Informer

log = logging.getLogger(__name__)


class Pulse:
    """Wakes all tasks that wait for a change; none is missed between looking and waiting."""

    def __init__(self) -> None:
        self.count = 0
        self._event = asyncio.Event()

    def fire(self) -> None:
        """Signal a change."""
        self.count += 1
        self._event.set()
        self._event = asyncio.Event()

    async def beyond(self, count: int) -> None:
        """Return when there has been a change since `count` was read."""
        while self.count <= count:
            await self._event.wait()


@dataclass
class Node:
    """The node, as a Pod needs it."""

    api: Api
    secrets: Informer
    config_maps: Informer
    service_env: dict[str, str] = field(default_factory=dict)
    """KUBERNETES_SERVICE_HOST and related variables."""
    addresses: Iterator[str] = field(default_factory=addresses)
    _events: dict[tuple[str, str, str], tuple[str, int]] = field(default_factory=dict)

    def lookup(self, namespace: str, kind: str, name: str) -> Json | None:
        """Return a Secret or ConfigMap from the live copy."""
        return (self.secrets if kind == "Secret" else self.config_maps).get(namespace, name)

    async def record(self, pod: Json, reason: str, message: str, *, warning: bool = True) -> None:
        """Write an Event about a Pod, or count a repeated one."""
        metadata = pod["metadata"]
        base = f"/api/v1/namespaces/{metadata['namespace']}/events"
        name, count = self._events.get((metadata["uid"], reason, message), ("", 0))
        try:
            if name:
                await asyncio.to_thread(self.api.patch, f"{base}/{name}", {"count": count + 1, "lastTimestamp": now()})
            else:
                event = _event(metadata, reason, message, warning=warning)
                name = (await asyncio.to_thread(self.api.post, base, event))["metadata"]["name"]
            self._events[metadata["uid"], reason, message] = name, count + 1
        except ApiError as error:  # not worth failing for: the namespace may be terminating
            log.info("event %s of %s: %s", reason, metadata["name"], error)

    def forget_events(self, pod: Json) -> None:
        """Forget the Events of a deleted Pod."""
        for key in [key for key in self._events if key[0] == pod["metadata"]["uid"]]:
            del self._events[key]


def _event(metadata: Json, reason: str, message: str, *, warning: bool) -> Json:
    identity = {key: metadata[key] for key in ("name", "namespace", "uid")}
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"generateName": f"{metadata['name']}.", "namespace": metadata["namespace"]},
        "involvedObject": {"apiVersion": "v1", "kind": "Pod"} | identity,
        "type": "Warning" if warning else "Normal",
        "reason": reason,
        "message": message[:1024],
        "source": {"component": "sandbox-node", "host": NODE_NAME},
        "firstTimestamp": now(),
        "lastTimestamp": now(),
        "count": 1,
    }
