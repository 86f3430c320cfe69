"""The operations on objects of the Kubernetes API."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

from google.protobuf import empty_pb2
from pulumi.runtime.proto import provider_pb2 as pb

from sandbox.providers import rpc
from sandbox.providers.kubernetes import diff, fields, objects, waits, writes
from sandbox.providers.kubernetes.apiserver import ApiError, ApiServer, NoMatchError, Object, UnreachableError
from sandbox.providers.rpc import InitializationError, ProviderError
from sandbox.providers.values import Unknown, contains, from_struct, reveal, to_struct


class Resources:
    """The operations on everything but Helm releases."""

    def __init__(
        self,
        server: ApiServer,
        namespace: str,
        config: Mapping[str, str],
        engine: rpc.Engine,
        cancelled: threading.Event,
    ) -> None:
        """Take what the operations need.

        Args:
            server: The API server.
            namespace: Namespace of objects that name none.
            config: The provider's configuration.
            engine: The engine's log.
            cancelled: Set when waits must end.
        """
        self._server = server
        self._namespace = namespace
        self._config = config
        self._engine = engine
        self._cancelled = cancelled

    def check(self, request: pb.CheckRequest) -> pb.CheckResponse:
        """Name the object and place it in a namespace."""
        old, new = from_struct(request.olds), from_struct(request.news)
        inputs = objects.normalize(reveal(new))
        objects.assign_name(inputs, reveal(old), request)
        unplaced = not inputs["metadata"].get("namespace")
        if unplaced and self._server.namespaced(*objects.kind_of(request.urn)):
            inputs["metadata"]["namespace"] = self._namespace
        return pb.CheckResponse(inputs=to_struct(objects.masked(inputs, new)))

    def diff(self, request: pb.DiffRequest) -> pb.DiffResponse:
        """Compare the new inputs with what of the live object the old inputs had set."""
        state, news = from_struct(request.olds), from_struct(request.news)
        new = objects.normalize(reveal(news))
        inputs, live = objects.parse_checkpoint(state)
        old: Object = objects.prune(live, objects.normalize(inputs))
        old.setdefault("metadata", {})["name"] = live["metadata"]["name"]
        for obj in (old, new):
            self._canonical_namespace(obj)
        patch = diff.merge_patch(old, new)
        changes = diff.detailed_diff(patch, old, new, old, diff.replacing_properties(new, self._config))
        for path in [path for path in changes if any(_under(path, top) for top in request.ignoreChanges)]:
            del changes[path]
        replaces = diff.replaces(changes)
        same_place = all(new["metadata"].get(key) == old["metadata"].get(key) for key in ("name", "namespace"))
        autonamed = waits.annotation(new, waits.AUTONAMED) == "true"
        return pb.DiffResponse(
            changes=pb.DiffResponse.DIFF_SOME if changes else pb.DiffResponse.DIFF_NONE,
            replaces=replaces,
            deleteBeforeReplace=bool(replaces) and same_place and not autonamed,
            detailedDiff=changes,
            hasDetailedDiff=True,
        )

    def create(self, request: pb.CreateRequest) -> pb.CreateResponse:
        """Create the object and wait until it is ready; in a preview, ask the server what it would become."""
        given = from_struct(request.properties)
        inputs: Object = reveal(given)
        manager = fields.manager_of(inputs, {})
        as_given = pb.CreateResponse(properties=request.properties)
        if request.preview and not self._can_dry_run(inputs):
            return as_given
        try:
            live = self._writer(request.urn).create(inputs, manager, dry_run=request.preview)
        except ApiError as error:
            if request.preview and writes.preview_must_guess(error):
                return as_given
            text = f"{error}{writes.EXISTS}" if error.reason == "AlreadyExists" else str(error)
            raise ProviderError(
                f'resource "{request.urn}" was not successfully created by the Kubernetes API server: {text}'
            ) from None
        except NoMatchError as error:
            raise ProviderError(
                f'creation of resource "{request.urn}" with kind {inputs["apiVersion"]}/{inputs["kind"]} failed '
                "because the Kubernetes API server reported that the apiVersion for this resource does not exist. "
                f"Verify that any required CRDs have been created: {error}"
            ) from None
        if request.preview:
            live.pop("status", None)
            state = objects.checkpoint(inputs, live, given, inputs["apiVersion"], manager)
            return pb.CreateResponse(properties=to_struct(state))
        live, problem = self._until_ready(request.urn, inputs, live, request.timeout)
        state = objects.checkpoint(inputs, live, given, inputs["apiVersion"], manager)
        if problem:
            message = (
                f'resource "{request.urn}" was successfully created, but the Kubernetes API server '
                f"reported that it failed to fully initialize or become live: {problem}"
            )
            raise InitializationError(message, objects.qualified_name(live), state, [message])
        return pb.CreateResponse(id=objects.qualified_name(live), properties=to_struct(state))

    def read(self, request: pb.ReadRequest) -> pb.ReadResponse:
        """Read the live object: for a refresh, for `.get`, and for an import."""
        state, given = from_struct(request.properties), from_struct(request.inputs)
        inputs = objects.normalize(reveal(given))
        _, old = objects.parse_checkpoint(state)
        known = "kind" in inputs or "kind" in old
        api_version, kind = objects.kind_of(request.urn)
        namespace, _, name = request.id.rpartition("/")
        inputs.setdefault("apiVersion", old.get("apiVersion", api_version))
        inputs.setdefault("kind", old.get("kind", kind))
        metadata = inputs.setdefault("metadata", {})
        metadata.setdefault("name", name)
        if namespace:
            metadata.setdefault("namespace", namespace)
        try:
            live = self._server.get(inputs | {"metadata": metadata | {"name": name}})
        except NoMatchError:
            return pb.ReadResponse()
        except ApiError as error:
            if error.code == 404:
                return pb.ReadResponse()
            raise
        read: Object = objects.prune(live, inputs) if known else objects.importable(live, inputs)
        first = str(state.get(objects.INITIAL_API_VERSION, inputs["apiVersion"]))
        checkpoint = objects.checkpoint(read, live, given, first, fields.manager_of(inputs, state))
        return pb.ReadResponse(
            id=request.id, properties=to_struct(checkpoint), inputs=to_struct(objects.masked(read, given))
        )

    def update(self, request: pb.UpdateRequest) -> pb.UpdateResponse:
        """Apply the new inputs and wait until the object is ready."""
        state, given = from_struct(request.olds), from_struct(request.news)
        inputs = objects.normalize(reveal(given))
        if request.preview and not self._can_dry_run(inputs):
            return pb.UpdateResponse(properties=request.news)
        _, old = objects.parse_checkpoint(state)
        manager = fields.manager_of(inputs, state)
        problem = ""
        try:
            live = self._writer(request.urn).apply(inputs, old, manager, dry_run=request.preview)
        except NoMatchError as error:
            raise ProviderError(
                f'update of resource "{request.urn}" failed because the Kubernetes API server reported that the '
                f"apiVersion for this resource does not exist. Verify that any required CRDs have been created: {error}"
            ) from None
        except ApiError as error:
            if request.preview and error.code == 403:
                return pb.UpdateResponse(properties=request.news)
            problem = str(error)
            live = self._after_failure(request.urn, old, problem)
        if not request.preview and not problem:
            live, problem = self._until_ready(request.urn, inputs, live, request.timeout)
        first = str(state.get(objects.INITIAL_API_VERSION, inputs["apiVersion"]))
        checkpoint = objects.checkpoint(inputs, live, given, first, manager)
        if problem:
            name = objects.qualified_name(live)
            message = (
                f'the Kubernetes API server reported that "{name}" failed to fully initialize or become live: {problem}'
            )
            raise InitializationError(message, name, checkpoint, [message])
        return pb.UpdateResponse(properties=to_struct(checkpoint))

    def delete(self, request: pb.DeleteRequest) -> empty_pb2.Empty:
        """Delete the object, dependents first, and wait until it is gone."""
        state = from_struct(request.properties)
        inputs, live = objects.parse_checkpoint(state)
        policy = waits.annotation(inputs, waits.DELETION_PROPAGATION).capitalize()
        try:
            self._server.delete(live, policy if policy in ("Orphan", "Background") else "Foreground")
            seconds = waits.timeout(request.timeout, inputs)
            report = self._reporter(request.urn, severity=rpc.WARNING, status=False)
            waits.until_gone(self._server, inputs, live, seconds, self._cancelled, report)
        except NoMatchError:  # the CRD is gone, and its objects with it
            pass
        except ApiError as error:
            if error.code != 404:
                raise
        except waits.WaitError as error:
            first = str(state.get(objects.INITIAL_API_VERSION, ""))
            checkpoint = objects.checkpoint(inputs, error.live, state, first, fields.manager_of(inputs, state))
            name = objects.qualified_name(error.live)
            raise InitializationError(str(error), name, checkpoint, [str(error)]) from None
        return empty_pb2.Empty()

    def _writer(self, urn: str) -> writes.Writer:
        report = self._reporter(urn, severity=rpc.INFO, status=True)
        return writes.Writer(self._server, self._config, self._cancelled, report)

    def _after_failure(self, urn: str, old: Object, problem: str) -> Object:
        try:
            return self._server.get(old)
        except ProviderError as error:
            raise ProviderError(
                f'update of resource "{urn}" failed: {problem}\nunable to get cluster state: {error}'
            ) from None

    def _until_ready(self, urn: str, inputs: Object, live: Object, custom: float) -> tuple[Object, str]:
        """Return the object as it is in the end, and what went wrong, if anything did."""
        report = self._reporter(urn, severity=rpc.INFO, status=True)
        seconds = waits.timeout(custom, inputs)
        try:
            return waits.until_ready(self._server, inputs, live, seconds, self._cancelled, report), ""
        except waits.WaitError as error:
            return error.live, str(error)
        except ProviderError as error:
            return live, str(error)

    def _reporter(self, urn: str, *, severity: Any, status: bool) -> Callable[[str], None]:
        return lambda text: self._engine.log(text, urn, severity=severity, status=status)

    def _can_dry_run(self, inputs: Object) -> bool:
        if contains(inputs, Unknown):
            return False
        try:
            return self._server.find(inputs["apiVersion"], inputs["kind"]) is not None
        except (ApiError, UnreachableError):
            return False

    def _canonical_namespace(self, obj: Object) -> None:
        metadata = obj.setdefault("metadata", {})
        if self._server.namespaced(str(obj.get("apiVersion")), str(obj.get("kind"))):
            metadata["namespace"] = metadata.get("namespace") or "default"
        else:
            metadata.pop("namespace", None)


def _under(path: str, top: str) -> bool:
    return path == top or path.startswith((f"{top}.", f"{top}["))
