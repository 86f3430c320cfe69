"""A Pod's status in the API: container states, phase and conditions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sandbox.api import Json
from sandbox.network import HOST


def now() -> str:
    """Return the time as the API writes it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass
class ContainerStatus:
    """The state of one container, kept by the `Container` that runs it."""

    name: str
    image: str
    id: str
    restartable: bool = False
    """Whether it runs for the Pod's whole life: restart policy Always, which includes sidecars."""
    state: Json = field(default_factory=lambda: {"waiting": {"reason": "PodInitializing"}})
    last_state: Json = field(default_factory=dict)
    restarts: int = 0
    ready: bool = False
    started: bool = False

    def wait(self, reason: str, message: str = "") -> None:
        """Record why the container does not run."""
        self.state = {"waiting": {"reason": reason} | ({"message": message} if message else {})}
        self.ready = self.started = False

    def run(self) -> None:
        """Record that the program has started."""
        if "terminated" in self.state:
            self.last_state = self.state
        self.state = {"running": {"startedAt": now()}}

    def exit(self, code: int, started_at: str, message: str = "") -> None:
        """Record how the program ended."""
        terminated = {
            "exitCode": code,
            "reason": "Completed" if code == 0 else "Error",
            "startedAt": started_at,
            "finishedAt": now(),
            "containerID": self.id,
        }
        self.state = {"terminated": terminated | ({"message": message} if message else {})}
        self.ready = self.started = False

    @property
    def exit_code(self) -> int | None:
        """The exit code; None while the program runs or waits."""
        terminated = self.state.get("terminated")
        return None if terminated is None else int(terminated["exitCode"])

    def to_json(self) -> Json:
        """Return the API's ContainerStatus."""
        identity = {"name": self.name, "image": self.image, "imageID": self.image, "containerID": self.id}
        states = {"state": self.state, "lastState": self.last_state, "restartCount": self.restarts}
        return identity | states | {"ready": self.ready, "started": self.started}


def initialized(inits: Sequence[ContainerStatus]) -> bool:
    """Return whether every init container has succeeded, or has started if it is a sidecar."""
    return all(status.started if status.restartable else status.exit_code == 0 for status in inits)


def phase(inits: Sequence[ContainerStatus], containers: Sequence[ContainerStatus]) -> str:
    """Return the Pod's phase (https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-phase)."""
    codes = [status.exit_code for status in containers]
    if any(status.exit_code for status in inits if not status.restartable):
        return "Failed"
    if None not in codes:
        return "Failed" if any(codes) else "Succeeded"
    started = any("running" in item.state or item.last_state or item.exit_code is not None for item in containers)
    return "Running" if started else "Pending"


def pod_status(
    pod: Json,
    inits: Sequence[ContainerStatus],
    containers: Sequence[ContainerStatus],
    *,
    previous: Json,
    start_time: str,
    pod_ip: str,
) -> Json:
    """Return a Pod's status, with the transition times of the previous one where nothing has changed."""
    current = phase(inits, containers)
    done = current in ("Succeeded", "Failed")
    ready = not done and all(status.ready for status in containers)
    reason = "PodCompleted" if current == "Succeeded" else "ContainersNotReady"
    conditions = [
        _condition("PodScheduled", True, previous),
        _condition("Initialized", initialized(inits) or current == "Succeeded", previous, "ContainersNotInitialized"),
        _condition("ContainersReady", ready, previous, reason),
        _condition("Ready", ready, previous, reason),
    ]
    status = {
        "phase": current,
        "conditions": conditions,
        "hostIP": HOST,
        "hostIPs": [{"ip": HOST}],
        "startTime": start_time,
        "qosClass": (pod.get("status") or {}).get("qosClass", "BestEffort"),
        "containerStatuses": [item.to_json() for item in containers],
    }
    if inits:
        status["initContainerStatuses"] = [item.to_json() for item in inits]
    if pod_ip:
        status |= {"podIP": pod_ip, "podIPs": [{"ip": pod_ip}]}
    return status


def _condition(kind: str, holds: bool, previous: Json, reason: str = "") -> Json:
    condition = {"type": kind, "status": "True" if holds else "False", "lastTransitionTime": now()}
    if not holds and reason:
        condition["reason"] = reason
    for old in previous.get("conditions") or []:
        if old["type"] == kind and old["status"] == condition["status"]:
            condition["lastTransitionTime"] = old["lastTransitionTime"]
    return condition
