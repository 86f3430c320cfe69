"""Objects as the state keeps them: names, inputs, secrets, and what of a live object was an input."""

from __future__ import annotations

import base64
import binascii
import copy
import hashlib
import secrets
from collections.abc import Mapping
from typing import Any, Final

from pulumi.runtime.proto import provider_pb2

from sandbox.providers.kubernetes.apiserver import Object
from sandbox.providers.kubernetes.waits import AUTONAMED, annotation
from sandbox.providers.rpc import ProviderError
from sandbox.providers.values import Secret, contains, reveal

INPUTS: Final = "__inputs"
INITIAL_API_VERSION: Final = "__initialApiVersion"
FIELD_MANAGER: Final = "__fieldManager"

# Groups of provider/pkg/kinds/kinds.go with a dot in their names. Others end with `.k8s.io` too, the Gateway API's for
# one, and are made by CRDs.
_BUILTIN: Final = frozenset(
    {
        "admissionregistration.k8s.io",
        "apiextensions.k8s.io",
        "apiregistration.k8s.io",
        "certificates.k8s.io",
        "coordination.k8s.io",
        "discovery.k8s.io",
        "events.k8s.io",
        "flowcontrol.apiserver.k8s.io",
        "networking.k8s.io",
        "node.k8s.io",
        "rbac.authorization.k8s.io",
        "resource.k8s.io",
        "scheduling.k8s.io",
        "storage.k8s.io",
        "storagemigration.k8s.io",
    }
)
_READ_ONLY: Final = (
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "generation",
    "managedFields",
    "resourceVersion",
    "uid",
)


def token_of(urn: str) -> str:
    """Return a resource's own type token: urn:pulumi:STACK::PROJECT::PARENT-TYPES$TYPE::NAME."""
    return urn.split("::")[2].rpartition("$")[2]


def kind_of(urn: str) -> tuple[str, str]:
    """Return the API version and kind that a resource's type token names."""
    _, module, kind = token_of(urn).split(":")
    group, _, version = module.partition("/")
    return (version if group == "core" else module), kind


def qualified_name(obj: Object) -> str:
    """Return the resource id: `namespace/name`, or the name alone."""
    metadata = obj["metadata"]
    return "/".join(filter(None, (metadata.get("namespace"), metadata["name"])))


def unique_name(prefix: str, seed: bytes = b"") -> str:
    """Return a prefix with eight hexadecimal digits after it, the same for the same seed."""
    return prefix + (hashlib.sha256(seed).hexdigest()[:8] if seed else secrets.token_hex(4))


def assign_name(inputs: Object, old: Object, request: provider_pb2.CheckRequest) -> None:
    """Name an object that has no name: as it was named before, else after its resource."""
    metadata = inputs.setdefault("metadata", {})
    if metadata.get("name"):
        return
    if metadata.get("generateName"):
        raise ProviderError("the `.metadata.generateName` field is not supported in Server-Side Apply mode")
    if old:
        if annotation(old, AUTONAMED) != "true":
            return
        metadata["name"] = old["metadata"]["name"]
    else:
        options = request.autonaming
        if options.mode == provider_pb2.CheckRequest.AutonamingOptions.DISABLE:
            raise ProviderError("autonaming is disabled, resource requires the .metadata.name field to be set")
        resource = request.urn.rpartition("::")[2]
        metadata["name"] = options.proposed_name or unique_name(f"{resource}-", request.randomSeed)
    metadata.setdefault("annotations", {})[AUTONAMED] = "true"


def normalize(obj: Object) -> Object:
    """Return inputs in the form in which the server gives them back."""
    obj = copy.deepcopy(obj)
    for field in _READ_ONLY:
        (obj.get("metadata") or {}).pop(field, None)
    if is_builtin(obj):
        _drop_empty(obj)
    if is_secret(obj) and isinstance(given := obj.get("stringData"), dict) and given:
        obj.setdefault("data", {}).update({key: _base64(value) for key, value in given.items()})
        del obj["stringData"]
    if is_secret(obj) and isinstance(obj.get("data"), dict):
        obj["data"] = {key: _canonical_base64(value) for key, value in obj["data"].items()}
    return obj


def is_builtin(obj: Object) -> bool:
    """Say whether the real provider's schema has the kind: the API's own ones, not those of CRDs."""
    group = str(obj.get("apiVersion")).rpartition("/")[0]
    return "." not in group or group in _BUILTIN


def is_secret(obj: Object) -> bool:
    """Say whether the object is a Secret."""
    return obj.get("apiVersion") == "v1" and obj.get("kind") == "Secret"


def prune(live: Any, inputs: Any) -> Any:
    """Return of a live object only what the inputs name: what the program can have an opinion on."""
    if isinstance(live, dict) and isinstance(inputs, dict):
        return {key: prune(value, inputs[key]) for key, value in live.items() if key in inputs}
    if isinstance(live, list) and isinstance(inputs, list):
        return [prune(value, given) for value, given in zip(live, inputs, strict=False)]
    return live


def importable(live: Object, known: Object) -> Object:
    """Return the inputs of an object that was not made by this stack.

    Its identity is known. The real provider adds every property that its schema has for the kind: all but the
    status of the API's own kinds, and nothing for a custom resource.

    Args:
        live: The object on the server.
        known: API version, kind, name and namespace.
    """
    identity: Object = prune(live, known)
    if not is_builtin(live):
        return identity
    inputs = identity | {key: copy.deepcopy(value) for key, value in live.items() if key != "status"}
    for name in ("creationTimestamp", "generation", "managedFields", "resourceVersion", "uid"):
        inputs["metadata"].pop(name, None)
    annotations = inputs["metadata"].get("annotations", {})
    for name in ("deployment.kubernetes.io/revision", "kubectl.kubernetes.io/last-applied-configuration"):
        annotations.pop(name, None)
    return inputs


def checkpoint(
    inputs: Object, live: Object, given: Mapping[str, Any], api_version: str, manager: str
) -> dict[str, Any]:
    """Return the state of an object: the live one, and the inputs it came from.

    Args:
        inputs: Inputs in plain form.
        live: The object on the server.
        given: Inputs with their secrets marked.
        api_version: API version that the object was created with.
        manager: Field manager of this resource.
    """
    return masked(live, given) | {
        INPUTS: masked(inputs, given),
        INITIAL_API_VERSION: api_version,
        FIELD_MANAGER: manager,
    }


def parse_checkpoint(state: Mapping[str, Any]) -> tuple[Object, Object]:
    """Return the inputs and the live object of a state, in plain form."""
    live: Object = reveal(state)
    inputs: Object = live.pop(INPUTS, {})
    live.pop(INITIAL_API_VERSION, None)
    live.pop(FIELD_MANAGER, None)
    return inputs, live


def masked(values: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Mark what the inputs mark as secret, and the data of Secrets always."""
    result = dict(values)
    if result.get("kind") == "Secret":
        hidden = {key: Secret(result[key]) for key in ("data", "stringData") if key in result}
        return result | hidden
    for key, value in given.items():
        if key not in result:
            continue
        if isinstance(result[key], dict) and isinstance(value, Mapping):
            result[key] = masked(result[key], value)
        elif contains(value, Secret):
            result[key] = Secret(result[key])
    return result


def _drop_empty(obj: Object) -> None:
    """Drop the empty maps that the API's own types leave out."""
    for holder, keys in ((obj.get("metadata") or {}, ("annotations", "labels")), (obj, ("data", "stringData"))):
        for key in keys:
            if holder.get(key) == {}:
                del holder[key]


def _base64(value: Any) -> Any:
    return base64.b64encode(value.encode()).decode() if isinstance(value, str) else value


def _canonical_base64(value: Any) -> Any:
    try:
        return base64.b64encode(base64.b64decode(value)).decode() if isinstance(value, str) else value
    except binascii.Error:
        return value
