"""What a component asks the engine while its resources are being registered, and the threads that it does so in.

asyncio's own threads are as many as the engine works on at once (`--parallel`), and each registration holds one of them
until the engine is done with the resource, its hooks included. A hook that waited for one would wait for ever as soon
as all are held by registrations with hooks.

No other module imports what the SDK does not document, `pulumi.runtime`. For its sake the SDK's version has an upper
bound in pyproject.toml.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any, ParamSpec, TypeVar

import pulumi
from pulumi.runtime import rpc
from pulumi.runtime.config import CONFIG, get_config_env, is_config_secret
from pulumi.runtime.proto import resource_pb2
from pulumi.runtime.settings import get_monitor, monitor_supports_feature

P = ParamSpec("P")
T = TypeVar("T")

_THREADS = ThreadPoolExecutor(16, "istio-gateway-tls")
_HOOKS: Counter[str] = Counter()
"""How many hooks there are of each name."""


def has_hooks() -> bool:
    """Tell whether the engine runs hooks before and after it works on a resource."""
    return monitor_supports_feature(resource_pb2.RESOURCE_MONITOR_FEATURE_RESOURCE_HOOKS)


def has_error_hooks() -> bool:
    """Tell whether the engine runs hooks when a resource fails."""
    return monitor_supports_feature(resource_pb2.RESOURCE_MONITOR_FEATURE_ERROR_HOOKS)


def stack_config() -> tuple[dict[str, str], set[str]]:
    """Return the stack's config by full keys, and the keys whose values are encrypted."""
    config = {**get_config_env(), **CONFIG.get()}
    return config, {key for key in config if is_config_secret(key)}


def policy_config() -> dict[str, str]:
    """Return the stack's config by full keys, as the engine passes it to a policy pack."""
    return get_config_env()


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


def without_secrets(answer: Mapping[str, Any], key: str) -> dict[str, Any]:
    """Return an object in an answer in the clear; a value that is not known yet is `pulumi.UNKNOWN`."""
    values = {
        name: rpc.unwrap_rpc_secret(value) for name, value in rpc.unwrap_rpc_secret(answer.get(key) or {}).items()
    }
    return {name: pulumi.UNKNOWN if rpc.contains_unknowns(value) else value for name, value in values.items()}
