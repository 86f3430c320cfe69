"""`gcp:dns/recordSet:RecordSet`."""

from __future__ import annotations

from collections import Counter
from ipaddress import ip_address
from typing import Any, Final

from sandbox.providers.gcp.api import CloudDns, GoogleError, Json
from sandbox.providers.gcp.resource import NotFoundError, Problem, Properties, Resource, known, missing, zone_name
from sandbox.providers.rpc import ProviderError
from sandbox.providers.values import UNKNOWN, Unknown, contains

_PROTECTED: Final = ("NS", "SOA")


class RecordSet(Resource):
    """A record set.

    As the real provider does, it takes over a record set that exists, and changes even the type in place.
    """

    required = ("managedZone", "name", "type")
    optional = ("deletionPolicy", "project", "rrdatas", "ttl")
    replacing = frozenset({"managedZone", "name", "project"})
    ids = (
        r"projects/(?P<project>[^/]+)/managedZones/(?P<managedZone>[^/]+)/rrsets/(?P<name>[^/]+)/(?P<type>[^/]+)",
        r"(?P<project>[^/]+)/(?P<managedZone>[^/]+)/(?P<name>[^/]+)/(?P<type>[^/]+)",
        r"(?P<managedZone>[^/]+)/(?P<name>[^/]+)/(?P<type>[^/]+)",
    )

    def check(self, inputs: Properties) -> list[Problem]:
        """Require an absolute name and records."""
        problems = [missing(name) for name in self.required if inputs.get(name) is None]
        name = inputs.get("name")
        if isinstance(name, str) and not name.endswith("."):
            reason = (
                f'"name" ("{name}") doesn\'t end with ".", name field must end with trailing dot, '
                "for example test.example.com. (note the trailing dot)"
            )
            problems.append(Problem("name", reason))
        if "routingPolicy" in inputs:
            reason = "The sandbox's stand-in of the gcp provider has no routing policies."
            problems.append(Problem("routingPolicy", reason))
        elif inputs.get("rrdatas") in (None, []):
            reason = '"rrdatas": one of `routing_policy,rrdatas` must be specified'
            problems.append(Problem("rrdatas", reason))
        ttl = inputs.get("ttl")
        if known(ttl) and not (isinstance(ttl, int) and not isinstance(ttl, bool)):
            problems.append(Problem("ttl", f"expected type number, got {ttl!r}"))
        return problems

    def planned(self, api: CloudDns, inputs: Properties, old: Properties) -> Json:
        """Return the outputs to expect; all are known but what the inputs leave open."""
        project = inputs.get("project")
        outputs = {
            "deletionPolicy": inputs.get("deletionPolicy") or api.settings.deletion_policy,
            "managedZone": inputs["managedZone"],
            "name": inputs["name"],
            "project": UNKNOWN if isinstance(project, Unknown) else api.project(inputs),
            "routingPolicy": None,
            "rrdatas": inputs.get("rrdatas"),
            "ttl": inputs.get("ttl", 0),
            "type": inputs["type"],
        }
        parts = [outputs[key] for key in ("project", "managedZone", "name", "type")]
        outputs["id"] = UNKNOWN if contains(parts, Unknown) or not old else self.id(outputs)
        return outputs

    def same(self, key: str, old: Any, new: Any, inputs: Properties) -> bool:
        """Compare as the real provider: records without their order, and some without regard to case."""
        if key == "managedZone":
            return bool(zone_name(old) == zone_name(new))
        if key != "rrdatas" or not isinstance(new, list) or not isinstance(old, list) or contains(new, Unknown):
            return bool(old == new)
        rdtype = inputs["type"]
        return Counter(_canonical(rdtype, each) for each in old) == Counter(_canonical(rdtype, each) for each in new)

    def id(self, state: Properties) -> str:
        """Return the canonical id."""
        return "projects/{project}/managedZones/{managedZone}/rrsets/{name}/{type}".format_map(state)

    def create(self, api: CloudDns, inputs: Properties) -> Json:
        """Create the record set, in place of the one that has its name and type."""
        project, zone = api.project(inputs), inputs["managedZone"]
        try:
            current = api.record_sets(project, zone, name=inputs["name"], type=inputs["type"])
        except GoogleError as error:
            raise ProviderError(f'Error retrieving record sets for "{zone}": {error}') from None
        try:
            api.change(project, zone, additions=[_rrset(inputs)], deletions=current)
        except GoogleError as error:
            raise ProviderError(f"Error creating DNS RecordSet: {error}") from None
        return self.read(api, self.planned(api, inputs, {}))

    def read(self, api: CloudDns, state: Properties) -> Json:
        """Read it by its zone, name and type."""
        project, zone = api.project(state), state["managedZone"]
        try:
            found = api.record_sets(project, zone, name=state["name"], type=state["type"])
        except GoogleError as error:
            if error.code == 404:
                raise NotFoundError(str(error)) from None
            raise
        if not found:
            raise NotFoundError(f"DNS Record Set {state['name']!r} is gone")
        outputs = {key: found[0][key] for key in ("name", "rrdatas", "ttl", "type")}
        outputs |= {"managedZone": zone, "project": project, "routingPolicy": None}
        outputs["deletionPolicy"] = state.get("deletionPolicy") or api.settings.deletion_policy
        return outputs | {"id": self.id(outputs)}

    def update(self, api: CloudDns, old: Properties, inputs: Properties) -> Json:
        """Change it from exactly what the state says; the API refuses when it has become something else."""
        try:
            zone = inputs["managedZone"]
            api.change(api.project(inputs), zone, additions=[_rrset(inputs)], deletions=[_rrset(old)])
        except GoogleError as error:
            raise ProviderError(f"Error changing DNS RecordSet: {error}") from None
        return self.read(api, self.planned(api, inputs, old))

    def delete(self, api: CloudDns, state: Properties) -> None:
        """Delete it; the zone's own NS and SOA are left, since they must be there."""
        project, zone = api.project(state), state["managedZone"]
        if state["type"] in _PROTECTED and api.zone(project, zone)["dnsName"] == state["name"]:
            return
        try:
            api.change(project, zone, additions=[], deletions=[_rrset(state)])
        except GoogleError as error:
            if error.code != 404:
                raise


def lookup(api: CloudDns, arguments: Properties) -> Json:
    """`gcp:dns/getRecordSets:getRecordSets`."""
    project, zone = api.project(arguments), arguments["managedZone"]
    query = {key: arguments[key] for key in ("name", "type") if arguments.get(key)}
    try:
        # The API refuses a type without a name.
        found = api.record_sets(project, zone, **(query if "name" in query else {}))
    except GoogleError as error:
        raise ProviderError(f"error reading DNS Record Sets: {error}") from None
    rrsets = [
        {key: each[key] for key in ("name", "rrdatas", "ttl", "type")}
        for each in found
        if each["type"] == query.get("type", each["type"])
    ]
    return query | {
        "managedZone": zone,
        "project": project,
        "rrsets": rrsets,
        "id": f"projects/{project}/managedZones/{zone}",
    }


def _rrset(properties: Properties) -> Json:
    return {key: properties[key] for key in ("name", "type", "rrdatas")} | {"ttl": properties.get("ttl", 0)}


def _canonical(rdtype: Any, record: str) -> str:
    if rdtype == "AAAA":
        try:
            return str(ip_address(record))
        except ValueError:
            return record
    if rdtype in ("MX", "DS"):
        return record.lower()
    return record.strip('"').lower() if rdtype == "TXT" else record
