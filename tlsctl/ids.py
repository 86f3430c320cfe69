"""Ids of resources, in the format that the providers document under "Import"."""

from collections.abc import Mapping
from typing import Any

RELEASE = "kubernetes:helm.sh/v3:Release"
RECORD_SET = "gcp:dns/recordSet:RecordSet"


def resource_id(type_: str, inputs: Mapping[str, Any]) -> str | None:
    """Return the id that the provider gives a resource of a type, or None where its inputs do not determine it."""
    if type_ == RECORD_SET:
        zone = f"managedZones/{inputs['managedZone']}/rrsets/{inputs['name']}/{inputs['type']}"
        return f"projects/{inputs['project']}/{zone}" if inputs.get("project") else None
    if not type_.startswith("kubernetes:"):
        return None
    named = inputs if type_ == RELEASE else inputs.get("metadata") or {}
    return "/".join(filter(None, (named.get("namespace"), named.get("name")))) if named.get("name") else None
