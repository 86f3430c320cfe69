"""Objects as the state keeps them: their names, inputs, secrets and field managers."""

from __future__ import annotations

import base64
import copy
from collections.abc import Mapping
from typing import Any, Final

from sandbox.providers.kubernetes.apiserver import Object
from sandbox.providers.rpc import token_of, unique_name
from sandbox.providers.values import Properties, Secret, mask, reveal

AUTONAMED: Final = "pulumi.com/autonamed"
INPUTS: Final = "__inputs"
_INITIAL_API_VERSION: Final = "__initialApiVersion"
_FIELD_MANAGER: Final = "__fieldManager"

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
# The properties that cannot change in place, beside an object's name and namespace (provider/pkg/provider/diff.go), of
# the kinds that programs here make.
_IMMUTABLE: Final = {
    ("apps/v1", "Deployment"): ("spec.selector",),
    ("v1", "ConfigMap"): ("binaryData", "data"),
    ("v1", "Secret"): ("type", "stringData", "data"),
    ("v1", "Service"): ("spec.clusterIP",),
}


def kind_of(urn: str) -> tuple[str, str]:
    """Return the API version and kind that a resource's type token names."""
    _, module, kind = token_of(urn).split(":")
    group, _, version = module.partition("/")
    return (version if group == "core" else module), kind


def qualified_name(obj: Object) -> str:
    """Return the resource id: `namespace/name`, or the name alone."""
    metadata = obj["metadata"]
    return "/".join(filter(None, (metadata.get("namespace"), metadata["name"])))


def annotation(obj: Object, name: str) -> str:
    """Return an annotation, or the empty string."""
    value = ((obj.get("metadata") or {}).get("annotations") or {}).get(name)
    return value if isinstance(value, str) else ""


def assign_name(inputs: Object, old: Object, urn: str) -> None:
    """Name an object that has no name: as it was named before, else after its resource."""
    metadata = inputs.setdefault("metadata", {})
    if metadata.get("name"):
        return
    metadata["name"] = old["metadata"]["name"] if old else unique_name(f"{urn.rpartition('::')[2]}-")
    metadata.setdefault("annotations", {})[AUTONAMED] = "true"


def immutable_properties(obj: Object) -> list[str]:
    """Return the properties of an object that cannot change in place."""
    kind = (str(obj.get("apiVersion")), str(obj.get("kind")))
    return ["metadata.name", "metadata.namespace", *_IMMUTABLE.get(kind, ())]


def normalize(obj: Object) -> Object:
    """Return inputs in the form in which the server gives them back."""
    obj = copy.deepcopy(obj)
    if is_builtin(obj):
        # The API's own types leave empty maps out.
        for holder, keys in ((obj.get("metadata") or {}, ("annotations", "labels")), (obj, ("data", "stringData"))):
            for key in keys:
                if holder.get(key) == {}:
                    del holder[key]
    if obj.get("kind") == "Secret" and isinstance(texts := obj.get("stringData"), dict):
        obj.setdefault("data", {}).update({key: _base64(value) for key, value in texts.items()})
        del obj["stringData"]
    return obj


def is_builtin(obj: Object) -> bool:
    """Say whether the real provider's schema has the kind: the API's own ones, not those of CRDs."""
    group = str(obj.get("apiVersion")).rpartition("/")[0]
    return "." not in group or group in _BUILTIN


def prune(live: Any, inputs: Any) -> Any:
    """Return the part of a live object that the inputs name."""
    if isinstance(live, dict) and isinstance(inputs, dict):
        return {key: prune(value, inputs[key]) for key, value in live.items() if key in inputs}
    if isinstance(live, list) and isinstance(inputs, list):
        return [prune(value, wanted) for value, wanted in zip(live, inputs, strict=False)]
    return live


def importable(live: Object, known: Object) -> Object:
    """Return the inputs of an object that was not made by this stack.

    API version, kind, name and namespace are known. The real provider adds every property that its schema has for the
    kind: all but the status of the API's own kinds, and nothing for a custom resource.
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


def manager_of(state: Mapping[str, Any]) -> str:
    """Return the field manager of a resource: one of its own, kept in its state."""
    return state.get(_FIELD_MANAGER) or unique_name("pulumi-kubernetes-")


def checkpoint(inputs: Object, live: Object, marked: Properties, state: Mapping[str, Any]) -> Properties:
    """Return the new state of an object: the live one, and the inputs it came from, in plain form and with `Secret`."""
    return masked(live, marked) | {
        INPUTS: masked(inputs, marked),
        _INITIAL_API_VERSION: state.get(_INITIAL_API_VERSION, live["apiVersion"]),
        _FIELD_MANAGER: manager_of(state),
    }


def parse_checkpoint(state: Mapping[str, Any]) -> tuple[Object, Object]:
    """Return the inputs and the live object of a state, in plain form."""
    live: Object = reveal(state)
    inputs: Object = live.pop(INPUTS, {})
    live.pop(_INITIAL_API_VERSION, None)
    live.pop(_FIELD_MANAGER, None)
    return inputs, live


def masked(obj: Object, marked: Properties) -> Properties:
    """Mask what the inputs mark as secret, and the data of Secrets always."""
    if obj.get("kind") != "Secret":
        return mask(obj, marked)
    return obj | {key: Secret(obj[key]) for key in ("data", "stringData") if key in obj}


def _base64(value: Any) -> Any:
    return base64.b64encode(value.encode()).decode() if isinstance(value, str) else value
