"""What was read: plain objects as the APIs return them, and how to look into ones that lack anything."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Object = Mapping[str, Any]
Key = tuple[str, str]
"""Of an object: its namespace, which is empty for a kind without namespaces, and its name."""


@dataclass(frozen=True)
class Release:
    """cert-manager as Helm has it."""

    name: str
    namespace: str
    version: str | None = None
    """Of its chart; None where its Secret cannot be read."""
    values: Mapping[str, Any] = field(default_factory=dict)
    """As they were given to Helm."""


@dataclass(frozen=True)
class Found:
    """The cluster and the managed zone."""

    issuers: Sequence[Object] = ()
    """ClusterIssuers and Issuers."""
    certificates: Sequence[Object] = ()
    gateways: Sequence[Object] = ()
    virtual_services: Sequence[Object] = ()
    ingresses: Sequence[Object] = ()
    services: Sequence[Object] = ()
    deployments: Sequence[Object] = ()
    istio_api: str = "networking.istio.io/v1"
    """The newest version of Istio's API that the cluster serves."""
    definitions_by_helm: bool = False
    """Whether cert-manager's CRDs belong to a Helm release."""
    release: Release | None = None
    context: str = ""
    """The kubeconfig's context."""
    zone: str = ""
    """The managed zone's name."""
    domain: str = ""
    """Its domain, without the last dot."""
    project: str = ""
    """Its project."""
    record_sets: Sequence[Object] = ()


def at(value: Any, *path: str | int) -> Any:
    """Return what lies at a path, or None where anything on the way is missing or of another type."""
    for part in path:
        if isinstance(value, Mapping) and isinstance(part, str):
            value = value.get(part)
        elif isinstance(value, list | tuple) and isinstance(part, int) and part < len(value):
            value = value[part]
        else:
            return None
    return value


def mappings(value: Any, *path: str | int) -> list[Object]:
    """Return the mappings of a list at a path."""
    found = at(value, *path)
    return [each for each in found if isinstance(each, Mapping)] if isinstance(found, list | tuple) else []


def texts(value: Any, *path: str | int) -> list[str]:
    """Return the strings of a list at a path."""
    found = at(value, *path)
    return [each for each in found if isinstance(each, str)] if isinstance(found, list | tuple) else []


def text(value: Any, *path: str | int) -> str:
    """Return the string at a path, or an empty one."""
    found = at(value, *path)
    return found if isinstance(found, str) else ""


def mapping(value: Any, *path: str | int) -> Mapping[str, Any]:
    """Return the mapping at a path, or an empty one."""
    found = at(value, *path)
    return found if isinstance(found, Mapping) else {}


def key(obj: Object) -> Key:
    """Return an object's namespace and name."""
    return text(obj, "metadata", "namespace"), text(obj, "metadata", "name")


def qualified(of: Key) -> str:
    """Return a key as people write it."""
    return "/".join(filter(None, of))


def oldest_first(objects: Sequence[Object]) -> list[Object]:
    """Return objects in the order in which Istio reads them: by their age in seconds, then by name."""
    return sorted(objects, key=lambda each: (text(each, "metadata", "creationTimestamp"), *reversed(key(each))))


def selects(selector: Any, labels: Any) -> bool:
    """Tell whether a selector picks what has these labels; an empty one picks nothing here."""
    wanted, given = mapping(selector), mapping(labels)
    return bool(wanted) and all(given.get(name) == value for name, value in wanted.items())


def has_other_managers(obj: Object) -> bool:
    """Tell whether fields of an object's spec belong to another program's writes, which an apply conflicts with.

    https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management
    """
    return any(
        "f:spec" in mapping(each, "fieldsV1")
        for each in mappings(obj, "metadata", "managedFields")
        if not each.get("subresource") and not text(each, "manager").startswith("pulumi")
    )


def other_writers(obj: Object) -> Iterator[str]:
    """Yield who else applies an object, by what those tools leave on it, as a problem's text."""
    annotations, labels = mapping(obj, "metadata", "annotations"), mapping(obj, "metadata", "labels")
    for mark, tool in _TOOLS.items():
        if mark in annotations or mark in labels:
            yield tool


_TOOLS = {
    "meta.helm.sh/release-name": "Helm",
    "argocd.argoproj.io/tracking-id": "Argo CD",
    "argocd.argoproj.io/instance": "Argo CD",
    "kustomize.toolkit.fluxcd.io/name": "Flux",
    "helm.toolkit.fluxcd.io/name": "Flux",
}
