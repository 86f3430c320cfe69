"""The schema of the kinds that programs in YAML use here: their language host asks a provider for it.

The real plugin's is 20 MB, with every field of every kind. This one lets any value into a field.
"""

from __future__ import annotations

import json
from typing import Any, Final

_ANY: Final = {"$ref": "pulumi.json#/Any"}
_METADATA: Final = "kubernetes:meta/v1:ObjectMeta"
_TEXT: Final = {"type": "string"}
_TEXTS: Final = {"type": "object", "additionalProperties": _TEXT}
_KINDS: Final = {
    "kubernetes:core/v1:ConfigMap": ("v1", ("data",)),
    "kubernetes:core/v1:Namespace": ("v1", ("spec",)),
    "kubernetes:core/v1:Service": ("v1", ("spec",)),
    "kubernetes:apps/v1:Deployment": ("apps/v1", ("spec",)),
}
"""Each kind's apiVersion, and its fields beside the metadata."""


def schema(version: str) -> str:
    """Return the schema as JSON (https://www.pulumi.com/docs/iac/extending-pulumi/schema/)."""
    provider = dict.fromkeys(("kubeconfig", "context", "namespace"), _TEXT)
    resources = {token: _resource(token, *rest) for token, rest in _KINDS.items()}
    return json.dumps(
        {
            "name": "kubernetes",
            "version": version,
            # A token's module is taken whole: core/v1.
            "meta": {"moduleFormat": "(.*)"},
            "provider": {"type": "object", "inputProperties": provider},
            "resources": resources,
            # Typed, since YAML reads a property of what has properties alone: `${page.metadata.name}`.
            "types": {
                _METADATA: {
                    "type": "object",
                    "properties": {"name": _TEXT, "namespace": _TEXT, "labels": _TEXTS, "annotations": _TEXTS},
                }
            },
        }
    )


def _resource(token: str, api_version: str, fields: tuple[str, ...]) -> dict[str, Any]:
    properties = {
        "apiVersion": {"type": "string", "const": api_version},
        "kind": {"type": "string", "const": token.rpartition(":")[2]},
        "metadata": {"$ref": f"#/types/{_METADATA}"},
    } | dict.fromkeys(fields, _ANY)
    return {"type": "object", "inputProperties": properties, "properties": properties}
