"""What all Pods of the node share: the API, Events, objects to read, directories."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from pathlib import Path

from sandbox.node import NODE_NAME
from sandbox.node.api import Api, ApiError
from sandbox.node.environment import NodeInfo
from sandbox.node.images import Image
from sandbox.node.netns import Addresses
from sandbox.node.status import now
from sandbox.watch import Informer, Json

log = logging.getLogger(__name__)


class Pulse:
    """Wakes everyone who waits for a change; no change is missed between looking and waiting."""

    def __init__(self) -> None:
        self.count = 0
        self._event = asyncio.Event()

    def fire(self) -> None:
        """Say that something has changed."""
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
    info: NodeInfo
    images: dict[str, Image]
    secrets: Informer
    config_maps: Informer
    root: Path
    """Pods' directories are in here."""
    log_dir: Path
    service_env: dict[str, str]
    """KUBERNETES_SERVICE_HOST and its companions."""
    addresses: Addresses = field(default_factory=Addresses)
    _events: dict[tuple[str, str, str], tuple[str, int]] = field(default_factory=dict)

    def lookup(self, namespace: str, kind: str, name: str) -> Json | None:
        """Return a Secret or ConfigMap from the live copy."""
        return (self.secrets if kind == "Secret" else self.config_maps).get(namespace, name)

    async def record(self, pod: Json, reason: str, message: str, *, warning: bool = True) -> None:
        """Write an Event about a Pod; a repeated one is counted, not written again."""
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
        except ApiError as error:  # an Event is never worth failing for: its namespace may be going away
            log.info("event %s of %s: %s", reason, metadata["name"], error)

    def forget_events(self, pod: Json) -> None:
        """Forget the Events of a Pod that is gone."""
        for key in [key for key in self._events if key[0] == pod["metadata"]["uid"]]:
            del self._events[key]


def _event(metadata: Json, reason: str, message: str, *, warning: bool) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"generateName": f"{metadata['name']}.", "namespace": metadata["namespace"]},
        "involvedObject": {
            "apiVersion": "v1",
            "kind": "Pod",
            "name": metadata["name"],
            "namespace": metadata["namespace"],
            "uid": metadata["uid"],
        },
        "type": "Warning" if warning else "Normal",
        "reason": reason,
        "message": message[:1024],
        "source": {"component": "sandbox-node", "host": NODE_NAME},
        "firstTimestamp": now(),
        "lastTimestamp": now(),
        "count": 1,
    }
