"""The agent: registers the node, binds Pods to it, and starts a worker for every Pod."""

import asyncio
import logging
import platform
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from sandbox import paths
from sandbox.api import ApiError, Json
from sandbox.network import HOST, POD_CIDR
from sandbox.node import NODE_NAME, logs, netns
from sandbox.node.api import Api
from sandbox.node.context import Node
from sandbox.node.environment import CAPACITY
from sandbox.node.loadbalancer import keep_addresses
from sandbox.node.pod import PodWorker
from sandbox.node.status import now
from sandbox.tools import required_version
from sandbox.watch import EventType, Informer

LOG_PORT = 10250

_LEASE_SECONDS = 40
_RENEW_SECONDS = 10
_STOP_GRACE = 5.0
_LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"

_Handler = Callable[[EventType, Json], None]
_Work = Coroutine[Any, Any, None]

log = logging.getLogger(__name__)


class Agent:
    """The node `sandbox`. All state is changed on the event loop, which informers pass their events to."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._loop = asyncio.get_running_loop()
        self._workers: dict[str, PodWorker] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._pods = self._informer("pods", self._pod_event)
        self._node = Node(
            api, self._informer("secrets", self._input_event), self._informer("configmaps", self._input_event)
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Run the node until `stop` is set; then end every Pod's processes, and leave the API's objects as they are."""
        netns.clear()
        paths.POD_LOGS.mkdir(parents=True, exist_ok=True)
        logs.serve((HOST, LOG_PORT), paths.PKI / "apiserver.crt", self.log_file)
        self._node.service_env |= await asyncio.to_thread(self._kubernetes_service)
        for informer in (self._node.secrets, self._node.config_maps):
            informer.start()
            await asyncio.to_thread(informer.synced.wait)
        await asyncio.to_thread(self._register)
        renewing = asyncio.create_task(self._renew_lease())
        keep_addresses(self._api)
        self._pods.start()
        await stop.wait()
        renewing.cancel()
        await asyncio.gather(*(worker.stop(_STOP_GRACE) for worker in self._workers.values()))

    def log_file(self, namespace: str, pod: str, container: str) -> Path | None:
        """Return the log of a container, if there is such a container."""
        for worker in list(self._workers.values()):
            metadata = worker.pod["metadata"]
            if (metadata["namespace"], metadata["name"]) == (namespace, pod):
                return worker.log_file(container)
        return None

    def _informer(self, plural: str, handle: _Handler) -> Informer:
        def pass_on(event: EventType, item: Json) -> None:
            self._loop.call_soon_threadsafe(handle, event, item)

        return Informer(self._api.client, f"/api/v1/{plural}", pass_on)

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
        ended = (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")
        if ended and not pod["metadata"].get("deletionTimestamp"):
            return  # it ended under an earlier run of the agent
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
            if error.code not in (404, 409):  # deleted, or bound already
                log.warning("binding of %s/%s: %s", metadata["namespace"], metadata["name"], error)

    def _kubernetes_service(self) -> dict[str, str]:
        """Return the variables by which every Pod finds the API server."""
        spec = self._api.get("/api/v1/namespaces/default/services/kubernetes")["spec"]
        host, port = spec["clusterIP"], str(spec["ports"][0]["port"])
        return {"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": port, "KUBERNETES_SERVICE_PORT_HTTPS": port}

    def _register(self) -> None:
        node = node_object()
        status = node.pop("status")
        self._api.apply(f"/api/v1/nodes/{NODE_NAME}", node)
        self._api.patch(f"/api/v1/nodes/{NODE_NAME}/status", {"status": status})

    async def _renew_lease(self) -> None:
        """Keep the node's Lease fresh, or the node lifecycle controller marks the node as unreachable."""
        while True:
            lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": NODE_NAME}}
            spec = {"holderIdentity": NODE_NAME, "leaseDurationSeconds": _LEASE_SECONDS}
            spec |= {"renewTime": now().replace("Z", ".000000Z")}
            try:
                await asyncio.to_thread(self._api.apply, f"{_LEASES}/{NODE_NAME}", lease | {"spec": spec})
            except ApiError as error:
                log.warning("node lease: %s", error)
            await asyncio.sleep(_RENEW_SECONDS)


def node_object() -> Json:
    """Return the Node with its status."""
    size = {name: str(value) for name, value in CAPACITY.items()} | {"pods": "250", "ephemeral-storage": "10Gi"}
    architecture = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    labels = {"kubernetes.io/hostname": NODE_NAME, "kubernetes.io/os": "linux", "kubernetes.io/arch": architecture}
    condition = {"type": "Ready", "status": "True", "reason": "SandboxReady", "message": "Pods run as processes"}
    info = {
        "architecture": architecture,
        "operatingSystem": "linux",
        "osImage": "sandbox",
        "kernelVersion": platform.release(),
        "containerRuntimeVersion": "sandbox://1",
        "kubeletVersion": required_version("kubernetes", "k8s.io/kubernetes"),
        **dict.fromkeys(("kubeProxyVersion", "bootID", "machineID", "systemUUID"), ""),
    }
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": NODE_NAME, "labels": labels},
        "spec": {"podCIDR": POD_CIDR, "podCIDRs": [POD_CIDR], "providerID": f"sandbox://{NODE_NAME}"},
        "status": {
            "capacity": size,
            "allocatable": size,
            "addresses": [{"type": "InternalIP", "address": HOST}],
            "conditions": [condition | {"lastHeartbeatTime": now(), "lastTransitionTime": now()}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": LOG_PORT}},
            "nodeInfo": info,
        },
    }
