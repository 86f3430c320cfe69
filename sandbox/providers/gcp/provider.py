"""The provider's operations: check, diff, create, read, update, delete, and functions."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from google.protobuf import empty_pb2, struct_pb2
from pulumi.runtime.proto import provider_pb2 as pb

from sandbox.providers import rpc
from sandbox.providers.gcp import access, address, cluster, managed_zone, record_set
from sandbox.providers.gcp.api import CloudDns, Json, Settings
from sandbox.providers.gcp.resource import NotFoundError, Properties, Resource
from sandbox.providers.rpc import ProviderError
from sandbox.providers.values import Secret, Unknown, contains, from_struct, reveal, to_struct

RESOURCES: Final[Mapping[str, Resource]] = {
    "gcp:dns/dnsManagedZoneIamMember:DnsManagedZoneIamMember": access.ZoneMember(),
    "gcp:projects/iAMCustomRole:IAMCustomRole": access.CustomRole(),
    "gcp:compute/address:Address": address.Address(),
    "gcp:dns/managedZone:ManagedZone": managed_zone.ManagedZone(),
    "gcp:dns/recordSet:RecordSet": record_set.RecordSet(),
}
FUNCTIONS: Final[Mapping[str, Callable[[CloudDns, Properties], Json]]] = {
    "gcp:container/getCluster:getCluster": cluster.lookup,
    "gcp:dns/getManagedZone:getManagedZone": managed_zone.lookup,
    "gcp:dns/getRecordSets:getRecordSets": record_set.lookup,
    "gcp:organizations/getProject:getProject": access.project,
}
DEFAULTS: Final = "__defaults"


class GcpProvider(rpc.Provider):
    """Stands in for pulumi-resource-gcp."""

    name = "gcp"
    version = "10.2.0"

    def configure(self, request: pb.ConfigureRequest) -> pb.ConfigureResponse:
        """Take the settings; the first operation that needs an unreachable API reports it."""
        config = {key.rpartition(":")[2]: value for key, value in request.variables.items()}
        self.api = CloudDns(Settings.of(config), self.cancelled)
        return super().configure(request)

    def check(self, request: pb.CheckRequest) -> pb.CheckResponse:
        """Validate the inputs."""
        resource, name = _resource(request.urn), request.urn.rpartition("::")[2]
        given = from_struct(request.news)
        inputs = {key: value for key, value in reveal(given).items() if value is not None}
        defaults = {key: value for key, value in resource.defaults.items() if key not in inputs}
        if resource.autonamed and "name" not in inputs:
            old = reveal(from_struct(request.olds))
            kept_name = old.get("name") if "name" in old.get(DEFAULTS, ()) else None
            suffix = bytes(request.randomSeed[:4]).hex() or secrets.token_hex(4)
            defaults["name"] = kept_name or f"{name}-{suffix[:7]}"
        inputs |= defaults | {DEFAULTS: sorted(defaults)}
        problems = resource.check(inputs)
        failures = [
            pb.CheckFailure(
                property=each.property, reason=f"{each.reason}. Examine values at '{name}.{each.property}'."
            )
            for each in problems
        ]
        kept = {key: given.get(key, value) for key, value in inputs.items()}
        return pb.CheckResponse(inputs=to_struct(kept), failures=failures)

    def diff(self, request: pb.DiffRequest) -> pb.DiffResponse:
        """Compare the new inputs with the state."""
        resource = _resource(request.urn)
        state, inputs = reveal(from_struct(request.olds)), reveal(from_struct(request.news))
        planned = resource.planned(self.api, inputs, state)
        changes: dict[str, pb.PropertyDiff] = {}
        replaces: list[str] = []
        for key in resource.inputs:
            old, new = state.get(key), planned.get(key)
            if key in request.ignoreChanges or resource.same(key, old, new, inputs) or (not old and not new):
                continue
            replace = key in resource.replacing
            replaces += [key] * replace
            changes |= _detail(key, old, new, replace=replace)
        return pb.DiffResponse(
            changes=pb.DiffResponse.DIFF_SOME if changes else pb.DiffResponse.DIFF_NONE,
            diffs=sorted({key.partition("[")[0] for key in changes}),
            replaces=replaces,
            detailedDiff=changes,
            hasDetailedDiff=True,
        )

    def create(self, request: pb.CreateRequest) -> pb.CreateResponse:
        """Create the resource; a preview says what is known beforehand."""
        resource, given = _resource(request.urn), from_struct(request.properties)
        inputs = reveal(given)
        if request.preview:
            return pb.CreateResponse(properties=_masked(resource.planned(self.api, inputs, {}), given))
        with _in_terraforms_words():
            outputs = resource.create(self.api, inputs)
        return pb.CreateResponse(id=outputs["id"], properties=_masked(outputs, given))

    def read(self, request: pb.ReadRequest) -> pb.ReadResponse:
        """Read the resource as it is: for a refresh, for `.get`, and for an import."""
        resource = _resource(request.urn)
        state, old_inputs = reveal(from_struct(request.properties)), from_struct(request.inputs)
        if not all(state.get(key) for key in resource.required):
            state = {**state, **resource.parse_id(self.api, request.id)}
        try:
            with _in_terraforms_words():
                outputs = resource.read(self.api, state)
        except NotFoundError:
            return pb.ReadResponse()
        inputs = _inputs(resource, outputs, old_inputs)
        return pb.ReadResponse(
            id=outputs["id"], properties=_masked(outputs, old_inputs), inputs=_masked(inputs, old_inputs)
        )

    def update(self, request: pb.UpdateRequest) -> pb.UpdateResponse:
        """Change the resource in place."""
        resource = _resource(request.urn)
        old, given = reveal(from_struct(request.olds)), from_struct(request.news)
        inputs = reveal(given)
        if request.preview:
            return pb.UpdateResponse(properties=_masked(resource.planned(self.api, inputs, old), given))
        with _in_terraforms_words():
            outputs = resource.update(self.api, old, inputs)
        return pb.UpdateResponse(properties=_masked(outputs, given))

    def delete(self, request: pb.DeleteRequest) -> empty_pb2.Empty:
        """Delete the resource, as far as its `deletionPolicy` allows."""
        resource, state = _resource(request.urn), reveal(from_struct(request.properties))
        kind = _token(request.urn).rpartition(":")[2]
        if state.get("deletionPolicy") == "PREVENT":
            raise ProviderError(
                f'cannot destroy {kind} without setting deletion_policy="DELETE" and running `terraform apply`'
            )
        if state.get("deletionPolicy") != "ABANDON":
            with _in_terraforms_words():
                resource.delete(self.api, state)
        return empty_pb2.Empty()

    def invoke(self, request: pb.InvokeRequest) -> pb.InvokeResponse:
        """Call a function."""
        function = FUNCTIONS.get(request.tok)
        if function is None:
            raise _not_here(request.tok)
        arguments = reveal(from_struct(request.args))
        if contains(arguments, Unknown):
            raise ProviderError(f"invoking {request.tok}: an argument is not known yet")
        try:
            with _in_terraforms_words():
                outputs = function(self.api, arguments)
        except ProviderError as error:
            raise ProviderError(f"invoking {request.tok}: {error}") from None
        return _returned(outputs)


def _returned(outputs: Json) -> pb.InvokeResponse:
    response = pb.InvokeResponse()
    getattr(response, "return").CopyFrom(to_struct(outputs))  # a keyword in Python
    return response


def _token(urn: str) -> str:
    return urn.split("::")[2].rpartition("$")[2]


def _resource(urn: str) -> Resource:
    resource = RESOURCES.get(_token(urn))
    if resource is None:
        raise _not_here(_token(urn))
    return resource


def _not_here(token: str) -> ProviderError:
    return ProviderError(
        f"{token} is not in the sandbox's stand-in of the gcp provider, which has only "
        f"{', '.join([*RESOURCES, *FUNCTIONS])}; install the real plugin with "
        "`pulumi plugin install resource gcp`"
    )


@contextmanager
def _in_terraforms_words() -> Iterator[None]:
    """Lay errors out as Terraform's SDK does."""
    try:
        yield
    except NotFoundError:
        raise
    except ProviderError as error:
        raise ProviderError(f"1 error occurred:\n\t* {error}\n") from None


def _masked(properties: Json, given: Properties) -> struct_pb2.Struct:
    """The properties as a message, secret where the inputs are."""
    secret = {key for key, value in given.items() if contains(value, Secret)}
    return to_struct({key: Secret(value) if key in secret else value for key, value in properties.items()})


def _inputs(resource: Resource, outputs: Json, old: Json) -> Json:
    """The inputs as they are now: those that were given before, or, for an import, all that can be."""
    names = [name for name in resource.inputs if name in old] if old else list(resource.inputs)
    found = {name: outputs[name] for name in names if outputs.get(name) not in (None, "", [], {})}
    return found | {DEFAULTS: old.get(DEFAULTS, [])}


def _detail(key: str, old: Any, new: Any, *, replace: bool) -> dict[str, pb.PropertyDiff]:
    """How one property changes; of a list, which of its items."""
    if isinstance(old, list) and isinstance(new, list):
        pairs = {f"{key}[{i}]": (_at(old, i), _at(new, i)) for i in range(max(len(old), len(new)))}
    else:
        pairs = {key: (old, new)}
    return {
        path: pb.PropertyDiff(kind=_kind(before, after, replace=replace))
        for path, (before, after) in pairs.items()
        if before != after
    }


def _at(items: list[Any], index: int) -> Any:
    return items[index] if index < len(items) else None


def _kind(old: Any, new: Any, *, replace: bool) -> pb.PropertyDiff.Kind.ValueType:
    kinds = pb.PropertyDiff
    if old is None:
        return kinds.ADD_REPLACE if replace else kinds.ADD
    if new is None:
        return kinds.DELETE_REPLACE if replace else kinds.DELETE
    return kinds.UPDATE_REPLACE if replace else kinds.UPDATE
