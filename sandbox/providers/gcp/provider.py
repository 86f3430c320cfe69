"""The provider: its configuration, its resource types and its functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from sandbox.providers.gcp import lookups, record_set
from sandbox.providers.gcp.access import CustomRole, ZoneMember
from sandbox.providers.gcp.address import Address
from sandbox.providers.gcp.api import GoogleCloud, Json
from sandbox.providers.gcp.resource import Resource
from sandbox.providers.rpc import Provider, ProviderError, pb
from sandbox.providers.values import Properties, Unknown, contains, from_struct, reveal, to_struct

RESOURCES: Final[Mapping[str, type[Resource]]] = {
    "gcp:compute/address:Address": Address,
    "gcp:dns/dnsManagedZoneIamMember:DnsManagedZoneIamMember": ZoneMember,
    "gcp:dns/recordSet:RecordSet": record_set.RecordSet,
    "gcp:projects/iAMCustomRole:IAMCustomRole": CustomRole,
}
FUNCTIONS: Final[Mapping[str, Callable[[GoogleCloud, Properties], Json]]] = {
    "gcp:container/getCluster:getCluster": lookups.cluster,
    "gcp:dns/getManagedZone:getManagedZone": lookups.managed_zone,
    "gcp:dns/getRecordSets:getRecordSets": record_set.lookup,
    "gcp:organizations/getProject:getProject": lookups.project,
}


class GcpProvider(Provider):
    """Stands in for pulumi-resource-gcp."""

    name = "gcp"
    version = "10.2.0"

    def connect(self, config: dict[str, str]) -> None:
        """Take the settings; the first operation that needs an unreachable API reports it."""
        self._api = GoogleCloud(config)

    def resource_type(self, token: str) -> Resource:
        """Return the operations on the resources of a type."""
        if token not in RESOURCES:
            raise _not_here(token)
        return RESOURCES[token](self._api)

    def invoke(self, request: pb.InvokeRequest) -> pb.InvokeResponse:
        """Call a function."""
        if request.tok not in FUNCTIONS:
            raise _not_here(request.tok)
        arguments = reveal(from_struct(request.args))
        if contains(arguments, Unknown):
            raise ProviderError(f"invoking {request.tok}: an argument is not known yet")
        try:
            outputs = FUNCTIONS[request.tok](self._api, arguments)
        except ProviderError as error:
            raise ProviderError(f"invoking {request.tok}: {error}") from None
        response = pb.InvokeResponse()
        getattr(response, "return").CopyFrom(to_struct(outputs))  # a keyword in Python
        return response


def _not_here(token: str) -> ProviderError:
    return ProviderError(
        f"{token} is not in the sandbox's stand-in of the gcp provider, which has only "
        f"{', '.join([*RESOURCES, *FUNCTIONS])}; install the real plugin with "
        "`pulumi plugin install resource gcp`"
    )
