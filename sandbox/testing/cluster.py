"""The cluster's objects through kubectl."""

import datetime
import json
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sandbox.testing.wait import TIMEOUT, eventually

ISTIO = "istio-system"
"""The namespace of the ingress gateway."""

Object = dict[str, Any]


def kubectl(*arguments: str, manifest: Any = None, timeout: float = TIMEOUT) -> str:
    """Run kubectl and return what it printed.

    Args:
        arguments: Of kubectl.
        manifest: An object that it reads from standard input (``-f -``), or a list of objects.
        timeout: Seconds.

    Raises:
        AssertionError: The command failed; the message is kubectl's error.
    """
    if isinstance(manifest, list):
        manifest = {"apiVersion": "v1", "kind": "List", "items": manifest}
    text, file = (json.dumps(manifest), ["-f", "-"]) if manifest is not None else (None, [])
    done = subprocess.run(
        ["kubectl", *arguments, *file], input=text, capture_output=True, text=True, timeout=timeout, check=False
    )
    assert done.returncode == 0, f"kubectl {' '.join(arguments)} failed: {done.stderr.strip()}"
    return done.stdout


def get(kind: str, name: str, namespace: str | None = None) -> Object | None:
    """Return an object, or None if it does not exist."""
    printed = kubectl("get", kind, name, *_in(namespace), "--ignore-not-found", "--output=json")
    return json.loads(printed) if printed else None


def live(kind: str, name: str, namespace: str | None = None) -> Object:
    """Return an object.

    Raises:
        AssertionError: It does not exist.
    """
    obj = get(kind, name, namespace)
    assert obj is not None, f"{kind} {name} exists"
    return obj


def items(kind: str, namespace: str | None = None) -> list[Object]:
    """Return the objects of a kind, in one namespace or in all."""
    where = _in(namespace) or ["--all-namespaces"]
    objects: list[Object] = json.loads(kubectl("get", kind, *where, "--output=json"))["items"]
    return objects


def names(kind: str, namespace: str | None = None) -> set[str]:
    """Return the names of the objects of a kind, in one namespace or in all."""
    return {obj["metadata"]["name"] for obj in items(kind, namespace)}


def resource(api_version: str, kind: str, name: str, namespace: str | None = None, **fields: Any) -> Object:
    """Return a manifest; `fields` are ``spec``, ``data`` or whatever else the kind has."""
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **fields}


@contextmanager
def applied(*manifests: Object) -> Iterator[None]:
    """Apply objects while the block runs, and wait at its end until they are gone, the last one first.

    Challenges have a finalizer that needs their issuer: a Certificate is gone when its Orders and Challenges are.
    """
    try:
        kubectl("apply", manifest=list(manifests))
        yield
    finally:
        delete(*reversed(manifests))


def delete(*manifests: Object) -> None:
    """Delete objects, and wait until they and what cert-manager made for them are gone."""
    certificates = [obj for obj in manifests if obj["kind"] == "Certificate"]
    if certificates:
        kubectl("delete", "--ignore-not-found", manifest=certificates)
        eventually("their Orders and Challenges are gone", lambda: not any(map(_is_being_proven, certificates)))
    kubectl("delete", "--ignore-not-found", manifest=list(manifests))


def _is_being_proven(certificate: Object) -> bool:
    name, namespace = certificate["metadata"]["name"], certificate["metadata"]["namespace"]
    return any(other.startswith(f"{name}-") for other in names("orders,challenges", namespace))


def patch(kind: str, name: str, changes: Any, namespace: str | None = None, *, subresource: str = "") -> None:
    """Change an object: by a merge patch if `changes` is a mapping, by a JSON patch if it is a list of operations."""
    form = "merge" if isinstance(changes, Mapping) else "json"
    options = [f"--subresource={subresource}"] if subresource else []
    kubectl("patch", kind, name, *_in(namespace), *options, f"--type={form}", f"--patch={json.dumps(changes)}")


@contextmanager
def stopped(deployment: str, namespace: str) -> Iterator[None]:
    """Run no Pod of a Deployment while the block runs; afterwards one of them is available again."""
    where = ["deployment", deployment, "--namespace", namespace]
    labels = live("deployment", deployment, namespace)["spec"]["selector"]["matchLabels"]
    selector = ",".join(f"{key}={value}" for key, value in labels.items())
    pods = ("get", "pods", f"--selector={selector}", "--namespace", namespace, "--output=name")
    kubectl("scale", *where, "--replicas=0")
    try:
        eventually(f"{deployment} is stopped", lambda: not kubectl(*pods).strip())
        yield
    finally:
        kubectl("scale", *where, "--replicas=1")
        kubectl("rollout", "status", *where, "--timeout=55s")


def ingress_address(service: str = "istio-ingressgateway", namespace: str = ISTIO) -> str | None:
    """Return the IP address of a gateway's Service, or None while it has none."""
    balancer = live("service", service, namespace)["status"]["loadBalancer"]
    return str(balancer["ingress"][0]["ip"]) if balancer.get("ingress") else None


def is_ready(kind: str, name: str, namespace: str | None = None) -> bool:
    """Tell whether an object exists and has the condition Ready."""
    conditions = (get(kind, name, namespace) or {}).get("status", {}).get("conditions", [])
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)


def reasons(kind: str, namespace: str) -> str:
    """Return what the Orders or Challenges of a namespace give as the reason of their state, one per line."""
    return "\n".join(obj.get("status", {}).get("reason", "") for obj in items(kind, namespace))


def renew(name: str, namespace: str = ISTIO) -> None:
    """Have a Certificate issued again as `cmctl renew` does, by the condition Issuing."""
    status, since = live("certificate", name, namespace)["status"], datetime.datetime.now(datetime.UTC)
    if failed := status.get("lastFailureTime"):
        # cert-manager ignores the condition unless it is later than the last failure, and the API has whole seconds.
        since = max(since, datetime.datetime.fromisoformat(failed) + datetime.timedelta(seconds=1))
    issuing = {
        "type": "Issuing", "status": "True", "reason": "ManuallyTriggered", "message": "renewed by a test",
        "lastTransitionTime": since.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }  # fmt: skip
    conditions = [condition for condition in status["conditions"] if condition["type"] != "Issuing"]
    changes = {"status": {"conditions": [*conditions, issuing]}}
    patch("certificate", name, changes, namespace, subresource="status")


def _in(namespace: str | None) -> list[str]:
    return ["--namespace", namespace] if namespace else []
