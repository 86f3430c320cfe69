"""Looks at the managed zone before a record set is created, by the gcp provider and its credentials."""

from collections.abc import Awaitable, Callable
from importlib import metadata

import pulumi
from pulumi.runtime.proto import resource_pb2
from pulumi.runtime.settings import monitor_supports_feature

from . import engine

Records = dict[tuple[str, str], list[str]]
"""The records of a managed zone, by name, without the trailing dot, and type."""

_RECORD_SETS = "gcp:dns/getRecordSets:getRecordSets"


def before_create(
    component: pulumi.ComponentResource, look: Callable[[pulumi.ResourceHookArgs], Awaitable[None]]
) -> pulumi.ResourceHookBinding | None:
    """Return hooks that have `look` called before a record set is created, at the preview too.

    What the stack has is updated without a look. None where the engine has no hooks. One hook is for all record sets of
    a component: the SDK would start a server of its own for each that is registered in the same moment (3.272).

    Args:
        component: whose record sets they are.
        look: raises `pulumi.RunError` where the resource must not be created.
    """
    if not monitor_supports_feature(resource_pb2.RESOURCE_MONITOR_FEATURE_RESOURCE_HOOKS):
        return None
    hook = pulumi.ResourceHook(engine.hook_name(component), look, pulumi.ResourceHookOptions(on_dry_run=True))
    return pulumi.ResourceHookBinding(before_create=[hook])


async def existing(component: pulumi.ComponentResource, zone: str, project: str | None, **only: str) -> Records:
    """Return the records of a managed zone.

    Args:
        component: whose provider is asked.
        zone: the managed zone's name.
        project: the zone's project, if not the provider's.
        only: `name`, with the trailing dot, and `type` of the record sets that are wanted; without them it is all.

    Raises:
        RuntimeError: the zone cannot be read; carries the provider's words.
    """
    arguments = {"managedZone": zone, "project": project, **only}
    # Of the version that the SDK gives the record sets: the engine knows it of programs in Python alone.
    found = await engine.ask(
        _RECORD_SETS, arguments, component.get_provider(_RECORD_SETS), metadata.version("pulumi-gcp")
    )
    return {
        (str(each["name"]).removesuffix("."), str(each["type"])): [str(value) for value in each.get("rrdatas") or ()]
        for each in found.get("rrsets") or ()
    }
