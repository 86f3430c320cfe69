"""`gcp:dns/managedZone:ManagedZone`, public zones only."""

from __future__ import annotations

from typing import Any, ClassVar, Final

from sandbox.providers.gcp.api import CloudDns, GoogleError, Json
from sandbox.providers.gcp.resource import NotFoundError, Problem, Properties, Resource, known, missing
from sandbox.providers.rpc import ProviderError
from sandbox.providers.values import UNKNOWN, Secret, Unknown, contains, reveal

_ATTRIBUTION: Final = {"goog-pulumi-provisioned": "true"}
_COMPUTED: Final = ("creationTime", "id", "managedZoneId", "nameServers")


class ManagedZone(Resource):
    """A managed zone, without DNSSEC, peering, forwarding and the like."""

    required = ("dnsName",)
    optional = ("deletionPolicy", "description", "forceDestroy", "labels", "name", "project", "visibility")
    replacing = frozenset({"dnsName", "name", "project", "visibility"})
    ids = (
        r"projects/(?P<project>[^/]+)/managedZones/(?P<name>[^/]+)",
        r"(?P<project>[^/]+)/(?P<name>[^/]+)",
        r"(?P<name>[^/]+)",
    )
    defaults: ClassVar[Json] = {"forceDestroy": False, "visibility": "public"}
    autonamed = True

    def check(self, inputs: Properties) -> list[Problem]:
        """Require a public zone."""
        problems = [missing(name) for name in self.required if inputs.get(name) is None]
        if known(inputs["visibility"]) and inputs["visibility"] != "public":
            reason = "The sandbox's stand-in of the gcp provider has public zones only."
            problems.append(Problem("visibility", reason))
        return problems

    def planned(self, api: CloudDns, inputs: Properties, old: Properties) -> Json:
        """What the API makes up is not known before it is there."""
        computed = {key: old.get(key, UNKNOWN) for key in _COMPUTED}
        project = inputs.get("project")
        outputs = {key: inputs.get(key) for key in self.inputs} | computed
        outputs["project"] = UNKNOWN if isinstance(project, Unknown) else api.project(inputs)
        return outputs | _policies(api, inputs, inputs.get("labels"))

    def id(self, state: Properties) -> str:
        """Return the canonical id."""
        return "projects/{project}/managedZones/{name}".format_map(state)

    def create(self, api: CloudDns, inputs: Properties) -> Json:
        """Create the zone."""
        body = {key: inputs.get(key) for key in ("name", "dnsName", "visibility")}
        body |= {"description": inputs.get("description") or "", "labels": _labels(inputs)}
        try:
            zone = api.create_zone(api.project(inputs), body)
        except GoogleError as error:
            raise ProviderError(f"Error creating ManagedZone: {error}") from None
        return self._outputs(api, zone, inputs)

    def read(self, api: CloudDns, state: Properties) -> Json:
        """Read it by its name."""
        try:
            zone = api.zone(api.project(state), state["name"])
        except GoogleError as error:
            if error.code == 404:
                raise NotFoundError(str(error)) from None
            raise
        return self._outputs(api, zone, state)

    def update(self, api: CloudDns, _old: Properties, inputs: Properties) -> Json:
        """Change its description and labels."""
        body = {"description": inputs.get("description") or "", "labels": _labels(inputs)}
        try:
            api.patch_zone(api.project(inputs), inputs["name"], body)
        except GoogleError as error:
            raise ProviderError(f"Error updating ManagedZone: {error}") from None
        return self.read(api, inputs)

    def delete(self, api: CloudDns, state: Properties) -> None:
        """Delete it, its record sets first when `forceDestroy` says so."""
        project, zone = api.project(state), state["name"]
        try:
            if state.get("forceDestroy"):
                found = api.record_sets(project, zone)
                own = {(state["dnsName"], rdtype) for rdtype in ("NS", "SOA")}
                rest = [each for each in found if (each["name"], each["type"]) not in own]
                if rest:
                    api.change(project, zone, additions=[], deletions=rest)
            api.delete_zone(project, zone)
        except GoogleError as error:
            if error.code != 404:
                raise ProviderError(f"Error deleting ManagedZone: {error}") from None

    def _outputs(self, api: CloudDns, zone: Json, properties: Properties) -> Json:
        outputs = {key: zone[key] for key in ("creationTime", "description", "dnsName", "name", "nameServers")}
        outputs |= {
            "managedZoneId": zone["id"],
            "visibility": zone["visibility"],
            "project": api.project(properties),
        }
        outputs["forceDestroy"] = properties.get("forceDestroy") or False
        labels = reveal(properties.get("labels")) or {}
        shown = {key: value for key, value in zone.get("labels", {}).items() if key in labels}
        outputs["labels"] = shown
        return outputs | _policies(api, properties, zone.get("labels", {})) | {"id": self.id(outputs)}


def lookup(api: CloudDns, arguments: Properties) -> Json:
    """`gcp:dns/getManagedZone:getManagedZone`."""
    project = api.project(arguments)
    zone = api.zone(project, arguments["name"])
    outputs = {key: zone[key] for key in ("description", "dnsName", "name", "nameServers", "visibility")}
    outputs |= {"managedZoneId": zone["id"], "project": project}
    return outputs | {"id": ManagedZone().id(outputs)}


def _labels(properties: Properties) -> Json:
    return _ATTRIBUTION | (reveal(properties.get("labels")) or {})


def _policies(api: CloudDns, properties: Properties, labels: Any) -> Json:
    effective = UNKNOWN if contains(labels, Unknown) else Secret(_ATTRIBUTION | (reveal(labels) or {}))
    return {
        "deletionPolicy": properties.get("deletionPolicy") or api.settings.deletion_policy,
        "effectiveLabels": effective,
        "pulumiLabels": effective,
    }
