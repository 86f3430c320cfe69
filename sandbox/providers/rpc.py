"""The part of the Pulumi provider protocol that both stand-ins share.

A provider plugin is a gRPC server that prints its port on standard output. This module serves one, converts
between protobuf structs and Python values, writes to the engine's log and turns exceptions into the errors that
the engine shows.

Values are plain JSON values, plus `UNKNOWN` for what is not computed yet and `Secret` for what must be masked.

Protocol: https://github.com/pulumi/pulumi/blob/master/proto/pulumi/provider.proto
"""

from __future__ import annotations

import math
import os
import re
import sys
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

import grpc
from google.protobuf import any_pb2, empty_pb2, struct_pb2
from pulumi.runtime.proto import (
    engine_pb2,
    engine_pb2_grpc,
    plugin_pb2,
    provider_pb2,
    provider_pb2_grpc,
    status_pb2,
)

INFO: Final = engine_pb2.INFO
WARNING: Final = engine_pb2.WARNING

# Signatures of the wire format, fixed for ever (pulumi/sdk/go/common/resource).
_SIGNATURE: Final = "4dabf18193072939515e22adb298388d"
_MASKED: Final = "1b47061264138c4ac30d75fd1eb44270"
_OUTPUT_VALUE: Final = "d0e6a833031e9bbcd3f4e8bde6ca49a4"
_UNKNOWN: Final = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
_UNKNOWNS: Final = frozenset(
    {
        _UNKNOWN,
        "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",  # bool
        "3eeb2bf0-c639-47a8-9e75-3b44932eb421",  # number
        "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",  # array
        "030794c1-ac77-496b-92df-f27374a8bd58",  # asset
        "e48ece36-62e2-4504-bad9-02848725956a",  # archive
        "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",  # object
    }
)
_MAX_MESSAGE: Final = 400 * 1024 * 1024  # the engine's own limit
_GRPC_OPTIONS: Final = (
    ("grpc.max_receive_message_length", _MAX_MESSAGE),
    ("grpc.max_send_message_length", _MAX_MESSAGE),
)


class Unknown:
    """The type of `UNKNOWN`: a value that a preview cannot know yet."""

    def __repr__(self) -> str:
        return "UNKNOWN"

    def __deepcopy__(self, _memo: object) -> Unknown:
        return self


UNKNOWN: Final = Unknown()


@dataclass(frozen=True)
class Secret:
    """A value that the engine encrypts in the state and shows as `[secret]`."""

    value: Any


class ProviderError(Exception):
    """An operation failed; its text is what the engine shows."""


class InitializationError(ProviderError):
    """The object exists but did not become ready; the engine keeps it in the state and retries by an update.

    Attributes:
        id: Resource id.
        state: Outputs as they are now.
        reasons: What the object still lacks, a line each.
        inputs: Inputs as they are now (for Read only).
    """

    def __init__(
        self,
        message: str,
        resource_id: str,
        state: Mapping[str, Any],
        reasons: list[str],
        inputs: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.id, self.state, self.reasons, self.inputs = resource_id, state, reasons, inputs


def from_struct(struct: struct_pb2.Struct) -> dict[str, Any]:
    """Return the properties of a request."""
    return {key: _from_value(value) for key, value in struct.fields.items()}


def _from_value(value: struct_pb2.Value) -> Any:
    kind = value.WhichOneof("kind")
    if kind == "string_value":
        return UNKNOWN if value.string_value in _UNKNOWNS else value.string_value
    if kind == "number_value":
        number = value.number_value
        return int(number) if math.isfinite(number) and number.is_integer() else number
    if kind == "bool_value":
        return value.bool_value
    if kind == "list_value":
        return [_from_value(item) for item in value.list_value.values]
    if kind == "struct_value":
        properties = from_struct(value.struct_value)
        match properties.get(_SIGNATURE):
            case signature if signature == _MASKED:
                return Secret(properties["value"])
            case signature if signature == _OUTPUT_VALUE:
                inner = properties.get("value", UNKNOWN)
                return Secret(inner) if properties.get("secret") else inner
        return properties
    return None


def to_struct(properties: Mapping[str, Any]) -> struct_pb2.Struct:
    """Return properties as a response carries them."""
    struct = struct_pb2.Struct()
    struct.update({key: _to_json(value) for key, value in properties.items()})
    return struct


def _to_json(value: Any) -> Any:
    if isinstance(value, Unknown):
        return _UNKNOWN
    if isinstance(value, Secret):
        return {_SIGNATURE: _MASKED, "value": _to_json(value.value)}
    if isinstance(value, Mapping):
        return {key: _to_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_to_json(item) for item in value]
    return value


def reveal(value: Any) -> Any:
    """Return a copy of the value without `Secret` wrappers, at any depth."""
    if isinstance(value, Secret):
        return reveal(value.value)
    if isinstance(value, Mapping):
        return {key: reveal(item) for key, item in value.items()}
    if isinstance(value, list):
        return [reveal(item) for item in value]
    return value


def contains(value: Any, kind: type[Unknown] | type[Secret]) -> bool:
    """Say whether the value holds an `Unknown` or a `Secret`, at any depth."""
    if isinstance(value, kind):
        return True
    if isinstance(value, Secret):
        return contains(value.value, kind)
    if isinstance(value, Mapping):
        return any(contains(item, kind) for item in value.values())
    return isinstance(value, list) and any(contains(item, kind) for item in value)


class Engine:
    """The engine that started this plugin: where log lines go."""

    def __init__(self, address: str | None) -> None:
        channel = grpc.insecure_channel(address, _GRPC_OPTIONS) if address else None
        self._stub = engine_pb2_grpc.EngineStub(channel) if channel else None

    def log(
        self,
        message: str,
        urn: str = "",
        *,
        severity: engine_pb2.LogSeverity.ValueType = INFO,
        status: bool = False,
    ) -> None:
        """Show a message in the engine's display, beside the resource if a URN is given.

        Args:
            message: Text to show.
            urn: Resource it belongs to, or nothing.
            severity: `INFO` or `WARNING`.
            status: Show it in the resource's row while it runs and drop it afterwards.
        """
        if self._stub is None:
            return
        request = engine_pb2.LogRequest(severity=severity, message=message, urn=urn, ephemeral=status)
        try:
            self._stub.Log(request, timeout=5)
        except grpc.RpcError as error:  # a lost log line must not fail the operation it tells about
            print(f"{message} (the engine did not take this line: {error})", file=sys.stderr)


class Provider:
    """A provider with the answers that every stand-in gives alike.

    A method serves the call of its name: `check_config` serves CheckConfig. It takes the request and returns
    the response, or raises a `ProviderError`. Calls without a method are answered as unimplemented.

    Attributes:
        name: Package name, as in `pulumi-resource-<name>`.
        version: Version of the real provider whose behaviour this one stands in for.
        engine: The engine's log.
        cancelled: Set when the engine asks to stop; waits must end then.
    """

    name: str
    version: str

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.cancelled = threading.Event()

    def get_plugin_info(self, _request: empty_pb2.Empty) -> plugin_pb2.PluginInfo:
        """Name the version that is stood in for."""
        return plugin_pb2.PluginInfo(version=self.version)

    def check_config(self, request: provider_pb2.CheckRequest) -> provider_pb2.CheckResponse:
        """Accept the provider's configuration as it is."""
        return provider_pb2.CheckResponse(inputs=request.news)

    def configure(self, _request: provider_pb2.ConfigureRequest) -> provider_pb2.ConfigureResponse:
        """Say that this is not the real provider."""
        self.engine.log(
            f"pulumi-resource-{self.name}: the sandbox's stand-in for version {self.version} is in use, "
            "because the real plugin is not on this machine"
        )
        return provider_pb2.ConfigureResponse(
            acceptSecrets=True, supportsPreview=True, supports_autonaming_configuration=True
        )

    def cancel(self, _request: empty_pb2.Empty) -> empty_pb2.Empty:
        """End the waits that are under way."""
        self.cancelled.set()
        return empty_pb2.Empty()


class _Calls(grpc.ServerInterceptor):
    """Hands each call to the provider's method and its exceptions to the engine."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider

    def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], grpc.RpcMethodHandler[Any, Any] | None],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[Any, Any] | None:
        handler = continuation(handler_call_details)
        rpc = handler_call_details.method.rpartition("/")[2]
        method = getattr(self._provider, re.sub(r"(?<=[a-z])(?=[A-Z])", "_", rpc).lower(), None)
        if handler is None or method is None:
            return handler

        def call(request: Any, context: grpc.ServicerContext) -> Any:
            try:
                return method(request)
            except InitializationError as error:
                context.set_trailing_metadata((("grpc-status-details-bin", _details(error)),))
                context.abort(grpc.StatusCode.UNKNOWN, str(error))
            except ProviderError as error:
                context.abort(grpc.StatusCode.UNKNOWN, str(error))

        return grpc.unary_unary_rpc_method_handler(call, handler.request_deserializer, handler.response_serializer)


def _details(error: InitializationError) -> bytes:
    """Return the rich status of an initialisation error (google.rpc.Status, as gRPC carries it)."""
    failure = provider_pb2.ErrorResourceInitFailed(
        id=error.id,
        properties=to_struct(error.state),
        reasons=error.reasons,
        inputs=None if error.inputs is None else to_struct(error.inputs),
    )
    detail = any_pb2.Any()
    detail.Pack(failure)
    code: int = grpc.StatusCode.UNKNOWN.value[0]
    status: bytes = status_pb2.Status(code=code, message=str(error), details=[detail]).SerializeToString()
    return status


def serve(provider: Callable[[Engine], Provider]) -> None:
    """Serve a provider until the engine stops it or is gone.

    The engine passes its own address as the last argument and reads the port from standard output.
    """
    engine = Engine(sys.argv[-1] if len(sys.argv) > 1 else None)
    server = grpc.server(
        ThreadPoolExecutor(max_workers=64), interceptors=[_Calls(provider(engine))], options=_GRPC_OPTIONS
    )
    servicer = provider_pb2_grpc.ResourceProviderServicer()
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    parent = os.getppid()
    server.start()
    print(port, flush=True)
    # An engine that was killed cannot say so: its plugins would wait for it for ever.
    # ... and one that gives a program up interrupts them: leaving then is no failure to report.
    with suppress(KeyboardInterrupt):
        while server.wait_for_termination(timeout=1) and os.getppid() == parent:
            pass
    server.stop(grace=None)
