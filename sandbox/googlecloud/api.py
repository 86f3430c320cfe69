"""The emulator's REST API, above all that of Cloud DNS v1 (https://cloud.google.com/dns/docs/reference/rest/v1).

Calls over plain HTTP come from the sandbox itself and need no credentials. Pods call over HTTPS, and may do what the
zone's IAM policy allows (`iam.py`).
"""

import logging
from collections.abc import Sequence
from typing import Any

from flask import Flask, Response, jsonify, request
from werkzeug.exceptions import HTTPException

from sandbox.googlecloud.addresses import add_addresses
from sandbox.googlecloud.errors import ApiError, already_exists, json_body, not_found, required
from sandbox.googlecloud.gke import Clusters
from sandbox.googlecloud.iam import PROJECT_NUMBER, Iam, guard
from sandbox.googlecloud.records import RecordSet, at, parse_name, parse_record_set, parse_type
from sandbox.googlecloud.zones import Change, ManagedZone, Zones

log = logging.getLogger(__name__)

_PROJECT = "/dns/v1/projects/<project>"
_ZONE = f"{_PROJECT}/managedZones/<zone>"
_RRSET = f"{_ZONE}/rrsets/<name>/<rdtype>"
_PAGE = 100


def make_app(zones: Zones, iam: Iam | None = None, clusters: Clusters | None = None) -> Flask:
    """Return the application that serves these zones and clusters."""
    iam = iam or Iam(zones.project)
    app = Flask(__name__)
    app.url_map.merge_slashes = False
    app.json.sort_keys = False  # type: ignore[attr-defined]  # of flask's default provider

    @app.url_value_preprocessor
    def check_project(_endpoint: str | None, values: dict[str, Any] | None) -> None:
        project = (values or {}).pop("project", zones.project)
        if project != zones.project:
            raise ApiError(403, "forbidden", f"The caller does not have permission on project '{project}'")

    @app.errorhandler(ApiError)
    def refuse(error: ApiError) -> tuple[Response, int]:
        log.info("%s %s: %d %s: %s", request.method, request.path, error.code, error.reason, error)
        return jsonify(error.body), error.code

    @app.errorhandler(HTTPException)
    def refuse_http(error: HTTPException) -> tuple[Response, int]:
        return refuse(ApiError(error.code or 500, "notFound" if error.code == 404 else "badRequest", error.name))

    @app.get(_PROJECT)
    def get_project() -> dict[str, Any]:
        return {"kind": "dns#project", "id": zones.project, "number": PROJECT_NUMBER, "quota": {"kind": "dns#quota"}}

    @app.get(f"{_PROJECT}/managedZones")
    def list_zones() -> dict[str, Any]:
        dns_name = request.args.get("dnsName")
        matching = [zone.resource() for zone in zones if dns_name in (None, str(zone.origin))]
        return _page("managedZones", "dns#managedZonesListResponse", matching)

    @app.post(f"{_PROJECT}/managedZones")
    def create_zone() -> dict[str, Any]:
        zone = zones.create(json_body("entity.managedZone"))
        log.info("zone %s (%s) created", zone.name, zone.origin)
        return zone.resource()

    @app.get(_ZONE)
    def get_zone(zone: str) -> dict[str, Any]:
        return zones.get(zone).resource()

    @app.delete(_ZONE)
    def delete_zone(zone: str) -> tuple[str, int]:
        zones.delete(zone)
        log.info("zone %s deleted", zone)
        return "", 204

    _add_record_sets(app, zones)
    _add_changes(app, zones)
    app.register_blueprint(iam.routes())
    guard(app, iam)
    add_addresses(app, zones.project)
    if clusters:
        clusters.add_to(app)
    return app


def _add_record_sets(app: Flask, zones: Zones) -> None:
    @app.get(f"{_ZONE}/rrsets")
    def list_record_sets(zone: str) -> dict[str, Any]:
        name, rdtype = request.args.get("name"), request.args.get("type")
        if rdtype and not name:
            raise required("parameters.name")
        wanted_name = parse_name(name, "parameters.name") if name else None
        wanted_type = parse_type(rdtype, "parameters.type") if rdtype else None
        record_sets = zones.get(zone).record_sets
        candidates = record_sets.values() if wanted_name is None else at(record_sets, wanted_name).values()
        matching = [record_set for record_set in candidates if wanted_type in (None, record_set.type)]
        matching.sort(key=lambda record_set: (record_set.name, record_set.type.name))
        resources = [record_set.resource() for record_set in matching]
        return _page("rrsets", "dns#resourceRecordSetsListResponse", resources)

    @app.post(f"{_ZONE}/rrsets")
    def create_record_set(zone: str) -> dict[str, Any]:
        with zones.lock:
            managed = zones.get(zone)
            record_set = parse_record_set(json_body("entity.rrset"), "entity.rrset", managed.origin)
            if record_set.key in managed.record_sets:
                raise already_exists("entity.rrset", record_set.title)
            return _commit(managed, [record_set], []).additions[0].resource()

    @app.patch(_RRSET)
    def patch_record_set(zone: str, name: str, rdtype: str) -> dict[str, Any]:
        with zones.lock:
            managed = zones.get(zone)
            current = _find(managed, name, rdtype)
            merged = {**current.resource(), **json_body("entity.rrset")}
            record_set = parse_record_set(merged, "entity.rrset", managed.origin)
            return _commit(managed, [record_set], [current]).additions[0].resource()

    @app.delete(_RRSET)
    def delete_record_set(zone: str, name: str, rdtype: str) -> dict[str, Any]:
        with zones.lock:
            managed = zones.get(zone)
            _commit(managed, [], [_find(managed, name, rdtype)])
            return {}


def _add_changes(app: Flask, zones: Zones) -> None:
    @app.post(f"{_ZONE}/changes")
    def create_change(zone: str) -> dict[str, Any]:
        body = json_body("entity.change")
        with zones.lock:
            managed = zones.get(zone)
            additions, deletions = (
                [
                    parse_record_set(item, f"entity.change.{part}[{i}]", managed.origin)
                    for i, item in enumerate(body.get(part) or [])
                ]
                for part in ("additions", "deletions")
            )
            if not additions and not deletions:
                raise required("entity.change")
            return _commit(managed, additions, deletions, "entity.change").resource("pending")

    @app.get(f"{_ZONE}/changes")
    def list_changes(zone: str) -> dict[str, Any]:
        changes = [change.resource("done") for change in zones.get(zone).changes]
        if request.args.get("sortOrder") != "ascending":
            changes.reverse()
        return _page("changes", "dns#changesListResponse", changes)

    @app.get(f"{_ZONE}/changes/<change_id>")
    def get_change(zone: str, change_id: str) -> dict[str, Any]:
        for change in zones.get(zone).changes:
            if change.id == change_id:
                return change.resource("done")
        raise not_found("parameters.changeId", change_id)


def _find(zone: ManagedZone, name: str, rdtype: str) -> RecordSet:
    key = parse_name(name, "parameters.name"), parse_type(rdtype, "parameters.type")
    if key not in zone.record_sets:
        raise not_found("parameters.name", f"{name} ({rdtype})")
    return zone.record_sets[key]


def _commit(
    zone: ManagedZone, additions: Sequence[RecordSet], deletions: Sequence[RecordSet], path: str = "entity.rrset"
) -> Change:
    change = zone.apply(additions, deletions, path)
    for sign, record_sets in (("-", deletions), ("+", additions)):
        for record_set in record_sets:
            data = ", ".join(rdata.to_text() for rdata in record_set.rdatas)
            log.info("%s: %s %s %d %s", zone.name, sign, record_set.title, record_set.ttl, data)
    return change


def _page(field: str, kind: str, items: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the page of a list that `maxResults` and `pageToken` select."""
    start = int(request.args.get("pageToken", 0))
    end = start + int(request.args.get("maxResults", _PAGE))
    page: dict[str, Any] = {"kind": kind, field: items[start:end]}
    if end < len(items):
        page["nextPageToken"] = str(end)
    return page
