"""One Pod on the node, from its address to its end."""

from __future__ import annotations

import asyncio
import functools
import logging
import shutil

from sandbox.network import HOST
from sandbox.node import netns
from sandbox.node.api import ApiError
from sandbox.node.container import Container, PodView, RestartPolicy
from sandbox.node.context import Node, Pulse
from sandbox.node.environment import MissingError
from sandbox.node.status import now, pod_status
from sandbox.node.volumes import PodVolumes
from sandbox.watch import Json

_REFRESH_SECONDS = 60
_RETRY_SECONDS = 1.0
_CLUSTER_DOMAIN = "cluster.local"

log = logging.getLogger(__name__)


class PodWorker:
    """Runs one Pod: network, volumes, init containers, containers, status, end."""

    def __init__(self, pod: Json, node: Node) -> None:
        self.pod = pod
        self.inputs = Pulse()
        """Fired by the agent when a ConfigMap or Secret of the namespace, or the Pod itself, has changed."""
        self._node = node
        self._metadata = pod["metadata"]
        self._path = f"/api/v1/namespaces/{self._metadata['namespace']}/pods/{self._metadata['name']}"
        self._directory = node.root / self._metadata["uid"]
        self._host_network = bool(pod["spec"].get("hostNetwork"))
        self._netns = f"pod-{self._metadata['uid'][:8]}"  # a device's name has 15 characters at most
        self._ip = HOST if self._host_network else ""
        self._start_time = now()
        self._changed = Pulse()
        self._reported: Json = pod.get("status") or {}
        self._deleted = asyncio.Event()
        self._gone = False
        self._living: asyncio.Task[None] | None = None
        self._volumes = PodVolumes(
            self._directory / "volumes",
            functools.partial(node.lookup, self._metadata["namespace"]),
            self._request_token,
            node.info,
        )
        policy: RestartPolicy = pod["spec"].get("restartPolicy", "Always")
        self._inits = [
            self._container(spec, "Always" if spec.get("restartPolicy") == "Always" else _init_policy(policy))
            for spec in pod["spec"].get("initContainers") or []
        ]
        self._containers = [self._container(spec, policy) for spec in pod["spec"]["containers"]]

    def _container(self, spec: Json, policy: RestartPolicy) -> Container:
        # The address and files of the view are filled in by `_set_up`, before any container runs.
        return Container(spec, policy, self._node, self._view)

    @functools.cached_property
    def _view(self) -> PodView:
        return PodView(
            pod=lambda: self.pod,
            directory=self._directory,
            ip=self._ip,
            netns=None if self._host_network else netns.path(self._netns),
            lookup=self._volumes.lookup,
            inputs=self.inputs,
            mounts=lambda spec: self._volumes.mounts(self.pod, spec),
            files={},
            changed=self._changed.fire,
        )

    def update(self, pod: Json) -> None:
        """Take over the Pod as it is now."""
        if any(pod["metadata"].get(key) != self.pod["metadata"].get(key) for key in ("labels", "annotations")):
            self.inputs.fire()
        self.pod = pod
        if pod["metadata"].get("deletionTimestamp"):
            self._deleted.set()
        self._changed.fire()

    def gone(self) -> None:
        """Say that the Pod has been removed from the API already."""
        self._gone = True
        self._deleted.set()

    def log_file(self, container: str) -> str | None:
        """Return where a container's output is, if the Pod has such a container."""
        for each in (*self._inits, *self._containers):
            if each.name == container:
                return str(each.log_file)
        return None

    async def run(self) -> None:
        """Run the Pod until it has been deleted and nothing of it is left."""
        publishing = asyncio.create_task(self._publish())
        self._living = asyncio.create_task(self._live())
        try:
            await self._deleted.wait()
            await self.stop(0.0 if self._gone else self._metadata_grace())
            publishing.cancel()
            if not self._gone:
                await self._report()
                await self._remove()
        finally:
            self._living.cancel()
            publishing.cancel()
            await asyncio.to_thread(self._clean_up)

    async def stop(self, grace: float) -> None:
        """End all processes, for good: the containers together, then the sidecars in reverse order."""
        if self._living:
            self._living.cancel()
            await asyncio.wait({self._living})
        await asyncio.gather(*(container.stop(grace) for container in self._containers))
        for container in reversed(self._inits):
            await container.stop(grace)

    def _metadata_grace(self) -> float:
        return float(self.pod["metadata"].get("deletionGracePeriodSeconds") or 0)

    async def _live(self) -> None:
        try:
            await self._set_up()
            refreshing = asyncio.create_task(self._keep_volumes())
            try:
                await self._run_containers()
            finally:
                refreshing.cancel()
        except Exception as error:  # one Pod's trouble is told as its Event, and is not the others'
            log.exception("pod %s", self._path)
            await self._node.record(self.pod, "FailedCreatePodSandBox", str(error))

    async def _set_up(self) -> None:
        name = self._metadata["name"]
        for container in (*self._inits, *self._containers):
            container.status.wait("PodInitializing" if self._inits else "ContainerCreating")
        self._directory.mkdir(parents=True, exist_ok=True)
        if not self._host_network:
            self._ip = self._node.addresses.take()
            await asyncio.to_thread(netns.attach, self._netns, self._ip)
        self._view.ip = self._ip
        self._view.files |= {
            "/etc/hostname": f"{name}\n",
            "/etc/hosts": hosts_file(self.pod, self._ip),
            "/etc/resolv.conf": resolver_file(self._metadata["namespace"]),
        }
        self._changed.fire()
        while True:
            seen = self.inputs.count
            try:
                await asyncio.to_thread(self._volumes.refresh, self.pod, self._ip)
                return
            except (MissingError, ApiError) as error:
                await self._node.record(self.pod, "FailedMount", str(error))
                await self._await_inputs(seen, 1.0 if isinstance(error, ApiError) else _REFRESH_SECONDS)

    async def _await_inputs(self, seen: int, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self.inputs.beyond(seen)
        except TimeoutError:
            pass  # time to look again all the same: tokens grow old

    async def _keep_volumes(self) -> None:
        while True:
            await self._await_inputs(self.inputs.count, _REFRESH_SECONDS)
            try:
                await asyncio.to_thread(self._volumes.refresh, self.pod, self._ip)
            except (MissingError, ApiError) as error:  # what is mounted stays as it was
                await self._node.record(self.pod, "FailedMount", str(error))

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
        self._changed.fire()

    async def _publish(self) -> None:
        while True:
            seen = self._changed.count
            await self._report()
            await self._changed.beyond(seen)

    async def _report(self) -> None:
        """Tell the API server the status, if it has changed."""
        status = pod_status(
            self.pod,
            [container.status for container in self._inits],
            [container.status for container in self._containers],
            previous=self._reported,
            start_time=self._start_time,
            pod_ip=self._ip,
            host_ip=HOST,
        )
        if status == self._reported:
            return
        body = {"metadata": {"uid": self._metadata["uid"]}, "status": status}
        while True:
            try:
                await asyncio.to_thread(self._node.api.patch, f"{self._path}/status", body)
                self._reported = status
                return
            except ApiError as error:
                if error.status in (404, 409):  # it is gone, or another Pod has its name
                    return
                log.warning("status of %s: %s", self._path, error)
                await asyncio.sleep(_RETRY_SECONDS)

    async def _remove(self) -> None:
        """Finish the deletion, which waited for this node."""
        body = {"gracePeriodSeconds": 0, "preconditions": {"uid": self._metadata["uid"]}}
        while True:
            try:
                await asyncio.to_thread(self._node.api.delete, self._path, body)
                return
            except ApiError as error:
                if error.status in (404, 409):
                    return
                log.warning("deletion of %s: %s", self._path, error)
                await asyncio.sleep(_RETRY_SECONDS)

    def _clean_up(self) -> None:
        if not self._host_network and self._ip:
            netns.detach(self._netns)
            self._node.addresses.release(self._ip)
        self._node.forget_events(self.pod)
        shutil.rmtree(self._directory, ignore_errors=True)

    def _request_token(self, audience: str | None, seconds: int) -> str:
        metadata = self._metadata
        account = self.pod["spec"].get("serviceAccountName", "default")
        bound = {"apiVersion": "v1", "kind": "Pod", "name": metadata["name"], "uid": metadata["uid"]}
        spec = {"expirationSeconds": seconds, "boundObjectRef": bound, "audiences": [audience] if audience else []}
        answer = self._node.api.post(
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
