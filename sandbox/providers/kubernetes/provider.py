"""The provider's operations: check, diff, create, read, update, delete."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from google.protobuf import empty_pb2
from pulumi.runtime.proto import provider_pb2 as pb

from sandbox.providers import rpc
from sandbox.providers.kubernetes import diff, fields, kubeconfig, objects, waits
from sandbox.providers.kubernetes.cluster import ApiError, Cluster, NoMatchError, Object, UnreachableError
from sandbox.providers.kubernetes.helm import Releases
from sandbox.providers.rpc import (
    InitializationError,
    ProviderError,
    Unknown,
    contains,
    from_struct,
    to_struct,
)

RELEASE: Final = "kubernetes:helm.sh/v3:Release"
RETRY_SECONDS: Final = (1, 2, 4, 8, 16)

_EXISTS = """

The resource already exists in the cluster. This can happen when:

  - Renaming a Pulumi resource: use an alias to preserve the identity,
    or use deleteBeforeReplace if the resource needs replacement.
  - Managing an existing resource: use a Patch resource (e.g. NamespacePatch)
    to manage specific fields without owning the resource lifecycle.
  - Adopting a resource into Pulumi: use `pulumi import`. Note that
    protected resources (e.g. kube-system) cannot be deleted on destroy.
  - Intentional upsert: set upsertExistingObjects on the provider to allow
    server-side apply to update existing objects on create."""
_DELETE_UNREACHABLE = (
    'rerunning the operation with the PULUMI_K8S_DELETE_UNREACHABLE environment variable set to "true"'
)


class KubernetesProvider(rpc.Provider):
    """Stands in for pulumi-resource-kubernetes."""

    name = "kubernetes"
    version = "4.34.2"

    def diff_config(self, request: pb.DiffRequest) -> pb.DiffResponse:
        """Replace a provider, and all that hangs on it, only when it points at another cluster."""
        old, new = from_struct(request.olds), from_struct(request.news)
        changed = [key for key in sorted({*old, *new}) if old.get(key) != new.get(key)]
        pointers = [key for key in ("kubeconfig", "context", "cluster") if key in changed]
        unknown = [key for key in pointers if isinstance(new.get(key), Unknown)]
        if unknown:
            return pb.DiffResponse(changes=pb.DiffResponse.DIFF_SOME, diffs=unknown[:1], replaces=unknown[:1])
        before, after = kubeconfig.active_cluster(old), kubeconfig.active_cluster(new)
        moved = before is not None and after is not None and before != after
        return pb.DiffResponse(
            changes=pb.DiffResponse.DIFF_SOME if changed else pb.DiffResponse.DIFF_NONE,
            diffs=changed,
            replaces=pointers if moved else [],
        )

    def configure(self, request: pb.ConfigureRequest) -> pb.ConfigureResponse:
        """Connect to the cluster; one that cannot be reached is told about when it is needed."""
        prefix = "kubernetes:config:"
        self.config = {key.removeprefix(prefix): value for key, value in request.variables.items()}
        self.unreachable = ""
        self.namespace = "default"
        resolved = None
        promise: Callable[[Object], None] = lambda _: None
        try:
            resolved = kubeconfig.resolve(self.config)
            self.namespace = resolved.namespace
            self.cluster = Cluster(resolved)
            promise = self.cluster.promise
            self.cluster.version()
        except ProviderError as error:
            self.unreachable = f"unable to load schema information from the API server: {error}"
        self.releases = Releases(resolved, promise, self.engine, self.cancelled)
        return super().configure(request)

    def check(self, request: pb.CheckRequest) -> pb.CheckResponse:
        """Name the object and place it in a namespace."""
        old, new = from_struct(request.olds), from_struct(request.news)
        if _is_release(request.urn):
            return self.releases.check(request.urn, old, new)
        inputs = objects.normalize(rpc.reveal(new))
        objects.assign_name(inputs, rpc.reveal(old), request)
        unplaced = not self.unreachable and not inputs["metadata"].get("namespace")
        if unplaced and self.cluster.namespaced(*objects.kind_of(request.urn)):
            inputs["metadata"]["namespace"] = self.namespace
        return pb.CheckResponse(inputs=to_struct(objects.masked(inputs, new)))

    def diff(self, request: pb.DiffRequest) -> pb.DiffResponse:
        """Compare the new inputs with what of the live object the old inputs had set."""
        state, news = from_struct(request.olds), from_struct(request.news)
        if _is_release(request.urn):
            return self.releases.diff(state, news, list(request.ignoreChanges))
        new = objects.normalize(rpc.reveal(news))
        inputs, live = objects.parse_checkpoint(state)
        old: Object = objects.prune(live, objects.normalize(inputs))
        old.setdefault("metadata", {})["name"] = live["metadata"]["name"]
        for obj in (old, new):
            self._canonical_namespace(obj)
        patch = diff.merge_patch(old, new)
        changes = diff.detailed_diff(patch, old, new, old, diff.replacing_properties(new, self.config))
        for path in [path for path in changes if any(_under(path, top) for top in request.ignoreChanges)]:
            del changes[path]
        replaces = diff.replaces(changes)
        same_place = all(
            new["metadata"].get(key) == old["metadata"].get(key) for key in ("name", "namespace")
        )
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
        if _is_release(request.urn):
            self._require_cluster("create Helm Release", preview=request.preview)
            return self.releases.create(request)
        self._require_cluster("create", preview=request.preview)
        given = from_struct(request.properties)
        inputs: Object = rpc.reveal(given)
        manager = fields.manager_of(inputs, {})
        as_given = pb.CreateResponse(properties=request.properties)
        if request.preview and not self._can_dry_run(inputs):
            return as_given
        try:
            live = self._create_with_retries(inputs, manager, request.urn, dry_run=request.preview)
        except ApiError as error:
            if request.preview and _preview_must_guess(error):
                return as_given
            text = f"{error}{_EXISTS}" if error.reason == "AlreadyExists" else str(error)
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
        if self.unreachable:
            self._warn_unreachable(request.urn)
            if self._drops_unreachable():
                return pb.ReadResponse()
            raise ProviderError(
                "failed to read resource state due to unreachable cluster. If the cluster was deleted, you can "
                f"remove this resource from Pulumi state by {_DELETE_UNREACHABLE}"
            )
        state, given = from_struct(request.properties), from_struct(request.inputs)
        if _is_release(request.urn):
            return self.releases.read(request.id, state)
        inputs = objects.normalize(rpc.reveal(given))
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
            live = self.cluster.get(inputs | {"metadata": metadata | {"name": name}})
        except NoMatchError:
            return pb.ReadResponse()
        except ApiError as error:
            if error.code == 404:
                return pb.ReadResponse()
            raise
        read: Object = objects.prune(live, inputs) if known else objects.importable(live, inputs)
        first = state.get(objects.INITIAL_API_VERSION, inputs["apiVersion"])
        checkpoint = objects.checkpoint(read, live, given, first, fields.manager_of(inputs, state))
        return pb.ReadResponse(
            id=request.id, properties=to_struct(checkpoint), inputs=to_struct(objects.masked(read, given))
        )

    def update(self, request: pb.UpdateRequest) -> pb.UpdateResponse:
        """Apply the new inputs and wait until the object is ready."""
        self._require_cluster("update", preview=request.preview)
        state, given = from_struct(request.olds), from_struct(request.news)
        if _is_release(request.urn):
            return self.releases.update(given, preview=request.preview)
        inputs = objects.normalize(rpc.reveal(given))
        if request.preview and not self._can_dry_run(inputs):
            return pb.UpdateResponse(properties=request.news)
        _, old = objects.parse_checkpoint(state)
        manager = fields.manager_of(inputs, state)
        problem = ""
        try:
            live = self._apply(inputs, old, manager, dry_run=request.preview)
        except NoMatchError as error:
            raise ProviderError(
                f'update of resource "{request.urn}" failed because the Kubernetes API server reported that the '
                f"apiVersion for this resource does not exist. Verify that any required CRDs have been created: {error}"
            ) from None
        except ApiError as error:
            if request.preview and error.code == 403:
                return pb.UpdateResponse(properties=request.news)
            problem = str(error)
            live = self._read_after_failure(request.urn, old, problem)
        if not request.preview and not problem:
            live, problem = self._until_ready(request.urn, inputs, live, request.timeout)
        first = state.get(objects.INITIAL_API_VERSION, inputs["apiVersion"])
        checkpoint = objects.checkpoint(inputs, live, given, first, manager)
        if problem:
            name = objects.qualified_name(live)
            message = (
                f'the Kubernetes API server reported that "{name}" failed to fully initialize '
                f"or become live: {problem}"
            )
            raise InitializationError(message, name, checkpoint, [message])
        return pb.UpdateResponse(properties=to_struct(checkpoint))

    def delete(self, request: pb.DeleteRequest) -> empty_pb2.Empty:
        """Delete the object, dependents first, and wait until it is gone."""
        if self.unreachable:
            self._warn_unreachable(request.urn)
            if self._drops_unreachable():
                return empty_pb2.Empty()
            raise ProviderError(
                "configured Kubernetes cluster is unreachable. If the cluster was deleted, you can remove this "
                f"resource from Pulumi state by {_DELETE_UNREACHABLE}"
            )
        state = from_struct(request.properties)
        if _is_release(request.urn):
            return self.releases.delete(state)
        inputs, live = objects.parse_checkpoint(state)
        policy = waits.annotation(inputs, waits.DELETION_PROPAGATION).capitalize()
        try:
            self.cluster.delete(live, policy if policy in ("Orphan", "Background") else "Foreground")
            seconds = waits.timeout(request.timeout, inputs)
            report = self._reporter(request.urn, severity=rpc.WARNING, status=False)
            waits.until_gone(self.cluster, inputs, live, seconds, self.cancelled, report)
        except NoMatchError:  # the CRD is gone, and its objects with it
            pass
        except ApiError as error:
            if error.code != 404:
                raise
        except waits.WaitError as error:
            first = state.get(objects.INITIAL_API_VERSION, "")
            checkpoint = objects.checkpoint(
                inputs, error.live, state, first, fields.manager_of(inputs, state)
            )
            name = objects.qualified_name(error.live)
            raise InitializationError(str(error), name, checkpoint, [str(error)]) from None
        return empty_pb2.Empty()

    def _create_with_retries(self, inputs: Object, manager: str, urn: str, *, dry_run: bool) -> Object:
        """Create an object, again while its namespace or CRD is missing: another resource may be making it."""
        for attempt, seconds in enumerate((*RETRY_SECONDS, 0)):
            try:
                if self.config.get("upsertExistingObjects") == "true":
                    return self.cluster.apply(inputs, manager=manager, force=dry_run, dry_run=dry_run)
                return self.cluster.create(inputs, manager=fields.CREATOR, dry_run=dry_run)
            except (ApiError, NoMatchError) as error:
                if isinstance(error, ApiError) and (
                    error.code != 404 or (dry_run and error.kind == "namespaces")
                ):
                    raise
                if not seconds or self.cancelled.is_set():
                    raise
                self.engine.log(f"Retry #{attempt}; creation failed: {error}", urn, status=True)
                self.cancelled.wait(seconds)
        raise AssertionError("unreachable")

    def _apply(self, inputs: Object, old: Object, manager: str, *, dry_run: bool) -> Object:
        live = self.cluster.get(old)
        force = (
            waits.annotation(inputs, waits.PATCH_FORCE) == "true"
            or self.config.get("enablePatchForce") == "true"
            or (dry_run and fields.made_by_create(live))
        )
        adopted = None if dry_run else fields.adopted(live, manager)
        if adopted is not None:
            self.cluster.patch(live, adopted)
        try:
            return self.cluster.apply(inputs, manager=manager, force=force, dry_run=dry_run)
        except ApiError as error:
            if error.reason == "Conflict":
                error.args = (fields.conflict(manager, str(error)),)
            raise

    def _read_after_failure(self, urn: str, old: Object, problem: str) -> Object:
        try:
            return self.cluster.get(old)
        except ProviderError as error:
            raise ProviderError(
                f'update of resource "{urn}" failed: {problem}\nunable to get cluster state: {error}'
            ) from None

    def _until_ready(self, urn: str, inputs: Object, live: Object, custom: float) -> tuple[Object, str]:
        """Return the object as it is in the end, and what went wrong, if anything did."""
        report = self._reporter(urn, severity=rpc.INFO, status=True)
        seconds = waits.timeout(custom, inputs)
        try:
            return waits.until_ready(self.cluster, inputs, live, seconds, self.cancelled, report), ""
        except waits.WaitError as error:
            return error.live, str(error)
        except ProviderError as error:
            return live, str(error)

    def _reporter(self, urn: str, *, severity: Any, status: bool) -> Callable[[str], None]:
        return lambda text: self.engine.log(text, urn, severity=severity, status=status)

    def _can_dry_run(self, inputs: Object) -> bool:
        if self.unreachable or contains(inputs, Unknown):
            return False
        try:
            return self.cluster.find(inputs["apiVersion"], inputs["kind"]) is not None
        except (ApiError, UnreachableError):
            return False

    def _canonical_namespace(self, obj: Object) -> None:
        metadata = obj.setdefault("metadata", {})
        if self.unreachable or self.cluster.namespaced(str(obj.get("apiVersion")), str(obj.get("kind"))):
            metadata["namespace"] = metadata.get("namespace") or "default"
        else:
            metadata.pop("namespace", None)

    def _require_cluster(self, action: str, *, preview: bool = False) -> None:
        if self.unreachable and not preview:
            raise ProviderError(
                f"can't {action}: configured Kubernetes cluster is unreachable: {self.unreachable}"
            )

    def _warn_unreachable(self, urn: str) -> None:
        text = f"configured Kubernetes cluster is unreachable: {self.unreachable}"
        self.engine.log(text, urn, severity=rpc.WARNING)

    def _drops_unreachable(self) -> bool:
        return self.config.get("deleteUnreachable") == "true"


def _preview_must_guess(error: ApiError) -> bool:
    """Say whether a refused dry run says nothing about the real run."""
    return (
        error.code == 403
        or error.reason == "AlreadyExists"
        or (error.code == 404 and error.kind == "namespaces")
        or "does not support dry run" in str(error)
    )


def _under(path: str, top: str) -> bool:
    return path == top or path.startswith((f"{top}.", f"{top}["))


def _is_release(urn: str) -> bool:
    # urn:pulumi:STACK::PROJECT::PARENT-TYPES$TYPE::NAME
    return urn.split("::")[2].rpartition("$")[2] == RELEASE
