"""The part of the Pulumi provider protocol that both stand-ins share.

A provider plugin is a gRPC server that prints its port on standard output. This module serves one, writes
to the engine's log and turns exceptions into the errors that the engine shows.

Protocol: https://github.com/pulumi/pulumi/blob/master/proto/pulumi/provider.proto
"""

from __future__ import annotations

import os
import re
import sys
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import grpc
from google.protobuf import any_pb2, empty_pb2
from pulumi.runtime.proto import (
    engine_pb2,
    engine_pb2_grpc,
    plugin_pb2,
    provider_pb2,
    provider_pb2_grpc,
    status_pb2,
)

from sandbox.providers.values import to_struct

INFO: Final = engine_pb2.INFO
WARNING: Final = engine_pb2.WARNING

_MAX_MESSAGE: Final = 400 * 1024 * 1024  # the engine's own limit
_GRPC_OPTIONS: Final = (
    ("grpc.max_receive_message_length", _MAX_MESSAGE),
    ("grpc.max_send_message_length", _MAX_MESSAGE),
)


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
    while server.wait_for_termination(timeout=1) and os.getppid() == parent:
        pass
    server.stop(grace=None)
