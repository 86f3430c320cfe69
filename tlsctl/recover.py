"""What a killed `up` leaves behind: a lock, and creations of which the engine does not know whether they were done.

The engine asks a person for the id of each. Here they are worked out, since the names are in the inputs, and written
into the state as if they had succeeded; a refresh then takes out again what is not there.
"""

import copy
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tlsctl.commands import output_of, run

_RELEASE = "kubernetes:helm.sh/v3:Release"
_RECORD_SET = "gcp:dns/recordSet:RecordSet"


def recover(stack: str, config_file: str | None = None) -> int:
    """Free a stack whose `up` was killed, and bring its state up to date with what was made."""
    named = ("--stack", stack, "--non-interactive")
    file = ("--config-file", config_file) if config_file else ()
    if code := run("pulumi", "cancel", "--yes", *named):
        return code
    exported = json.loads(output_of("pulumi", "stack", "export", *named))
    if exported["deployment"].get("pending_operations"):
        exported["deployment"] = settled(exported["deployment"])
        with tempfile.TemporaryDirectory() as folder:
            state = Path(folder) / "state.json"
            state.write_text(json.dumps(exported))
            if code := run("pulumi", "stack", "import", "--file", str(state), *named):
                return code
    return run("pulumi", "refresh", "--yes", "--skip-preview", *named, *file)


def settled(deployment: Mapping[str, Any]) -> dict[str, Any]:
    """Return a deployment without pending operations: what was being created is one of its resources.

    What has no id that its inputs tell is left out: a provider is nothing outside of the state, and a record set that
    is there is taken over when it is created. So are updates and deletions: their resources are in the state.

    Args:
        deployment: as `pulumi stack export` prints it, under that key.
    """
    result = copy.deepcopy(dict(deployment))
    for operation in result.pop("pending_operations", ()):
        resource = operation["resource"]
        if operation["type"] == "creating" and (id_ := _id(resource["type"], resource.get("inputs") or {})):
            result["resources"].append(resource | {"id": id_})
    return result


def _id(type_: str, inputs: Mapping[str, Any]) -> str | None:
    """Return the id that the provider gives it, as its documentation says under "Import"."""
    if type_ == _RECORD_SET:
        zone = f"managedZones/{inputs['managedZone']}/rrsets/{inputs['name']}/{inputs['type']}"
        return f"projects/{inputs['project']}/{zone}" if inputs.get("project") else None
    if not type_.startswith("kubernetes:"):
        return None
    named = inputs if type_ == _RELEASE else inputs.get("metadata") or {}
    return "/".join(filter(None, (named.get("namespace"), named.get("name")))) if named.get("name") else None
