"""What becomes of an installed cert-manager: a Helm release is taken over, any other installation is used as it is."""

import re
from typing import Any

from components.problem import Problem
from components.shell import word
from components.specs import cert_manager
from tlsctl.adopt.objects import Inventory, Object, Release, applications, at, key, mapping, text

_NAME = "cert-manager"
_COMPONENTS = (_NAME, "cainjector", "webhook")
_OWN_VALUES = ("crds", "installCRDs", "startupapicheck")
"""Values of the chart that the program sets itself."""


def section(inventory: Inventory, notes: list[Problem]) -> dict[str, Any] | None:
    """Return the config's section `certManager`, or None where none is installed; add notes on what changes."""
    controller = next((obj for obj in inventory.deployments if _is_controller(obj)), None)
    if controller is None:
        return None
    release = inventory.release
    namespace, version = key(controller)[0], _version_of(controller, inventory)
    where = {"namespace": namespace} if namespace != _NAME else {}
    reason = ""
    if release is None:
        reason = f"is installed in {namespace} by a manifest, and not by Helm"
    elif release.name != _NAME:
        reason = f"is the Helm release {release.name}; a stack's has the name {_NAME}"
    elif _shares_namespace(inventory, namespace):
        reason = f"shares the namespace {namespace} with others; a stack's has one of its own"
    if release is not None and not reason:
        return {**where, **_release(release, version, namespace, inventory, notes)}
    what = f"{reason}: it stays as it is, and the stack uses it (certManager.install: false)"
    fix: tuple[str, ...] = ()
    try:
        cert_manager.check_version(version)
    except ValueError:
        command = f"kubectl --namespace {word(namespace)} get deployments"
        fix = (f"{command}    # older than the stack would install: upgrade it",)
    notes.append(Problem(f"{_NAME} {version}".strip(), what, fix))
    return {"install": False, **where}


def _release(
    release: Release, version: str, namespace: str, inventory: Inventory, notes: list[Problem]
) -> dict[str, Any]:
    result: dict[str, Any] = {}
    get_values = f"helm get values {_NAME} --namespace {word(namespace)}"
    try:
        if cert_manager.check_version(version) != cert_manager.VERSION:
            result["version"] = cert_manager.check_version(version)
    except ValueError as error:
        what = f"{error}: the `up` upgrades it to {cert_manager.VERSION}; its upgrades go one minor version at a time"
        notes.append(Problem(f"{_NAME} {version or 'of an unknown version'}", what, (get_values,)))
    if release.version is None:
        what = "are in a Secret that cannot be read from here; what they change belongs in certManager.values"
        notes.append(Problem("values of the Helm release", what, (get_values,)))
    values = {name: value for name, value in release.values.items() if name not in _OWN_VALUES and value is not None}
    leader = mapping(values, "global", "leaderElection")
    if set(mapping(values, "global")) == {"leaderElection"} and leader == {"namespace": namespace}:
        del values["global"]
    if not inventory.definitions_by_helm:
        # Helm takes over no object that it has not made.
        values["crds"] = {"enabled": False}
        notes.append(Problem("CRDs of cert-manager", "applied without Helm; they stay so (certManager.values.crds)"))
    return result | ({"values": values} if values else {})


def _is_controller(deployment: Object) -> bool:
    component = at(deployment, "metadata", "labels", "app.kubernetes.io/component")
    return _NAME in applications(deployment) and component in (None, "controller")


def _version_of(controller: Object, inventory: Inventory) -> str:
    label = text(controller, "metadata", "labels", "app.kubernetes.io/version")
    image = text(controller, "spec", "template", "spec", "containers", 0, "image")
    tag = re.search(r":(v?\d+\.\d+\.\d+)", image)
    return (inventory.release and inventory.release.version) or label or (tag[1] if tag else "")


def _shares_namespace(inventory: Inventory, namespace: str) -> bool:
    neighbours = (obj for obj in inventory.deployments if key(obj)[0] == namespace)
    return any(not any(name in _COMPONENTS for name in applications(obj)) for obj in neighbours)
