"""``tlsctl recover``: releases a stack whose `pulumi up` was killed.

Left behind are a lock, and creations of which the engine does not know whether they were done. The engine asks a
person for the id of each. Here the ids are worked out, since the names are in the inputs, and written into the state as
if the creations had succeeded; a refresh then takes out again what is not there.

The provider goes on by itself for a while when the engine is gone. What Helm is still installing then is waited for: to
the next `up` it would be there already, and its webhook would answer nothing yet.
"""

import argparse
import copy
import json
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from components.problem import Problem
from components.shell import word
from tlsctl import printing
from tlsctl.ids import RELEASE, resource_id
from tlsctl.stack import Stack

HELM = 300.0
"""Seconds for Helm to come to its end. The images of cert-manager are pulled in a minute or two."""
_PAUSE = 5.0


def run(stack: Stack, _: argparse.Namespace) -> int:
    """Release the stack, and bring its state up to date with what was made; say what is done."""
    console = printing.output()

    def failed(command: str) -> bool:
        printing.command(console, stack.address(command))
        if code := stack.run(command):
            problem = Problem(stack.address(command), f"ended with the exit code {code}; it says why above")
            printing.problems(printing.errors(), [problem])
        return code != 0

    if failed("pulumi cancel --yes"):
        return 1
    exported = stack.read("pulumi stack export")
    pending = exported["deployment"].get("pending_operations") or []
    printing.say(console, f"Interrupted operations: {len(pending)}")
    if pending:
        exported["deployment"], taken = settled(exported["deployment"])
        for urn, id_ in taken.items():
            printing.say(console, f"  written into the state: {urn.split('::')[-1]}, with the id {id_}")
        with tempfile.TemporaryDirectory() as folder:
            state = Path(folder) / "state.json"
            state.write_text(json.dumps(exported))
            if failed(f"pulumi stack import --file {word(state)}"):
                return 1
    if failed("pulumi refresh --yes --skip-preview"):
        return 1
    if not _helm_ends(stack, failed):
        return 1
    console.print("The stack is released, and its state is up to date. To go on:")
    printing.command(console, stack.address("pulumi up"))
    return 0


def _helm_ends(stack: Stack, failed: Callable[[str], bool]) -> bool:
    """Wait until Helm has come to its end; return whether it has."""
    began = time.monotonic()
    while busy := unfinished(stack.read("pulumi stack export")["deployment"]):
        urn, (namespace, name, status) = next(iter(busy.items()))
        waited = time.monotonic() - began
        if waited > HELM:
            what = f"is {status} for {waited:.0f} s: whoever was at it is gone"
            verb = "uninstall" if status == "pending-install" else "rollback"
            again = stack.address("uv run python -m tlsctl recover")
            fix = (f"helm --namespace {word(namespace)} {verb} {word(name)}", again)
            printing.problems(printing.errors(), [Problem(f"Helm release {namespace}/{name}", what, fix)])
            return False
        printing.say(printing.output(), f"Helm is at {namespace}/{name} ({status}): {waited:.0f} of {HELM:.0f} s")
        time.sleep(_PAUSE)
        if failed(f"pulumi refresh --yes --skip-preview --target {word(urn)}"):
            return False
    return True


def unfinished(deployment: Mapping[str, Any]) -> dict[str, tuple[str, str, str]]:
    """Return the releases that Helm has not come to the end of, by their URNs: namespace, name and status."""
    found = {}
    # An `up` that was killed before it had registered anything leaves a deployment without this key.
    for each in deployment.get("resources") or ():
        outputs = each.get("outputs") or {}
        status = outputs.get("status")
        state = str(status.get("status", "")) if isinstance(status, dict) else ""
        if each["type"] == RELEASE and state.startswith("pending-"):
            found[each["urn"]] = (str(outputs["namespace"]), str(outputs["name"]), state)
    return found


def settled(deployment: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Return a deployment without pending operations: what was being created is one of its resources.

    What has no id that its inputs tell is left out: a provider is nothing outside of the state, and a record set that
    is there is taken over when it is created. So are updates and deletions: their resources are in the state.

    Args:
        deployment: as `pulumi stack export` prints it, under that key.

    Returns:
        The deployment, and the ids of the resources that were added, by their URNs.
    """
    result = copy.deepcopy(dict(deployment))
    taken: dict[str, str] = {}
    resources = result.get("resources") or []
    for operation in result.pop("pending_operations", None) or ():
        resource = operation["resource"]
        if operation["type"] == "creating" and (id_ := resource_id(resource["type"], resource.get("inputs") or {})):
            resources.append(resource | {"id": id_})
            taken[resource["urn"]] = id_
    return result | {"resources": resources}, taken
