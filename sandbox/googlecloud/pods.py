"""Which ServiceAccount a Pod runs as, by the Pod's address."""

from __future__ import annotations

from kubernetes import config

from sandbox.watch import Informer


class Pods:
    """A live copy of the cluster's Pods."""

    def __init__(self, kubeconfig: str) -> None:
        self._pods = Informer(config.new_client_from_config(kubeconfig), "/api/v1/pods", lambda *_: None)

    def start(self) -> None:
        """Watch, in a thread of its own."""
        self._pods.start()

    def identity(self, address: str) -> tuple[str, str] | None:
        """Return namespace and name of the ServiceAccount of the Pod that has this address."""
        for pod in self._pods.list():
            if pod.get("status", {}).get("podIP") == address:
                return pod["metadata"]["namespace"], pod["spec"].get("serviceAccountName", "default")
        return None
