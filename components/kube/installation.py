"""Looks for another cert-manager before one is installed: the stack's own is in its state, and is not looked for."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pulumi

from .. import preflight
from ..engine import in_thread
from ..preflight.cert_manager import DEFINITION, RELEASE, Place
from ..preflight.hooks import before_create
from ..problem import COMMANDS, text
from .client import ClusterError, Object
from .credentials import Credentials, credentials_of


def refuse_another(
    component: pulumi.ComponentResource, values: Any, *, creates_namespace: bool
) -> pulumi.ResourceHookBinding | None:
    """Return `before_create` hooks for what is created first: the namespace, or the release in one that is there.

    `values` are the chart's.
    """
    credentials = credentials_of(component)
    defines = pulumi.Output.from_input(values).apply(lambda known: _brings_definitions(known or {}))
    commands = COMMANDS.get(component.pulumi_resource_name, {})

    async def run(args: pulumi.ResourceHookArgs) -> None:
        known = await credentials.future()
        inputs = args.new_inputs or {}
        namespace = (inputs.get("metadata") or {}).get("name") if creates_namespace else inputs.get("namespace")
        if known is None or not isinstance(namespace, str):
            return  # the cluster is one of this program's own, and not known yet
        place = await in_thread(_look, known, Place(namespace, creates=creates_namespace, commands=commands))
        place = replace(place, defines=await defines.future() is not False)
        if problems := list(preflight.find(preflight.CERT_MANAGER, place)):
            raise pulumi.RunError(text(problems))

    return before_create(component, run)


def _brings_definitions(values: Mapping[str, Any]) -> bool:
    crds = values.get("crds")
    return not isinstance(crds, Mapping) or crds.get("enabled") is not False


def _look(credentials: Credentials, place: Place) -> Place:
    """Return a place with what can be read of it. A cluster that does not answer is none of a preflight's errors."""
    with suppress(ClusterError):
        client = credentials.client()
        definition = client.get_if_allowed("apiextensions.k8s.io/v1", "customresourcedefinitions", DEFINITION)
        return replace(
            place,
            exists=_is_there(client.get_if_allowed("v1", "namespaces", place.namespace)),
            controller=_is_there(client.get_if_allowed("apps/v1", "deployments", RELEASE, place.namespace)),
            definition=definition["metadata"] if definition else None,
        )
    return place


def _is_there(answer: Object | None) -> bool | None:
    return None if answer is None else bool(answer)
