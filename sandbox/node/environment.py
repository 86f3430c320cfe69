"""A container's environment variables: sources, the downward API and `$(VAR)` expansion."""

import base64
import math
import os
import re
from collections.abc import Callable, Mapping
from decimal import Decimal

from kubernetes.utils.quantity import parse_quantity

from sandbox.api import Json
from sandbox.network import HOST
from sandbox.node import NODE_NAME

Lookup = Callable[[str, str], Json | None]
"""(`ConfigMap` or `Secret`, name) -> the object of the Pod's namespace, or None."""

CAPACITY = {
    "cpu": Decimal(os.cpu_count() or 1),
    "memory": Decimal(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")),
}
"""The size of the node: cores, and bytes of memory."""

_REFERENCE = re.compile(r"\$(?:\$|\(([^)]*)\))")
_SUBSCRIPT = re.compile(r"metadata\.(labels|annotations)\['([^']+)'\]")


class MissingError(Exception):
    """A ConfigMap, Secret or key that a Pod needs does not exist (yet)."""


def expand(text: str, variables: Mapping[str, str]) -> str:
    """Replace `$(NAME)` by a variable; unknown names stay as they are, `$$` is a literal `$`.

    https://kubernetes.io/docs/tasks/inject-data-application/define-interdependent-environment-variables/
    """

    def replace(match: re.Match[str]) -> str:
        name = match.group(1)
        return "$" if name is None else variables.get(name, match.group(0))

    return _REFERENCE.sub(replace, text)


def object_data(lookup: Lookup, kind: str, name: str, *, optional: bool = False) -> dict[str, bytes]:
    """Return the decoded data of a ConfigMap or Secret; nothing if it is missing and optional.

    Raises:
        MissingError: it is missing and not optional.
    """
    item = lookup(kind, name)
    if item is None:
        if optional:
            return {}
        raise MissingError(f'{kind.lower()} "{name}" not found')
    encoded = item.get("data" if kind == "Secret" else "binaryData") or {}
    text = (item.get("data") or {}) if kind == "ConfigMap" else {}
    binary = {key: base64.b64decode(value) for key, value in encoded.items()}
    return {key: value.encode() for key, value in text.items()} | binary


def field_value(path: str, pod: Json, pod_ip: str) -> str:
    """Return the value of a downward API `fieldPath`; a missing label or annotation is empty.

    Raises:
        MissingError: the field is not supported.
    """
    metadata, spec = pod["metadata"], pod["spec"]
    if match := _SUBSCRIPT.fullmatch(path):
        return str((metadata.get(match.group(1)) or {}).get(match.group(2), ""))
    if path in ("metadata.labels", "metadata.annotations"):
        pairs = metadata.get(path.removeprefix("metadata.")) or {}
        return "\n".join(f"{key}={_quote(value)}" for key, value in sorted(pairs.items()))
    values = {
        "metadata.name": metadata["name"],
        "metadata.namespace": metadata["namespace"],
        "metadata.uid": metadata["uid"],
        "spec.nodeName": NODE_NAME,
        "spec.serviceAccountName": spec.get("serviceAccountName", "default"),
        "status.hostIP": HOST,
        "status.hostIPs": HOST,
        "status.podIP": pod_ip,
        "status.podIPs": pod_ip,
    }
    if path not in values:
        raise MissingError(f'downward API field "{path}" is not supported')
    return str(values[path])


def resource_value(reference: Json, container: Json) -> str:
    """Return the value of a container's `resourceFieldRef`, divided and rounded up.

    It is a limit, else the node's size; or a request, else 0.
    """
    kind, _, resource = reference["resource"].partition(".")
    default = CAPACITY.get(resource, 0) if kind == "limits" else 0
    amount = _quantity(((container.get("resources") or {}).get(kind) or {}).get(resource, default))
    divisor = _quantity(reference.get("divisor") or "1") or Decimal(1)
    return str(math.ceil(amount / divisor))


def _quantity(text: str | Decimal | int) -> Decimal:
    return Decimal(parse_quantity(text))


def _quote(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
    return f'"{escaped}"'


def container_env(
    container: Json,
    pod: Json,
    *,
    base: Mapping[str, str],
    lookup: Lookup,
    pod_ip: str,
) -> dict[str, str]:
    """Return the variables of a container: `env` overrides `base`.

    Raises:
        MissingError: a ConfigMap, Secret or key is missing and not optional.
    """
    variables = dict(base)
    for entry in container.get("env") or []:
        if (source := entry.get("valueFrom")) is None:
            variables[entry["name"]] = expand(entry.get("value", ""), variables)
        elif ref := source.get("fieldRef"):
            variables[entry["name"]] = field_value(ref["fieldPath"], pod, pod_ip)
        elif ref := source.get("resourceFieldRef"):
            variables[entry["name"]] = resource_value(ref, container)
        elif (value := _key_value(source, lookup)) is not None:
            variables[entry["name"]] = value
    return variables


def _key_value(source: Json, lookup: Lookup) -> str | None:
    kind = "Secret" if "secretKeyRef" in source else "ConfigMap"
    ref = source.get("secretKeyRef") or source.get("configMapKeyRef")
    if ref is None:
        raise MissingError(f"environment source {', '.join(source)} is not supported")
    optional = ref.get("optional", False)
    data = object_data(lookup, kind, ref["name"], optional=optional)
    if ref["key"] in data:
        return data[ref["key"]].decode(errors="replace")
    if optional:
        return None
    raise MissingError(f'{kind.lower()} "{ref["name"]}" has no key "{ref["key"]}"')
