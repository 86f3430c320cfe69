"""What tests leave in a sandbox: a snapshot to compare with, and the means to clean up.

The first session of tests in a sandbox writes down what it holds. Whatever is there later and was not there then, a
test has left.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from functools import partial
from pathlib import Path

from sandbox import paths
from sandbox.testing import zone
from sandbox.testing.cluster import Object, items, kubectl, patch
from sandbox.testing.wait import eventually

_SNAPSHOT = paths.RUN / "testing.json"
_PASSING = {
    "componentstatuses", "controllerrevisions.apps", "endpoints", "endpointslices.discovery.k8s.io", "events",
    "events.events.k8s.io", "pods", "replicasets.apps",
}  # fmt: skip
"""Kinds whose objects come and go by themselves."""
_STAY = ("CustomResourceDefinition", "APIService")
"""A Helm release leaves its definitions: with them would go every Certificate of the cluster."""
_OF_CERT_MANAGER = {("controller.cert-manager.io/fao", "true"), ("app.kubernetes.io/managed-by", "cert-manager")}
"""The label of Certificates' Secrets, and that of issuers' account keys."""
_WAIT = 30.0


@dataclass(frozen=True, order=True)
class Thing:
    """An object of the cluster, a record set or zone of Cloud DNS (no API version), or a stack's state."""

    kind: str
    name: str
    namespace: str = ""
    api_version: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"


def snapshot() -> set[Thing]:
    """Return everything that lasts: objects, record sets, managed zones, and stacks with resources in their state."""
    kinds = set(kubectl("api-resources", "--verbs=list", "--output=name").split()) - _PASSING
    columns = "--output=custom-columns=A:.kind,B:.metadata.name,C:.metadata.namespace,D:.apiVersion"
    lines = kubectl("get", ",".join(sorted(kinds)), "--all-namespaces", "--no-headers", columns).splitlines()
    objects = (Thing(*("" if word == "<none>" else word for word in line.split())) for line in lines)
    records = {Thing(f"{record['type']} record", record["name"]) for record in zone.cloud_dns("GET")["rrsets"]}
    zones = {Thing("zone", one["name"]) for one in zone.google("GET", zone.ZONES)["managedZones"]}
    stacks = {
        Thing("stack", str(file)) for file in paths.PULUMI_STATE.rglob("stacks/**/*.json") if _has_resources(file)
    }
    return {thing for thing in objects if thing.kind not in _STAY} | records | zones | stacks


def left(timeout: float = _WAIT) -> list[Thing]:
    """Return what is left after a time, at once if nothing is; the first call in a sandbox takes the snapshot."""
    if not _SNAPSHOT.exists():
        _SNAPSHOT.write_text(json.dumps([astuple(thing) for thing in snapshot()]))
    before = {Thing(*fields) for fields in json.loads(_SNAPSHOT.read_text())}
    remaining: set[Thing] = set()

    def nothing_left() -> bool:
        nonlocal remaining
        remaining = snapshot() - before
        return not remaining

    try:
        eventually("nothing is left", nothing_left, timeout)
    except AssertionError:
        return sorted(remaining)
    return []


def restore() -> None:
    """Remove everything that tests have left."""
    # More than once, because a controller may make an object again before it ends.
    for _ in range(3):
        if things := left(timeout=0):
            _remove(things)


@contextmanager
def restored() -> Iterator[None]:
    """Remove everything at the end of the block that was made in it, by hand or by printed commands."""
    try:
        yield
    finally:
        restore()


def _remove(things: list[Thing]) -> None:
    """Remove things and wait until they are gone, without the finalizers that nothing serves any more."""
    objects = [_manifest(thing) for thing in things if thing.api_version]
    if objects:
        kubectl("delete", "--ignore-not-found", "--wait=false", manifest=objects)
    for thing in things:
        if thing.kind == "stack":
            Path(thing.name).unlink()
        elif thing.kind.endswith(" record"):
            zone.cloud_dns("DELETE", f"/{thing.name}/{thing.kind.removesuffix(' record')}")
        elif thing.kind == "zone":
            zone.google("DELETE", f"{zone.ZONES}/{thing.name}")
    remaining = partial(_present, objects)
    try:
        eventually("the objects are gone", remaining, until=lambda present: not present, timeout=10)
    except AssertionError:
        for obj in remaining():
            metadata = obj["metadata"]
            patch(_full_kind(obj), metadata["name"], {"metadata": {"finalizers": None}}, metadata.get("namespace"))
        eventually("the objects without finalizers are gone", remaining, until=lambda present: not present)


def remove_orphaned_secrets() -> None:
    """Remove Secrets that cert-manager wrote for Certificates and issuers that do not exist any more."""
    secrets = [obj for obj in items("secrets") if _OF_CERT_MANAGER & obj["metadata"].get("labels", {}).items()]
    if not secrets:
        return
    used = {obj["spec"]["secretName"] for obj in items("certificates")}
    used |= {obj.get("status", {}).get("nextPrivateKeySecretName") for obj in items("certificates")}
    issuers = items("clusterissuers,issuers")
    used |= {obj["spec"].get("acme", {}).get("privateKeySecretRef", {}).get("name") for obj in issuers}
    orphans = [obj for obj in secrets if obj["metadata"]["name"] not in used]
    if orphans:
        kubectl("delete", "--ignore-not-found", manifest=[obj | {"data": None} for obj in orphans])


def _has_resources(file: Path) -> bool:
    latest = json.loads(file.read_text())["checkpoint"].get("latest") or {}
    return any(not resource["type"].startswith("pulumi:") for resource in latest.get("resources") or ())


def _manifest(thing: Thing) -> Object:
    metadata = {"name": thing.name, **({"namespace": thing.namespace} if thing.namespace else {})}
    return {"apiVersion": thing.api_version, "kind": thing.kind, "metadata": metadata}


def _present(objects: list[Object]) -> list[Object]:
    if not objects:
        return []
    answer = kubectl("get", "--ignore-not-found", "--output=json", manifest=objects)
    present = json.loads(answer) if answer else {"items": []}
    # kubectl prints a List, except for a single object.
    return list(present.get("items", [present]))


def _full_kind(obj: Object) -> str:
    group, _, version = obj["apiVersion"].rpartition("/")
    return f"{obj['kind']}.{version}.{group}"
