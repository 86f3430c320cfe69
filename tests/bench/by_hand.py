"""The floor of `up`: the same objects by `helm` and `kubectl apply`, the same records by one request each way."""

import json
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sandbox.testing import ZONES, cloud_dns
from tests.bench.flat_stack import raw

TIMEOUT = 600
"""Seconds for one command."""
_RELEASE, _RECORD, _NAMESPACE = "kubernetes:helm.sh/v3:Release", "gcp:dns/recordSet:RecordSet", "Namespace"
_PORT_80 = "http-"
"""How the objects are called that are applied before the issuers: those of port 80."""


class ByHand:
    """What a stack makes, for hands."""

    def __init__(self, states: Iterable[Mapping[str, Any]], folder: Path) -> None:
        resources = list(raw(states))
        [self._release] = [each["inputs"] for each in resources if each["type"] == _RELEASE]
        self._values = folder / "values.json"
        self._values.write_text(json.dumps(self._release["values"]))
        self._records = [
            {key: each["inputs"][key] for key in ("name", "type", "ttl", "rrdatas")}
            for each in resources
            if each["type"] == _RECORD
        ]
        self._objects = [each["inputs"] for each in resources if "kind" in each["inputs"]]

    def up(self) -> None:
        """Make everything, in the order in which it works, and wait for what a stack waits for."""
        namespace = self._release["namespace"]
        _apply(self._of(_NAMESPACE))
        _change("additions", self._records)
        port_80 = [each for each in self._routes() if each["metadata"]["name"].startswith(_PORT_80)]
        _apply(port_80)
        _run(
            "helm", "install", self._release["name"], self._release["chart"], "--namespace", namespace,
            "--values", str(self._values), "--wait", "--timeout", f"{TIMEOUT}s",
        )  # fmt: skip
        for kind in ("ClusterIssuer", "Certificate"):
            _apply(self._of(kind))
            for each in self._of(kind):
                where = ["--namespace", each["metadata"].get("namespace", "default")]
                wait = ["--for=condition=Ready", f"--timeout={TIMEOUT}s"]
                _run("kubectl", "wait", *where, *wait, f"{kind}/{each['metadata']['name']}")
        _apply([each for each in self._routes() if each not in port_80])

    def down(self) -> None:
        """Remove everything but what a stack leaves as well."""
        cluster = [each for each in self._objects if each["kind"] != _NAMESPACE]
        _run(
            "kubectl",
            "delete",
            "--ignore-not-found",
            "--filename=-",
            given={"kind": "List", "apiVersion": "v1", "items": cluster},
        )
        _run("helm", "uninstall", self._release["name"], "--namespace", self._release["namespace"], "--wait")
        _run("kubectl", "delete", "namespace", self._release["namespace"])
        _change("deletions", self._records)

    def _of(self, kind: str) -> list[dict[str, Any]]:
        return [each for each in self._objects if each["kind"] == kind]

    def _routes(self) -> list[dict[str, Any]]:
        return [*self._of("Gateway"), *self._of("VirtualService")]


def _apply(objects: Sequence[Mapping[str, Any]]) -> None:
    _run("kubectl", "apply", "--filename=-", given={"kind": "List", "apiVersion": "v1", "items": objects})


def _change(what: str, records: Sequence[Mapping[str, Any]]) -> None:
    cloud_dns("POST", "/sandbox/changes", {what: records}, below=ZONES)


def _run(*argv: str, given: Any = None) -> None:
    done = subprocess.run(
        argv, input=json.dumps(given) if given else None, capture_output=True, text=True, timeout=TIMEOUT, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(argv)}: {done.stderr.strip()}")
