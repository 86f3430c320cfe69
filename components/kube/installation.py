"""Looks for another cert-manager before one is installed: the stack's own is in its state, and is not looked for."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pulumi

from .. import preflight
from ..engine import in_thread
from ..preflight.cert_manager import DEFINITION, RELEASE, Place
from ..preflight.hooks import before_create
from ..problem import COMMANDS, text
from .credentials import Credentials, credentials_of

_TIMEOUT = (5, 5)
"""Seconds to connect and to answer."""


def refuse_another(component: pulumi.ComponentResource, values: Any) -> pulumi.ResourceHookBinding | None:
    """Return `before_create` hooks for cert-manager's namespace; `values` are the chart's."""
    credentials = credentials_of(component)
    defines = pulumi.Output.from_input(values).apply(lambda known: _brings_definitions(known or {}))
    commands = COMMANDS.get(component.pulumi_resource_name, {})

    async def run(args: pulumi.ResourceHookArgs) -> None:
        known = await credentials.future()
        namespace = ((args.new_inputs or {}).get("metadata") or {}).get("name")
        if known is None or not isinstance(namespace, str):
            return  # the cluster is one of this program's own, and not known yet
        place = await in_thread(_look, known, Place(namespace, commands=commands))
        place = replace(place, defines=await defines.future() is not False)
        if problems := list(preflight.find(preflight.CERT_MANAGER, place)):
            raise pulumi.RunError(text(problems))

    return before_create(component, run)


def _brings_definitions(values: Mapping[str, Any]) -> bool:
    crds = values.get("crds")
    return not isinstance(crds, Mapping) or crds.get("enabled") is not False


def _look(credentials: Credentials, place: Place) -> Place:
    """Return a place with what can be read of it. A cluster that does not answer is none of a preflight's errors."""
    from kubernetes import client, config
    from urllib3.exceptions import HTTPError

    with suppress(config.ConfigException, HTTPError):
        api = credentials.api()
        core, apps, definitions = client.CoreV1Api(api), client.AppsV1Api(api), client.ApiextensionsV1Api(api)
        exists = _read(lambda: core.read_namespace(place.namespace, _request_timeout=_TIMEOUT))
        controller = _read(lambda: apps.read_namespaced_deployment(RELEASE, place.namespace, _request_timeout=_TIMEOUT))
        definition = _read(lambda: definitions.read_custom_resource_definition(DEFINITION, _request_timeout=_TIMEOUT))
        return replace(
            place,
            exists=_is_there(exists),
            controller=_is_there(controller),
            definition={"annotations": definition.metadata.annotations} if definition else None,
        )
    return place


def _read(read: Callable[[], Any]) -> Any:
    """Return what is read, False where there is none, and None where it may not be read."""
    from kubernetes import client

    try:
        return read()
    except client.ApiException as error:
        return False if error.status == 404 else None


def _is_there(answer: Any) -> bool | None:
    return None if answer is None else bool(answer)
