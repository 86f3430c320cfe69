"""Looks at the managed zone before a record set is created, by the gcp provider and its credentials."""

from collections.abc import Awaitable, Callable

import pulumi
from pulumi.runtime.proto import resource_pb2
from pulumi.runtime.settings import monitor_supports_feature


def before_create(
    name: str, look: Callable[[pulumi.ResourceHookArgs], Awaitable[None]]
) -> pulumi.ResourceHookBinding | None:
    """Return hooks that have `look` called before a resource is created, at the preview too.

    What the stack has is updated without a look. None where the engine has no hooks.

    Args:
        name: of the hook, unlike that of any other in the program.
        look: raises `pulumi.RunError` where the resource must not be created.
    """
    if not monitor_supports_feature(resource_pb2.RESOURCE_MONITOR_FEATURE_RESOURCE_HOOKS):
        return None
    hook = pulumi.ResourceHook(name, look, pulumi.ResourceHookOptions(on_dry_run=True))
    return pulumi.ResourceHookBinding(before_create=[hook])


async def existing(zone: str, name: str, kind: str, project: str | None, opts: pulumi.InvokeOptions) -> list[str]:
    """Return the records of a name and type; the provider has no look-up that may find none."""
    arguments = {"managedZone": zone, "name": name, "type": kind, "project": project}
    try:
        found = await pulumi.runtime.invoke_async("gcp:dns/getRecordSet:getRecordSet", arguments, opts)
    except Exception as error:
        if "got 0" in str(error):
            return []
        raise
    return [str(each) for each in found.get("rrdatas", [])]
