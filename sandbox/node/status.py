"""What the API is told of a Pod: container states, phase and conditions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sandbox.watch import Json


def now() -> str:
    """Return the time as the API writes it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass
class ContainerStatus:
    """The state of one container, changed by whoever runs it."""

    name: str
    image: str
    id: str
    restartable: bool = False
    """Runs for the Pod's whole life: any container with restart policy Always, sidecars too."""
    state: Json = field(default_factory=lambda: {"waiting": {"reason": "PodInitializing"}})
    last_state: Json = field(default_factory=dict)
    restarts: int = 0
    ready: bool = False
    started: bool = False

    def wait(self, reason: str, message: str = "") -> None:
        """Say why the container does not run."""
        self.state = {"waiting": {"reason": reason} | ({"message": message} if message else {})}
        self.ready = self.started = False

    def run(self) -> None:
        """Say that the program has been started."""
        if "terminated" in self.state:
            self.last_state = self.state
        self.state = {"running": {"startedAt": now()}}

    def exit(self, code: int, started_at: str, message: str = "") -> None:
        """Say how the program ended."""
        ended = {
            "exitCode": code,
            "reason": "Completed" if code == 0 else "Error",
            "startedAt": started_at,
            "finishedAt": now(),
            "containerID": self.id,
        }
        self.state = {"terminated": ended | ({"message": message} if message else {})}
        self.ready = self.started = False

    @property
    def exit_code(self) -> int | None:
        """The exit code, once the program has ended for good."""
        terminated = self.state.get("terminated")
        return None if terminated is None else int(terminated["exitCode"])

    def to_json(self) -> Json:
        """Return the API's ContainerStatus."""
        return {
            "name": self.name,
            "image": self.image,
            "imageID": self.image,
            "containerID": self.id,
            "state": self.state,
            "lastState": self.last_state,
            "restartCount": self.restarts,
            "ready": self.ready,
            "started": self.started,
        }


def initialized(inits: Sequence[ContainerStatus]) -> bool:
    """Whether every init container has succeeded, or runs if it is a sidecar."""
    return all(status.started if status.restartable else status.exit_code == 0 for status in inits)


def phase(inits: Sequence[ContainerStatus], containers: Sequence[ContainerStatus]) -> str:
    """Return the Pod's phase (https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-phase)."""
    codes = [status.exit_code for status in containers]
    if any(status.exit_code for status in inits if not status.restartable):
        return "Failed"
    if None not in codes:
        return "Failed" if any(codes) else "Succeeded"
    begun = any("running" in status.state or status.last_state or status.exit_code is not None for status in containers)
    return "Running" if begun else "Pending"


def pod_status(
    pod: Json,
    inits: Sequence[ContainerStatus],
    containers: Sequence[ContainerStatus],
    *,
    previous: Json,
    start_time: str,
    pod_ip: str,
    host_ip: str,
) -> Json:
    """Return a Pod's status.

    Args:
        pod: the Pod, for its readiness gates and the conditions that others have set.
        inits: its init containers.
        containers: its containers.
        previous: the status that was returned last, whose transition times stay where nothing changed.
        start_time: when the node took the Pod.
        pod_ip: its address; empty while it has none.
        host_ip: the node's address.
    """
    current = phase(inits, containers)
    done = current in ("Succeeded", "Failed")
    ready = not done and all(status.ready for status in containers)
    others = {each["type"]: each["status"] for each in (pod.get("status") or {}).get("conditions") or []}
    gates = [gate["conditionType"] for gate in pod["spec"].get("readinessGates") or []]
    reason = "PodCompleted" if current == "Succeeded" else "ContainersNotReady"
    conditions = [
        _condition("PodScheduled", True, previous),
        _condition("Initialized", initialized(inits) or current == "Succeeded", previous, "ContainersNotInitialized"),
        _condition("ContainersReady", ready, previous, reason),
        _condition("Ready", ready and all(others.get(gate) == "True" for gate in gates), previous, reason),
    ]
    status = {
        "phase": current,
        "conditions": conditions,
        "hostIP": host_ip,
        "hostIPs": [{"ip": host_ip}],
        "startTime": start_time,
        "qosClass": (pod.get("status") or {}).get("qosClass", "BestEffort"),
        "containerStatuses": [each.to_json() for each in containers],
    }
    if inits:
        status["initContainerStatuses"] = [each.to_json() for each in inits]
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
