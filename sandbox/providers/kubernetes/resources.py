"""The operations on objects of the Kubernetes API: on everything but Helm releases."""

from __future__ import annotations

import threading
from typing import Any

from sandbox.providers import diff
from sandbox.providers.kubernetes import objects, waits, writes
from sandbox.providers.kubernetes.apiserver import ApiError, ApiServer, NoMatchError, Object, UnreachableError
from sandbox.providers.rpc import WARNING, Engine, InitializationError, ProviderError, ResourceType, pb
from sandbox.providers.values import Properties, Unknown, contains, reveal

_EXISTS = "\n\nThe resource already exists in the cluster. To adopt it into Pulumi, use `pulumi import`."
_NO_KIND = (
    "because the Kubernetes API server reported that the apiVersion for this resource does not exist. "
    "Verify that any required CRDs have been created"
)


class Resources(ResourceType):
    """The operations on objects."""

    def __init__(
        self, server: ApiServer, namespace: str, *, force: bool, engine: Engine, cancelled: threading.Event
    ) -> None:
        self._server = server
        self._namespace = namespace  # of objects that name none
        self._force = force  # updates take fields from other managers
        self._engine = engine
        self._cancelled = cancelled

    def check(self, urn: str, old: Properties, inputs: Properties) -> tuple[Properties, dict[str, str]]:
        """Name the object and place it in a namespace."""
        obj = objects.normalize(reveal(inputs))
        objects.assign_name(obj, reveal(old), urn)
        if not obj["metadata"].get("namespace") and self._server.namespaced(*objects.kind_of(urn)):
            obj["metadata"]["namespace"] = self._namespace
        return objects.masked(obj, inputs), {}

    def diff(self, state: Properties, inputs: Properties) -> pb.DiffResponse:
        """Compare the new inputs with those fields of the live object that the old inputs had set."""
        new = objects.normalize(reveal(inputs))
        old_inputs, live = objects.parse_checkpoint(state)
        old: Object = objects.prune(live, objects.normalize(old_inputs))
        old.setdefault("metadata", {})["name"] = live["metadata"]["name"]
        for obj in (old, new):
            self._canonical_namespace(obj)
        same_place = objects.qualified_name(new) == objects.qualified_name(old)
        autonamed = objects.annotation(new, objects.AUTONAMED) == "true"
        changes = diff.changes(old, new, objects.immutable_properties(new))
        return diff.response(changes, delete_first=same_place and not autonamed)

    def create(self, urn: str, inputs: Properties, seconds: float, *, preview: bool) -> tuple[str, Properties]:
        """Create the object and wait until it is ready; in a preview, ask the server for the result."""
        obj: Object = reveal(inputs)
        if preview and not self._can_dry_run(obj):
            return "", inputs
        report = self._report(urn, status=True)
        try:
            live = writes.create(self._server, obj, self._cancelled, report, dry_run=preview)
        except ApiError as error:
            if preview and writes.preview_must_guess(error):
                return "", inputs
            text = f"{error}{_EXISTS}" if error.reason == "AlreadyExists" else str(error)
            raise ProviderError(
                f'resource "{urn}" was not successfully created by the Kubernetes API server: {text}'
            ) from None
        except NoMatchError as error:
            kind = f"{obj['apiVersion']}/{obj['kind']}"
            raise ProviderError(f'creation of resource "{urn}" with kind {kind} failed {_NO_KIND}: {error}') from None
        if preview:
            live.pop("status", None)
            return "", objects.checkpoint(obj, live, inputs, {})
        live, problem = self._until_ready(urn, live, seconds)
        name, state = objects.qualified_name(live), objects.checkpoint(obj, live, inputs, {})
        if problem:
            raise InitializationError(
                f'resource "{urn}" was successfully created, but the Kubernetes API server '
                f"reported that it failed to fully initialize or become live: {problem}",
                name,
                state,
            )
        return name, state

    def read(
        self, urn: str, resource_id: str, state: Properties, inputs: Properties
    ) -> tuple[Properties, Properties] | None:
        """Read the live object."""
        obj = objects.normalize(reveal(inputs))
        _, old = objects.parse_checkpoint(state)
        imported = "kind" not in obj and "kind" not in old
        api_version, kind = objects.kind_of(urn)
        namespace, _, name = resource_id.rpartition("/")
        obj = {"apiVersion": old.get("apiVersion", api_version), "kind": old.get("kind", kind)} | obj
        place = {"namespace": namespace} if namespace else {}
        obj["metadata"] = {"name": name} | place | obj.get("metadata", {})
        try:
            live = self._server.get(obj | {"metadata": obj["metadata"] | {"name": name}})
        except NoMatchError:
            return None
        except ApiError as error:
            if error.code == 404:
                return None
            raise
        read: Object = objects.importable(live, obj) if imported else objects.prune(live, obj)
        return objects.checkpoint(read, live, inputs, state), objects.masked(read, inputs)

    def update(self, urn: str, state: Properties, inputs: Properties, seconds: float, *, preview: bool) -> Properties:
        """Apply the new inputs and wait until the object is ready."""
        obj = objects.normalize(reveal(inputs))
        if preview and not self._can_dry_run(obj):
            return inputs
        _, old = objects.parse_checkpoint(state)
        manager, problem = objects.manager_of(state), ""
        try:
            live = writes.apply(self._server, obj, old, manager, force=self._force, dry_run=preview)
        except NoMatchError as error:
            raise ProviderError(f'update of resource "{urn}" failed {_NO_KIND}: {error}') from None
        except ApiError as error:
            if preview and error.code == 403:
                return inputs
            problem = str(error)
            live = self._after_failure(urn, old, problem)
        if not preview and not problem:
            live, problem = self._until_ready(urn, live, seconds)
        checkpoint = objects.checkpoint(obj, live, inputs, state)
        if problem:
            name = objects.qualified_name(live)
            raise InitializationError(
                f'the Kubernetes API server reported that "{name}" failed to fully initialize '
                f"or become live: {problem}",
                name,
                checkpoint,
            )
        return checkpoint

    def delete(self, urn: str, state: Properties, seconds: float) -> None:
        """Delete the object, dependents first, and wait until it is gone."""
        inputs, live = objects.parse_checkpoint(state)
        try:
            self._server.delete(live)
            waits.until_gone(self._server, live, seconds, self._cancelled, self._report(urn, severity=WARNING))
        except NoMatchError:  # the CRD is gone, and its objects with it
            pass
        except ApiError as error:
            if error.code != 404:
                raise
        except waits.WaitError as error:
            checkpoint = objects.checkpoint(inputs, error.live, state, state)
            raise InitializationError(str(error), objects.qualified_name(error.live), checkpoint) from None

    def _after_failure(self, urn: str, old: Object, problem: str) -> Object:
        try:
            return self._server.get(old)
        except ProviderError as error:
            raise ProviderError(
                f'update of resource "{urn}" failed: {problem}\nunable to get cluster state: {error}'
            ) from None

    def _until_ready(self, urn: str, live: Object, seconds: float) -> tuple[Object, str]:
        """Return the object as it is in the end, and what went wrong, if anything did."""
        try:
            return waits.until_ready(self._server, live, seconds, self._cancelled, self._report(urn, status=True)), ""
        except waits.WaitError as error:
            return error.live, str(error)
        except ProviderError as error:
            return live, str(error)

    def _report(self, urn: str, **how: Any) -> waits.Report:
        return lambda text: self._engine.log(text, urn, **how)

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
