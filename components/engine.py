"""What a component asks the engine while its resources are being registered, and the threads that it does so in.

asyncio's own threads are as many as the engine works on at once (`--parallel`), and each registration holds one of them
until the engine is done with the resource, its hooks included. A hook that waited for one would wait for ever as soon
as all are held by registrations with hooks.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any, ParamSpec, TypeVar

import pulumi
from pulumi.runtime import rpc
from pulumi.runtime.proto import resource_pb2
from pulumi.runtime.settings import get_monitor

P = ParamSpec("P")
T = TypeVar("T")

_THREADS = ThreadPoolExecutor(16, "istio-gateway-tls")
_HOOKS: Counter[str] = Counter()
"""How many hooks there are of each name."""


def hook_name(component: pulumi.ComponentResource) -> str:
    """Return a name for a hook of a component that no other hook of the program has.

    The engine refuses the second one of a name, and two components may share theirs: they have other types, or parents.
    """
    name = f"{component.pulumi_resource_type}::{component.pulumi_resource_name}"
    _HOOKS[name] += 1
    return name if _HOOKS[name] == 1 else f"{name}::{_HOOKS[name]}"


async def in_thread(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run `work` in our pool and return its result; exceptions propagate."""
    context = copy_context()
    return await asyncio.get_running_loop().run_in_executor(_THREADS, lambda: context.run(work, *args, **kwargs))


async def ask(
    token: str, arguments: Mapping[str, Any], provider: pulumi.ProviderResource | None = None, version: str = ""
) -> Any:
    """Return what a function of a provider answers, with unknown values kept as `pulumi.UNKNOWN`, and secrets as such.

    `pulumi.runtime.invoke_async` would occupy one of asyncio's threads, and drop values that are not known yet.

    Without a provider the default one is asked; there is one for each version, and without a version it is the newest.

    Raises:
        RuntimeError: the provider refused; carries its words.
    """
    known = {key: value for key, value in arguments.items() if value is not None}
    reference = f"{await provider.urn.future()}::{await provider.id.future() or rpc.UNKNOWN}" if provider else ""
    request = resource_pb2.ResourceInvokeRequest(
        tok=token, args=await rpc.serialize_properties(known, {}), provider=reference, version=version
    )
    monitor: Any = get_monitor()
    try:
        answer = await in_thread(monitor.Invoke, request)
    except Exception as error:
        # The text of gRPC's own has its state and more beside the provider's words.
        words = getattr(error, "details", None)
        raise RuntimeError(f"{token}: {words() if words else error}") from None
    for failure in answer.failures:
        raise RuntimeError(f"{token}: {failure.reason} ({failure.property})")
    return rpc.deserialize_properties(getattr(answer, "return"), keep_unknowns=True)
