"""The objects that were read, as the APIs return them: fields may be missing or of another type than expected."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from components.preflight.cert_manager import DEFINITION
from components.problem import Problem
from components.shell import word
from components.specs import apis, istio
from tlsctl.own import Key

Object = Mapping[str, Any]

_FULL_KINDS = {"gateway": apis.GATEWAYS[apis.ISTIO], "certificate": DEFINITION}
"""Kinds of these names exist in other APIs too."""


@dataclass(frozen=True)
class Release:
    """cert-manager as a Helm release."""

    name: str
    version: str | None = None
    """The version of its chart; None where its Secret cannot be read."""
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Inventory:
    """What was read of the cluster and the managed zone."""

    issuers: Sequence[Object] = ()
    """ClusterIssuers and Issuers."""
    certificates: Sequence[Object] = ()
    gateways: Sequence[Object] = ()
    virtual_services: Sequence[Object] = ()
    api_gateways: Sequence[Object] = ()
    """Gateways of the Gateway API."""
    http_routes: Sequence[Object] = ()
    grants: Sequence[Object] = ()
    """ReferenceGrants."""
    ingresses: Sequence[Object] = ()
    services: Sequence[Object] = ()
    deployments: Sequence[Object] = ()
    istio_api: str = istio.VERSION
    """The newest version of Istio's API that the cluster serves."""
    definitions_by_helm: bool = False
    """Whether cert-manager's CRDs belong to a Helm release."""
    release: Release | None = None
    context: str = ""
    zone: str = ""
    domain: str = ""
    """The zone's domain, without the trailing dot."""
    project: str = ""
    record_sets: Sequence[Object] = ()

    def a_records(self, host: str) -> list[Object]:
        """Return a host's A records."""
        return [
            record
            for record in self.record_sets
            if text(record, "type") == "A" and text(record, "name").rstrip(".").lower() == host
        ]

    def addresses(self, host: str) -> list[str]:
        """Return the addresses of a host's A records."""
        return [address for record in self.a_records(host) for address in texts(record, "rrdatas")]


def at(value: Any, *path: str | int) -> Any:
    """Return the value at a path, or None where a part of the path is missing or of another type."""
    for part in path:
        if isinstance(value, Mapping) and isinstance(part, str):
            value = value.get(part)
        elif isinstance(value, list | tuple) and isinstance(part, int) and part < len(value):
            value = value[part]
        else:
            return None
    return value


def mappings(value: Any, *path: str | int) -> list[Object]:
    """Return the mappings in the list at a path."""
    items = at(value, *path)
    return [item for item in items if isinstance(item, Mapping)] if isinstance(items, list | tuple) else []


def texts(value: Any, *path: str | int) -> list[str]:
    """Return the strings in the list at a path."""
    items = at(value, *path)
    return [item for item in items if isinstance(item, str)] if isinstance(items, list | tuple) else []


def text(value: Any, *path: str | int) -> str:
    """Return the string at a path, or an empty one."""
    content = at(value, *path)
    return content if isinstance(content, str) else ""


def mapping(value: Any, *path: str | int) -> Mapping[str, Any]:
    """Return the mapping at a path, or an empty one."""
    content = at(value, *path)
    return content if isinstance(content, Mapping) else {}


def key(obj: Object) -> Key:
    """Return an object's namespace, which is empty for a kind without namespaces, and its name."""
    return text(obj, "metadata", "namespace"), text(obj, "metadata", "name")


def qualified(obj: Object | Key) -> str:
    """Return namespace and name of an object with a slash between them."""
    return "/".join(filter(None, obj if isinstance(obj, tuple) else key(obj)))


def note(obj: Object, what: str, *fix: str) -> Problem:
    """Return a problem of an object."""
    return Problem(f"{text(obj, 'kind')} {qualified(obj)}", what, fix)


def kubectl(verb: str, kind: str, obj: Object | Key, more: str = "") -> str:
    """Return a kubectl command for an object."""
    namespace, name = obj if isinstance(obj, tuple) else key(obj)
    option = f"--namespace {word(namespace)} " if namespace else ""
    return f"kubectl {option}{verb} {word(_FULL_KINDS.get(kind, kind))} {word(name)} {more}".strip()


def patch(kind: str, obj: Object, *operations: Mapping[str, Any]) -> str:
    """Return a kubectl command that applies the operations of a JSON patch to an object."""
    return kubectl("patch", kind, obj, f"--type json --patch {word(json.dumps(operations, separators=(',', ':')))}")


def oldest_first(objects: Sequence[Object]) -> list[Object]:
    """Return objects in the order in which Istio reads them: by their age in seconds, then by name."""
    return sorted(objects, key=lambda obj: (text(obj, "metadata", "creationTimestamp"), *reversed(key(obj))))


def selects(selector: Any, labels: Any) -> bool:
    """Tell whether a selector matches labels; an empty selector matches nothing."""
    wanted, actual = mapping(selector), mapping(labels)
    return bool(wanted) and all(actual.get(name) == value for name, value in wanted.items())


def applications(obj: Object) -> tuple[Any, Any]:
    """Return the application that an object belongs to, by each of the two labels for it."""
    labels = mapping(obj, "metadata", "labels")
    return labels.get("app.kubernetes.io/name"), labels.get("app")


def owners(obj: Object) -> list[Object]:
    """Return an object's ownerReferences; it is deleted with these owners, which are in its namespace."""
    return mappings(obj, "metadata", "ownerReferences")


def has_other_managers(obj: Object) -> bool:
    """Tell whether another program manages fields of an object's spec, so that an apply conflicts.

    https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management
    """
    return any(
        "f:spec" in mapping(entry, "fieldsV1")
        for entry in mappings(obj, "metadata", "managedFields")
        if not entry.get("subresource") and not text(entry, "manager").startswith("pulumi")
    )
