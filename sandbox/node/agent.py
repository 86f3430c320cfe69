"""The agent: registers the node, binds Pods to it, and gives each a worker."""

from __future__ import annotations

import asyncio
import logging
import os
import platform
from collections.abc import Callable, Coroutine
from decimal import Decimal
from pathlib import Path
from typing import Any

from sandbox.network import HOST, POD_CIDR
from sandbox.node import NODE_NAME, netns
from sandbox.node.api import Api, ApiError
from sandbox.node.context import Node
from sandbox.node.environment import NodeInfo
from sandbox.node.images import Image
from sandbox.node.loadbalancer import LoadBalancers
from sandbox.node.pod import PodWorker
from sandbox.node.status import now
from sandbox.tools import required_version
from sandbox.watch import EventType, Informer, Json

LOG_PORT = 10250

_LEASE_SECONDS = 40
_RENEW_SECONDS = 10
_STOP_GRACE = 5.0
_LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"

_Handler = Callable[[EventType, Json], None]
_Work = Coroutine[Any, Any, None]

log = logging.getLogger(__name__)


class Agent:
    """The node `sandbox`. All state is changed on the event loop; informers hand their events over to it."""

    def __init__(self, api: Api, images: dict[str, Image], root: Path, log_dir: Path) -> None:
        self._api = api
        self._loop = asyncio.get_running_loop()
        self._workers: dict[str, PodWorker] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._pods = Informer(api.client, "/api/v1/pods", self._handing_over(self._pod_event))
        self._node = Node(
            api=api,
            info=NodeInfo(NODE_NAME, HOST, Decimal(os.cpu_count() or 1), Decimal(_memory_bytes())),
            images=images,
            secrets=Informer(api.client, "/api/v1/secrets", self._handing_over(self._input_event)),
            config_maps=Informer(api.client, "/api/v1/configmaps", self._handing_over(self._input_event)),
            root=root,
            log_dir=log_dir,
            service_env={},
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Run the node until told to stop; then end every Pod's processes, leaving the API's objects as they are."""
        netns.clear()
        self._node.root.mkdir(parents=True, exist_ok=True)
        self._node.log_dir.mkdir(parents=True, exist_ok=True)
        self._node.service_env |= await asyncio.to_thread(self._kubernetes_service)
        for informer in (self._node.secrets, self._node.config_maps):
            informer.start()
            await asyncio.to_thread(informer.synced.wait)
        await asyncio.to_thread(self._register)
        renewing = asyncio.create_task(self._renew_lease())
        LoadBalancers(self._api).start()
        self._pods.start()
        await stop.wait()
        renewing.cancel()
        await asyncio.gather(*(worker.stop(_STOP_GRACE) for worker in self._workers.values()))

    def log_file(self, namespace: str, pod: str, container: str) -> str | None:
        """Return where a container's output is."""
        for worker in list(self._workers.values()):
            metadata = worker.pod["metadata"]
            if (metadata["namespace"], metadata["name"]) == (namespace, pod):
                return worker.log_file(container)
        return None

    def _handing_over(self, handle: _Handler) -> _Handler:
        return lambda event, item: (self._loop.call_soon_threadsafe(handle, event, item), None)[1]

    def _pod_event(self, event: EventType, pod: Json) -> None:
        uid = pod["metadata"]["uid"]
        node_name = pod["spec"].get("nodeName")
        worker = self._workers.get(uid)
        if event == "DELETED":
            if worker:
                worker.gone()
        elif worker:
            worker.update(pod)
        elif node_name == NODE_NAME:
            self._start(uid, pod)
        elif not node_name and not pod["spec"].get("schedulingGates"):
            self._spawn(f"bind {uid}", self._bind(pod))

    def _start(self, uid: str, pod: Json) -> None:
        if (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed") and not pod["metadata"].get(
            "deletionTimestamp"
        ):
            return  # it ended under an earlier run of the agent; a deletion of it needs no process to end
        worker = self._workers[uid] = PodWorker(pod, self._node)
        worker.update(pod)
        self._spawn(uid, worker.run())

    def _spawn(self, key: str, work: _Work) -> None:
        if key in self._tasks:
            work.close()
            return
        task = self._tasks[key] = asyncio.create_task(work, name=key)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.pop(task.get_name(), None)
        self._workers.pop(task.get_name(), None)
        if not task.cancelled() and (error := task.exception()):
            log.error("%s: %s", task.get_name(), error, exc_info=error)

    def _input_event(self, _: EventType, item: Json) -> None:
        for worker in self._workers.values():
            if worker.pod["metadata"]["namespace"] == item["metadata"]["namespace"]:
                worker.inputs.fire()

    async def _bind(self, pod: Json) -> None:
        metadata = pod["metadata"]
        path = f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}/binding"
        body = {
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": {"name": metadata["name"], "uid": metadata["uid"]},
            "target": {"apiVersion": "v1", "kind": "Node", "name": NODE_NAME},
        }
        try:
            await asyncio.to_thread(self._api.post, path, body)
        except ApiError as error:
            if error.status not in (404, 409):  # gone or bound already
                log.warning("binding of %s/%s: %s", metadata["namespace"], metadata["name"], error)

    def _kubernetes_service(self) -> dict[str, str]:
        """Return the variables by which every Pod finds the API server."""
        spec = self._api.get("/api/v1/namespaces/default/services/kubernetes")["spec"]
        host, port = spec["clusterIP"], str(spec["ports"][0]["port"])
        return {"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": port, "KUBERNETES_SERVICE_PORT_HTTPS": port}

    def _register(self) -> None:
        node = node_object(self._node.info)
        try:
            self._api.post("/api/v1/nodes", node)
        except ApiError as error:
            if error.status != 409:
                raise
        self._api.patch(f"/api/v1/nodes/{NODE_NAME}/status", {"status": node["status"]})

    async def _renew_lease(self) -> None:
        """Keep the node's Lease fresh: that is what the node lifecycle controller looks at."""
        while True:
            try:
                await asyncio.to_thread(self._write_lease)
            except ApiError as error:
                log.warning("node lease: %s", error)
            await asyncio.sleep(_RENEW_SECONDS)

    def _write_lease(self) -> None:
        spec = {
            "holderIdentity": NODE_NAME,
            "leaseDurationSeconds": _LEASE_SECONDS,
            "renewTime": now().replace("Z", ".000000Z"),
        }
        try:
            self._api.patch(f"{_LEASES}/{NODE_NAME}", {"spec": spec})
        except ApiError as error:
            if error.status != 404:
                raise
            lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": NODE_NAME}}
            self._api.post(_LEASES, lease | {"spec": spec})


def node_object(info: NodeInfo) -> Json:
    """Return the Node as it is registered, with its status."""
    size = {"cpu": str(info.cpu), "memory": str(info.memory), "pods": "250", "ephemeral-storage": "10Gi"}
    labels = {
        "kubernetes.io/hostname": info.name,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine()),
    }
    condition = {"type": "Ready", "status": "True", "reason": "SandboxReady", "message": "Pods run as processes"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": info.name, "labels": labels},
        "spec": {"podCIDR": POD_CIDR, "podCIDRs": [POD_CIDR], "providerID": f"sandbox://{info.name}"},
        "status": {
            "capacity": size,
            "allocatable": size,
            "addresses": [{"type": "InternalIP", "address": info.address}],
            "conditions": [condition | {"lastHeartbeatTime": now(), "lastTransitionTime": now()}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": LOG_PORT}},
            "nodeInfo": {
                "architecture": labels["kubernetes.io/arch"],
                "operatingSystem": "linux",
                "osImage": "sandbox",
                "kernelVersion": platform.release(),
                "containerRuntimeVersion": "sandbox://1",
                "kubeletVersion": required_version("kubernetes", "k8s.io/kubernetes"),
                "kubeProxyVersion": "",
                "bootID": "",
                "machineID": "",
                "systemUUID": "",
            },
        },
    }


def _memory_bytes() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
