"""The provider protocol, as far as both stand-ins speak it.

A provider plugin is a gRPC server that prints its port on standard output. This module serves one, writes to the
engine's log and turns exceptions into the errors that the engine shows. The SDK's own servers do not fit: neither can
report a resource that exists and is not ready, and one of them knows components alone.

Protocol: https://github.com/pulumi/pulumi/blob/master/proto/pulumi/provider.proto
"""

from __future__ import annotations

import os
import re
import secrets
import sys
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
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

from sandbox.providers.values import Properties, from_struct, to_struct

pb = provider_pb2
INFO: Final = engine_pb2.INFO
WARNING: Final = engine_pb2.WARNING

_MAX_MESSAGE: Final = 400 * 1024 * 1024  # the engine's own limit
_GRPC_OPTIONS: Final = (
    ("grpc.max_receive_message_length", _MAX_MESSAGE),
    ("grpc.max_send_message_length", _MAX_MESSAGE),
)


class ProviderError(Exception):
    """An operation failed; the engine shows the text."""


class InitializationError(ProviderError):
    """The object exists but did not become ready; the engine keeps it in the state and retries by an update.

    Attributes:
        id: Resource id.
        state: The outputs at this moment.
    """

    def __init__(self, message: str, resource_id: str, state: Properties) -> None:
        super().__init__(message)
        self.id, self.state = resource_id, state

    def details(self) -> bytes:
        """Return the error as a google.rpc.Status, which gRPC carries beside the text."""
        failure = pb.ErrorResourceInitFailed(id=self.id, properties=to_struct(self.state), reasons=[str(self)])
        detail = any_pb2.Any()
        detail.Pack(failure)
        code: int = grpc.StatusCode.UNKNOWN.value[0]
        status: bytes = status_pb2.Status(code=code, message=str(self), details=[detail]).SerializeToString()
        return status


class Engine:
    """The log of the engine that started this plugin."""

    def __init__(self, address: str) -> None:
        self._stub = engine_pb2_grpc.EngineStub(grpc.insecure_channel(address, _GRPC_OPTIONS))

    def log(
        self,
        message: str,
        urn: str = "",
        *,
        severity: engine_pb2.LogSeverity.ValueType = INFO,
        status: bool = False,
    ) -> None:
        """Show a message in the engine's display, beside a resource if there is a URN; with `status` while it runs."""
        request = engine_pb2.LogRequest(severity=severity, message=message, urn=urn, ephemeral=status)
        try:
            self._stub.Log(request, timeout=5)
        except grpc.RpcError as error:  # a lost log line must not fail the operation it tells about
            print(f"{message} (the engine did not take this line: {error})", file=sys.stderr)


class ResourceType(ABC):
    """The operations on resources of one type, or of several. Each may raise a `ProviderError`.

    Arguments of the same name mean the same everywhere: `state` are the outputs of the last operation, `inputs` what
    the program asks for now, both with secrets in `Secret`; `seconds` is the timeout from the resource's options, or 0.
    """

    @abstractmethod
    def check(self, urn: str, old: Properties, inputs: Properties) -> tuple[Properties, dict[str, str]]:
        """Return the completed inputs, and what is wrong with them, by property; `old` are the last operation's."""

    @abstractmethod
    def diff(self, state: Properties, inputs: Properties) -> pb.DiffResponse:
        """Compare inputs with the state."""

    @abstractmethod
    def create(self, urn: str, inputs: Properties, seconds: float, *, preview: bool) -> tuple[str, Properties]:
        """Create the resource, or return what is known of it beforehand. Returns id and outputs."""

    @abstractmethod
    def read(
        self, urn: str, resource_id: str, state: Properties, inputs: Properties
    ) -> tuple[Properties, Properties] | None:
        """Return outputs and inputs of the live resource, or nothing if there is none.

        `state` and `inputs` are those of the last operation for a refresh, and empty for an import.
        """

    @abstractmethod
    def update(self, urn: str, state: Properties, inputs: Properties, seconds: float, *, preview: bool) -> Properties:
        """Update the resource, or return what is known of that beforehand. Returns the outputs."""

    @abstractmethod
    def delete(self, urn: str, state: Properties, seconds: float) -> None:
        """Delete the resource. One that does not exist is no error."""


class Provider(ABC):
    """The calls of the protocol, for a stand-in.

    A method serves the call of the same name: `check_config` serves CheckConfig. It takes the request and returns the
    response, or raises a `ProviderError`. Calls without a method are answered as unimplemented.

    Attributes:
        name: Package name, as in `pulumi-resource-<name>`.
        version: Version of the real provider whose behaviour this one stands in for.
        engine: The engine's log.
        cancelled: Set when the engine asks to stop: waits end then.
    """

    name: str
    version: str

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.cancelled = threading.Event()

    @abstractmethod
    def connect(self, config: dict[str, str]) -> None:
        """Take the configuration."""

    @abstractmethod
    def resource_type(self, token: str) -> ResourceType:
        """Return the operations on the resources of a type."""

    def get_plugin_info(self, _request: empty_pb2.Empty) -> plugin_pb2.PluginInfo:
        """Name the version that this one stands in for."""
        return plugin_pb2.PluginInfo(version=self.version)

    def check_config(self, request: pb.CheckRequest) -> pb.CheckResponse:
        """Accept the provider's configuration unchanged."""
        return pb.CheckResponse(inputs=request.news)

    def configure(self, request: pb.ConfigureRequest) -> pb.ConfigureResponse:
        """Take the configuration, and say that this is not the real provider."""
        self.connect({key.rpartition(":")[2]: value for key, value in request.variables.items()})
        self.engine.log(
            f"pulumi-resource-{self.name}: the sandbox's stand-in for version {self.version} is in use, "
            "because the real plugin is not on this machine"
        )
        return pb.ConfigureResponse(acceptSecrets=True, supportsPreview=True)

    def cancel(self, _request: empty_pb2.Empty) -> empty_pb2.Empty:
        """End the waits that are under way."""
        self.cancelled.set()
        return empty_pb2.Empty()

    def check(self, request: pb.CheckRequest) -> pb.CheckResponse:
        """Complete and validate inputs."""
        old, news = from_struct(request.olds), from_struct(request.news)
        inputs, problems = self._type(request.urn).check(request.urn, old, news)
        failures = [pb.CheckFailure(property=key, reason=reason) for key, reason in problems.items()]
        return pb.CheckResponse(inputs=to_struct(inputs), failures=failures)

    def diff(self, request: pb.DiffRequest) -> pb.DiffResponse:
        """Compare new inputs with a state."""
        return self._type(request.urn).diff(from_struct(request.olds), from_struct(request.news))

    def create(self, request: pb.CreateRequest) -> pb.CreateResponse:
        """Create a resource, or preview that."""
        inputs = from_struct(request.properties)
        resource_id, outputs = self._type(request.urn).create(
            request.urn, inputs, request.timeout, preview=request.preview
        )
        return pb.CreateResponse(id="" if request.preview else resource_id, properties=to_struct(outputs))

    def read(self, request: pb.ReadRequest) -> pb.ReadResponse:
        """Read a live resource: for a refresh, for `.get`, and for an import."""
        state, inputs = from_struct(request.properties), from_struct(request.inputs)
        live = self._type(request.urn).read(request.urn, request.id, state, inputs)
        if live is None:
            return pb.ReadResponse()
        return pb.ReadResponse(id=request.id, properties=to_struct(live[0]), inputs=to_struct(live[1]))

    def update(self, request: pb.UpdateRequest) -> pb.UpdateResponse:
        """Update a resource, or preview that."""
        state, inputs = from_struct(request.olds), from_struct(request.news)
        outputs = self._type(request.urn).update(request.urn, state, inputs, request.timeout, preview=request.preview)
        return pb.UpdateResponse(properties=to_struct(outputs))

    def delete(self, request: pb.DeleteRequest) -> empty_pb2.Empty:
        """Delete a resource."""
        self._type(request.urn).delete(request.urn, from_struct(request.properties), request.timeout)
        return empty_pb2.Empty()

    def _type(self, urn: str) -> ResourceType:
        return self.resource_type(token_of(urn))


def token_of(urn: str) -> str:
    """Return a resource's own type token: urn:pulumi:STACK::PROJECT::PARENT-TYPES$TYPE::NAME."""
    return urn.split("::")[2].rpartition("$")[2]


def unique_name(prefix: str) -> str:
    """Return a prefix with eight hexadecimal digits after it."""
    return prefix + secrets.token_hex(4)


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
            except ProviderError as error:
                if isinstance(error, InitializationError):
                    context.set_trailing_metadata((("grpc-status-details-bin", error.details()),))
                context.abort(grpc.StatusCode.UNKNOWN, str(error))

        return grpc.unary_unary_rpc_method_handler(call, handler.request_deserializer, handler.response_serializer)


def serve(provider: Callable[[Engine], Provider]) -> None:
    """Serve a provider until the engine stops it or has exited.

    The engine passes its address as the last argument and reads the port from standard output.
    """
    calls = _Calls(provider(Engine(sys.argv[-1])))
    server = grpc.server(ThreadPoolExecutor(max_workers=64), interceptors=[calls], options=_GRPC_OPTIONS)
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(provider_pb2_grpc.ResourceProviderServicer(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    parent = os.getppid()
    server.start()
    print(port, flush=True)
    # A killed engine cannot stop its plugins, which would wait for it for ever. One that gives a program up interrupts
    # them: that is no failure to report.
    with suppress(KeyboardInterrupt):
        while server.wait_for_termination(timeout=1) and os.getppid() == parent:
            pass
    server.stop(grace=None)
