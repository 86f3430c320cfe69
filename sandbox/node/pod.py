"""One Pod on the node, from its address to its end."""

from __future__ import annotations

import asyncio
import functools
import logging
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from sandbox import paths
from sandbox.api import ApiError, Json
from sandbox.network import HOST
from sandbox.node import netns
from sandbox.node.container import Container, RestartPolicy
from sandbox.node.context import Node, Pulse
from sandbox.node.environment import MissingError
from sandbox.node.status import now, pod_status
from sandbox.node.volumes import PodVolumes

_REFRESH_SECONDS = 60
_RETRY_SECONDS = 1.0
_CLUSTER_DOMAIN = "cluster.local"

log = logging.getLogger(__name__)


class PodWorker:
    """Runs one Pod: network, volumes, init containers, containers, status, end."""

    def __init__(self, pod: Json, node: Node) -> None:
        self.pod = pod
        self.inputs = Pulse()
        """Fires when a ConfigMap or Secret of the namespace, or the Pod itself, has changed."""
        self.changed = Pulse()
        """Fires when the Pod's status has changed."""
        self.node = node
        self.ip = ""
        self._metadata = pod["metadata"]
        self._path = f"/api/v1/namespaces/{self._metadata['namespace']}/pods/{self._metadata['name']}"
        self.directory = paths.RUN / "pods" / self._metadata["uid"]
        self._device = f"pod-{self._metadata['uid'][:8]}"  # a device's name has 15 characters at most
        self.netns = netns.path(self._device)
        self._start_time = now()
        self._reported: Json = pod.get("status") or {}
        self._deleted = asyncio.Event()
        self._gone = False
        self._living: asyncio.Task[None] | None = None
        lookup = functools.partial(node.lookup, self._metadata["namespace"])
        self.volumes = PodVolumes(self.directory / "volumes", lookup, self._request_token)
        policy: RestartPolicy = pod["spec"].get("restartPolicy", "Always")
        self._inits = [
            Container(spec, "Always" if spec.get("restartPolicy") == "Always" else _init_policy(policy), self)
            for spec in pod["spec"].get("initContainers") or []
        ]
        self._containers = [Container(spec, policy, self) for spec in pod["spec"]["containers"]]

    def update(self, pod: Json) -> None:
        """Take over a new version of the Pod."""
        if any(pod["metadata"].get(key) != self.pod["metadata"].get(key) for key in ("labels", "annotations")):
            self.inputs.fire()
        self.pod = pod
        if pod["metadata"].get("deletionTimestamp"):
            self._deleted.set()
        self.changed.fire()

    def gone(self) -> None:
        """Note that the Pod no longer exists in the API."""
        self._gone = True
        self._deleted.set()

    def log_file(self, name: str) -> Path | None:
        """Return the log of a container, if the Pod has such a container."""
        logs = {container.name: container.log_file for container in (*self._inits, *self._containers)}
        return logs.get(name)

    async def run(self) -> None:
        """Run the Pod until it has been deleted and everything of it is removed."""
        publishing = asyncio.create_task(self._publish())
        self._living = asyncio.create_task(self._live())
        try:
            await self._deleted.wait()
            await self.stop(0.0 if self._gone else float(self.pod["metadata"].get("deletionGracePeriodSeconds") or 0))
            publishing.cancel()
            if not self._gone:
                await self._report()
                await self._remove()
        finally:
            self._living.cancel()
            publishing.cancel()
            await asyncio.to_thread(self._clean_up)

    async def stop(self, grace: float) -> None:
        """End all processes: the containers together, then the sidecars in reverse order."""
        if self._living:
            self._living.cancel()
            await asyncio.wait({self._living})
        await asyncio.gather(*(container.stop(grace) for container in self._containers))
        for container in reversed(self._inits):
            await container.stop(grace)

    async def _live(self) -> None:
        try:
            await self._set_up()
            refreshing = asyncio.create_task(self._keep_volumes())
            try:
                await self._run_containers()
            finally:
                refreshing.cancel()
        except Exception as error:  # reported as an Event; other Pods are unaffected
            log.exception("pod %s", self._path)
            await self.node.record(self.pod, "FailedCreatePodSandBox", str(error))

    async def _set_up(self) -> None:
        for container in (*self._inits, *self._containers):
            container.status.wait("PodInitializing" if self._inits else "ContainerCreating")
        self.directory.mkdir(parents=True, exist_ok=True)
        self.ip = next(self.node.addresses)
        await asyncio.to_thread(netns.attach, self._device, self.ip)
        self.changed.fire()
        while True:
            count = self.inputs.count
            error = await self._refresh_volumes()
            if error is None:
                return
            await self._await_inputs(count, _RETRY_SECONDS if isinstance(error, ApiError) else _REFRESH_SECONDS)

    def etc_files(self) -> dict[str, str]:
        """Return the files that every container of the Pod has, by their paths."""
        name, namespace = self._metadata["name"], self._metadata["namespace"]
        return {
            "/etc/hostname": f"{name}\n",
            "/etc/hosts": hosts_file(self.pod, self.ip),
            "/etc/resolv.conf": resolver_file(namespace),
        }

    async def _await_inputs(self, count: int, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.inputs.beyond(count)

    async def _keep_volumes(self) -> None:
        while True:  # at least once a minute: tokens expire
            await self._await_inputs(self.inputs.count, _REFRESH_SECONDS)
            await self._refresh_volumes()

    async def _refresh_volumes(self) -> Exception | None:
        """Refresh the volumes; return the error, after which they are as before."""
        try:
            await asyncio.to_thread(self.volumes.refresh, self.pod, self.ip)
        except (MissingError, ApiError) as error:
            await self.node.record(self.pod, "FailedMount", str(error))
            return error
        return None

    async def _run_containers(self) -> None:
        sidecars: list[asyncio.Task[None]] = []
        try:
            for container in self._inits:
                if container.status.restartable:
                    sidecars.append(asyncio.create_task(container.run()))
                    await container.up.wait()
                    continue
                await container.run()
                if container.status.exit_code != 0:
                    return
            async with asyncio.TaskGroup() as group:
                for container in self._containers:
                    group.create_task(container.run())
        finally:
            for sidecar in sidecars:
                sidecar.cancel()
        grace = float(self.pod["spec"].get("terminationGracePeriodSeconds", 30))
        for container in reversed(self._inits):
            await container.stop(grace)
        self.changed.fire()

    async def _publish(self) -> None:
        while True:
            count = self.changed.count
            await self._report()
            await self.changed.beyond(count)

    async def _report(self) -> None:
        """Write the status, if it has changed."""
        status = pod_status(
            self.pod,
            [container.status for container in self._inits],
            [container.status for container in self._containers],
            previous=self._reported,
            start_time=self._start_time,
            pod_ip=self.ip,
        )
        if status == self._reported:
            return
        body = {"metadata": {"uid": self._metadata["uid"]}, "status": status}
        if await self._persist(self.node.api.patch, f"{self._path}/status", body):
            self._reported = status

    async def _remove(self) -> None:
        """Finish the deletion, which waits for the node."""
        body = {"gracePeriodSeconds": 0, "preconditions": {"uid": self._metadata["uid"]}}
        await self._persist(self.node.api.delete, self._path, body)

    async def _persist(self, call: Callable[[str, Json], Any], path: str, body: Json) -> bool:
        """Repeat a request until it succeeds; return False if the Pod does not exist or another one has its name."""
        while True:
            try:
                await asyncio.to_thread(call, path, body)
                return True
            except ApiError as error:
                if error.code in (404, 409):
                    return False
                log.warning("%s of %s: %s", call.__name__, path, error)
                await asyncio.sleep(_RETRY_SECONDS)

    def _clean_up(self) -> None:
        if self.ip:
            netns.detach(self._device)
        self.node.forget_events(self.pod)
        shutil.rmtree(self.directory, ignore_errors=True)

    def _request_token(self, audience: str | None, seconds: int) -> str:
        metadata = self._metadata
        account = self.pod["spec"].get("serviceAccountName", "default")
        bound = {"apiVersion": "v1", "kind": "Pod", "name": metadata["name"], "uid": metadata["uid"]}
        spec = {"expirationSeconds": seconds, "boundObjectRef": bound, "audiences": [audience] if audience else []}
        answer = self.node.api.post(
            f"/api/v1/namespaces/{metadata['namespace']}/serviceaccounts/{account}/token",
            {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec},
        )
        return str(answer["status"]["token"])


def _init_policy(policy: RestartPolicy) -> RestartPolicy:
    """Return an init container's policy: until it has succeeded, unless the Pod never restarts."""
    return "Never" if policy == "Never" else "OnFailure"


def hosts_file(pod: Json, pod_ip: str) -> str:
    """Return a Pod's /etc/hosts, with its `hostAliases`."""
    lines = ["127.0.0.1 localhost", "::1 localhost", f"{pod_ip} {pod['metadata']['name']}"]
    aliases = pod["spec"].get("hostAliases") or []
    lines += [f"{alias['ip']} {' '.join(alias['hostnames'])}" for alias in aliases]
    return "\n".join(lines) + "\n"


def resolver_file(namespace: str) -> str:
    """Return a Pod's /etc/resolv.conf: the sandbox's DNS, and the search list of a Kubernetes cluster."""
    search = f"{namespace}.svc.{_CLUSTER_DOMAIN} svc.{_CLUSTER_DOMAIN} {_CLUSTER_DOMAIN}"
    return f"nameserver {HOST}\nsearch {search}\noptions ndots:5\n"
