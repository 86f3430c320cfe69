"""``tlsctl recover``: releases a stack whose `pulumi up` was killed.

Such an `up` leaves a lock, and creations whose outcome the engine does not know. The engine would ask for the id of
every object. The names are in the inputs, so the ids are derived from them and written into the state as if the
creations had succeeded; a refresh then removes what does not exist.

The provider continues for a while after the engine was killed. Before the stack is released, Helm must have finished:
otherwise the next `up` would find cert-manager installed while its webhook does not answer yet.
"""

import argparse
import copy
import json
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from components.problem import Problem
from components.shell import word
from config.command import TLSCTL
from tlsctl import printing
from tlsctl.ids import RELEASE, resource_id
from tlsctl.stack import Stack

HELM = 300.0
"""Seconds for Helm to finish. Pulling the images of cert-manager takes a minute or two."""
_PAUSE = 5.0


def run(stack: Stack, _: argparse.Namespace) -> int:
    """Release the stack and update its state, printing each step; return 0 if every step succeeds.

    Raises:
        ProblemsError: the stack cannot be read.
    """
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
        exported["deployment"], added = settle(exported["deployment"])
        for urn, id_ in added.items():
            printing.say(console, f"  written into the state: {urn.split('::')[-1]}, with the id {id_}")
        with tempfile.TemporaryDirectory() as folder:
            state = Path(folder) / "state.json"
            state.write_text(json.dumps(exported))
            if failed(f"pulumi stack import --file {word(state)}"):
                return 1
    if failed("pulumi refresh --yes --skip-preview"):
        return 1
    if not _wait_for_helm(stack, failed):
        return 1
    console.print("The stack is released, and its state is up to date. To go on:")
    printing.command(console, stack.address("pulumi up"))
    return 0


def _wait_for_helm(stack: Stack, failed: Callable[[str], bool]) -> bool:
    began = time.monotonic()
    while busy := next(_unfinished(stack.read("pulumi stack export")["deployment"]), None):
        urn, namespace, name, status = busy
        waited = time.monotonic() - began
        if waited > HELM:
            what = f"is {status} for {waited:.0f} s: the process that ran it has exited"
            verb = "uninstall" if status == "pending-install" else "rollback"
            again = stack.address(f"{TLSCTL} recover")
            fix = (f"helm --namespace {word(namespace)} {verb} {word(name)}", again)
            printing.problems(printing.errors(), [Problem(f"Helm release {namespace}/{name}", what, fix)])
            return False
        printing.say(
            printing.output(),
            f"Waiting for the Helm release {namespace}/{name} ({status}): {waited:.0f} of {HELM:.0f} s",
        )
        time.sleep(_PAUSE)
        if failed(f"pulumi refresh --yes --skip-preview --target {word(urn)}"):
            return False
    return True


def _unfinished(deployment: Mapping[str, Any]) -> Iterator[tuple[str, str, str, str]]:
    """Yield URN, namespace, name and status of the releases that Helm has not finished."""
    # An `up` that was killed before it had registered anything leaves a deployment without this key.
    for resource in deployment.get("resources") or ():
        outputs = resource.get("outputs") or {}
        status = outputs.get("status")
        state = str(status.get("status", "")) if isinstance(status, dict) else ""
        if resource["type"] == RELEASE and state.startswith("pending-"):
            yield resource["urn"], str(outputs["namespace"]), str(outputs["name"]), state


def settle(deployment: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Return a deployment in which pending creations have become resources, and the added ids by URN.

    A resource is left out if its inputs do not determine an id: a provider exists only in the state, and creating a
    record set takes an existing one over. So are updates and deletions, whose resources are in the state.
    """
    result = copy.deepcopy(dict(deployment))
    added: dict[str, str] = {}
    resources = result.get("resources") or []
    for operation in result.pop("pending_operations", None) or ():
        resource = operation["resource"]
        if operation["type"] == "creating" and (id_ := resource_id(resource["type"], resource.get("inputs") or {})):
            resources.append(resource | {"id": id_})
            added[resource["urn"]] = id_
    return result | {"resources": resources}, added
