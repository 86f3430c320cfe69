"""The functions that look things up, but for record sets.

Blocks are lists of at most one, as Terraform's are. What the real provider returns beyond what this project reads is
left out.
"""

from __future__ import annotations

from urllib.parse import quote

from sandbox.providers.gcp.api import GoogleCloud, Json, NotFoundError
from sandbox.providers.rpc import ProviderError
from sandbox.providers.values import Properties


def managed_zone(api: GoogleCloud, arguments: Properties) -> Json:
    """Return a managed zone, `gcp:dns/getManagedZone:getManagedZone`."""
    project = api.project(arguments)
    zone = api.zone(project, arguments["name"])
    outputs = {key: zone[key] for key in ("description", "dnsName", "name", "nameServers", "visibility")}
    zone_id = f"projects/{project}/managedZones/{zone['name']}"
    return outputs | {"managedZoneId": zone["id"], "project": project, "id": zone_id}


def project(api: GoogleCloud, arguments: Properties) -> Json:
    """Return a project with its number, `gcp:organizations/getProject:getProject`."""
    name = str(arguments.get("projectId") or api.project({}))
    live = api.call("resourceManager", "GET", f"projects/{quote(name)}")
    outputs = {"projectId": live["projectId"], "number": live["projectNumber"], "name": live["name"]}
    return outputs | {"id": f"projects/{live['projectId']}"}


def cluster(api: GoogleCloud, arguments: Properties) -> Json:
    """Return a cluster's endpoints and whether it is an Autopilot, `gcp:container/getCluster:getCluster`."""
    project, location, name = api.project(arguments), arguments.get("location"), arguments["name"]
    if not location:
        raise ProviderError("Cannot determine location: set location in this data source or at provider-level")
    path = f"projects/{project}/locations/{location}/clusters/{name}"
    try:
        live = api.call("container", "GET", quote(path))
    except NotFoundError:
        raise ProviderError(f"{path} not found") from None
    endpoints = live.get("controlPlaneEndpointsConfig") or {}
    by_dns, by_ip = endpoints.get("dnsEndpointConfig"), endpoints.get("ipEndpointsConfig")
    dns = by_dns and {
        "endpoint": by_dns.get("endpoint", ""),
        # The API leaves out what is false.
        "allowExternalTraffic": by_dns.get("allowExternalTraffic", False),
    }
    blocks = {
        "dnsEndpointConfigs": [dns] if dns else [],
        "ipEndpointsConfigs": [] if by_ip is None else [{"enabled": by_ip.get("enabled", False)}],
    }
    private = {"enablePrivateEndpoint": not (by_ip or {}).get("enablePublicEndpoint", False)}
    return {
        "id": path,
        "name": live["name"],
        "location": live["location"],
        "project": project,
        "endpoint": live.get("endpoint", ""),
        "selfLink": live["selfLink"],
        "enableAutopilot": (live.get("autopilot") or {}).get("enabled", False),
        "masterAuths": [{"clusterCaCertificate": (live.get("masterAuth") or {}).get("clusterCaCertificate", "")}],
        "controlPlaneEndpointsConfigs": [blocks] if endpoints else [],
        "privateClusterConfigs": [] if by_ip is None else [private],
    }
