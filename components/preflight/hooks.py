"""Hooks of the engine by which a check is made before a resource is created."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pulumi

from .. import engine
from . import adopts

_RUNNING: set[asyncio.Task[None]] = set()
"""What has begun to look."""


def before_create(
    component: pulumi.ComponentResource, look: Callable[[pulumi.ResourceHookArgs], Coroutine[Any, Any, None]]
) -> pulumi.ResourceHookBinding | None:
    """Return hooks that call `look` before a resource of a component is created, at a preview too.

    It raises `pulumi.RunError` to refuse the creation. None where the engine has no hooks, and for the preview of
    `tlsctl adopt`. One hook is for all resources that it is given to: the SDK starts a server for each hook that is
    registered in the same moment (3.272).
    """
    if adopts() or not engine.has_hooks():
        return None

    async def run(args: pulumi.ResourceHookArgs) -> None:
        looking = asyncio.ensure_future(look(args))
        _RUNNING.add(looking)
        try:
            await looking
        finally:
            _RUNNING.discard(looking)

    hook = pulumi.ResourceHook(engine.hook_name(component), run, pulumi.ResourceHookOptions(on_dry_run=True))
    return pulumi.ResourceHookBinding(before_create=[hook])


async def end_of_hooks() -> None:
    """Wait for what `before_create` has begun: an error that ends the program would cut it off.

    The engine would report each as an error of its own, before the one that matters.
    """
    if _RUNNING:
        await asyncio.wait(_RUNNING)
