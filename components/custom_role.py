"""Custom roles of Google Cloud, whose ids a deleted role keeps for 37 days."""

from collections.abc import Callable

import pulumi

from . import preflight
from .engine import has_error_hooks, hook_name
from .problem import text


def explain_deleted(
    component: pulumi.ComponentResource, change_id: Callable[[], str]
) -> pulumi.ResourceHookBinding | None:
    """Return hooks that log how a role is made whose id a deleted one has; None where the engine has no hooks.

    `change_id` returns the command that sets another id.
    """
    if not has_error_hooks():
        return None

    async def explain(args: pulumi.ErrorHookArgs) -> bool:
        role = str((args.new_inputs or {}).get("roleId"))
        if problems := list(preflight.find(preflight.ROLES, role, args.errors, change_id())):
            pulumi.log.error(text(problems))
        return False

    return pulumi.ResourceHookBinding(on_error=[pulumi.ErrorHook(hook_name(component), explain)])
