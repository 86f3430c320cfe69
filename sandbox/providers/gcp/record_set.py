"""`gcp:dns/recordSet:RecordSet` and `gcp:dns/getRecordSets:getRecordSets`."""

from __future__ import annotations

from collections import Counter
from ipaddress import ip_address
from typing import Any

from sandbox.providers.gcp.api import GoogleCloud, Json, NotFoundError
from sandbox.providers.gcp.resource import Resource
from sandbox.providers.values import Properties, Unknown, contains

_FIRST_PAGE = 1000
"""Record sets that Cloud DNS lists at once."""

_FIELDS = ("name", "rrdatas", "ttl", "type")


class RecordSet(Resource):
    """A record set.

    As the real provider does, it takes over a record set that exists, and changes even the type in place.
    """

    kind = "DNS RecordSet"
    required = ("managedZone", "name", "type", "rrdatas")
    optional = ("project", "ttl")
    replacing = frozenset({"managedZone", "name", "project"})
    id_format = "projects/{project}/managedZones/{managedZone}/rrsets/{name}/{type}"

    def same(self, key: str, old: Any, new: Any, inputs: Json) -> bool:
        """Compare as the real provider: records without their order, and some without regard to case."""
        if key != "rrdatas" or not isinstance(new, list) or not isinstance(old, list) or contains(new, Unknown):
            return bool(old == new)
        rdtype = inputs["type"]
        before, after = (Counter(_canonical(rdtype, record) for record in records) for records in (old, new))
        return before == after

    def insert(self, inputs: Json) -> None:
        """Create the record set, in place of the one that has its name and type.

        The real provider looks for that one among the first record sets of the zone, and asks for no others.
        """
        project, zone = inputs["project"], inputs["managedZone"]
        current = self.api.record_sets(project, zone, name=inputs["name"], type=inputs["type"])
        if current and current[0] not in self.api.record_sets(project, zone)[:_FIRST_PAGE]:
            current = []
        self.api.change(project, zone, additions=[_record_set(inputs)], deletions=current)

    def get(self, state: Json) -> Json:
        """Return the record set of a zone that has the name and type."""
        project, zone = self.api.project(state), state["managedZone"]
        live = self.api.record_sets(project, zone, name=state["name"], type=state["type"])
        if not live:
            raise NotFoundError(f"DNS Record Set {state['name']!r} does not exist")
        return {key: live[0][key] for key in _FIELDS} | {"managedZone": zone, "project": project}

    def change(self, old: Json, inputs: Json) -> None:
        """Change it from exactly what the state says; the API refuses when it has become something else."""
        additions, deletions = [_record_set(inputs)], [_record_set(old)]
        self.api.change(inputs["project"], inputs["managedZone"], additions=additions, deletions=deletions)

    def remove(self, state: Json) -> None:
        """Delete it."""
        self.api.change(self.api.project(state), state["managedZone"], additions=[], deletions=[_record_set(state)])


def lookup(api: GoogleCloud, arguments: Properties) -> Json:
    """Return the record sets of a zone, all or those of a name and type."""
    project, zone = api.project(arguments), arguments["managedZone"]
    query = {key: arguments[key] for key in ("name", "type") if arguments.get(key)}
    # The API refuses a type without a name.
    record_sets = api.record_sets(project, zone, **(query if "name" in query else {}))
    wanted = [item for item in record_sets if item["type"] == query.get("type", item["type"])]
    return query | {
        "managedZone": zone,
        "project": project,
        "rrsets": [{key: record_set[key] for key in _FIELDS} for record_set in wanted],
        "id": f"projects/{project}/managedZones/{zone}",
    }


def _record_set(properties: Json) -> Json:
    return {key: properties[key] for key in ("name", "type", "rrdatas")} | {"ttl": properties.get("ttl", 0)}


def _canonical(rdtype: Any, record: str) -> str:
    if rdtype == "AAAA":
        try:
            return str(ip_address(record))
        except ValueError:
            return record
    return record.strip('"').lower() if rdtype == "TXT" else record
