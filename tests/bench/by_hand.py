"""The floor of `up`: the same objects by `helm` and `kubectl apply`, the same records by one request each way."""

import json
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from sandbox.testing import ZONES, cloud_dns, delete, kubectl
from tests.bench.flat_stack import raw

TIMEOUT = 600
"""Seconds for one command."""
SERVING = ("Gateway", "VirtualService", "ReferenceGrant", "HTTPRoute")
"""The kinds that serve hosts."""
_RELEASE, _RECORD, _NAMESPACE = "kubernetes:helm.sh/v3:Release", "gcp:dns/recordSet:RecordSet", "Namespace"
_PORT_80 = "http-"
"""The prefix of the objects' names that are applied before the issuers: those of port 80."""


class ByHand:
    """The resources of a stack, made by hand."""

    def __init__(self, states: Iterable[Mapping[str, Any]], folder: Path) -> None:
        resources = list(raw(states))
        [self._release] = [resource["inputs"] for resource in resources if resource["type"] == _RELEASE]
        self._values = folder / "values.json"
        self._values.write_text(json.dumps(self._release["values"]))
        self._records = [
            {key: resource["inputs"][key] for key in ("name", "type", "ttl", "rrdatas")}
            for resource in resources
            if resource["type"] == _RECORD
        ]
        self._objects = [resource["inputs"] for resource in resources if "kind" in resource["inputs"]]

    def up(self) -> None:
        """Make everything in the order in which it works, and wait for what a stack waits for."""
        _apply(self._of(_NAMESPACE))
        cloud_dns("POST", "/sandbox/changes", {"additions": self._records}, below=ZONES)
        routes = [obj for kind in SERVING for obj in self._of(kind)]
        _apply([obj for obj in routes if obj["metadata"]["name"].startswith(_PORT_80)])
        self._helm("install", self._release["chart"], "--values", str(self._values), "--timeout", f"{TIMEOUT}s")
        for kind in ("ClusterIssuer", "Certificate"):
            _apply(self._of(kind))
            for obj in self._of(kind):
                name, namespace = obj["metadata"]["name"], obj["metadata"].get("namespace", "default")
                wait = ("wait", "--for=condition=Ready", f"--timeout={TIMEOUT}s")
                kubectl(*wait, "--namespace", namespace, f"{kind}/{name}", timeout=TIMEOUT)
        _apply([obj for obj in routes if not obj["metadata"]["name"].startswith(_PORT_80)])

    def down(self) -> None:
        """Remove everything but what a stack leaves as well."""
        # With its Certificates first: a Challenge that outlives cert-manager keeps its finalizer.
        delete(*(obj for obj in self._objects if obj["kind"] != _NAMESPACE))
        self._helm("uninstall")
        kubectl("delete", "namespace", self._release["namespace"], timeout=TIMEOUT)
        cloud_dns("POST", "/sandbox/changes", {"deletions": self._records}, below=ZONES)

    def _of(self, kind: str) -> list[dict[str, Any]]:
        return [obj for obj in self._objects if obj["kind"] == kind]

    def _helm(self, command: str, *arguments: str) -> None:
        argv = ["helm", command, self._release["name"], *arguments, "--namespace", self._release["namespace"], "--wait"]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=TIMEOUT, check=False)
        if done.returncode:
            raise RuntimeError(f"{' '.join(argv)}: {done.stderr.strip()}")


def _apply(objects: list[dict[str, Any]]) -> None:
    kubectl("apply", manifest=objects, timeout=TIMEOUT)
