"""`gcp:container/getCluster:getCluster`: how a cluster is reached, and whether it is an Autopilot.

Blocks are lists of at most one, as Terraform's are. What the real provider returns besides is left out.
"""

from __future__ import annotations

from sandbox.providers.gcp.api import CloudDns, GoogleError, Json
from sandbox.providers.gcp.resource import Properties
from sandbox.providers.rpc import ProviderError


def lookup(api: CloudDns, arguments: Properties) -> Json:
    """Return a cluster by its name and location."""
    project, location, name = api.project(arguments), arguments.get("location"), arguments["name"]
    if not location:
        raise ProviderError("Cannot determine location: set location in this data source or at provider-level")
    path = f"projects/{project}/locations/{location}/clusters/{name}"
    try:
        found = api.cluster(path)
    except GoogleError as error:
        if error.code == 404:
            raise ProviderError(f"{path} not found") from None
        raise
    authority = found.get("masterAuth") or {}
    client = {"clientCertificate": authority.get("clientCertificate", ""), "clientKey": authority.get("clientKey", "")}
    return {
        "id": path,
        "name": found["name"],
        "location": found["location"],
        "project": project,
        "endpoint": found.get("endpoint", ""),
        "selfLink": found["selfLink"],
        "enableAutopilot": (found.get("autopilot") or {}).get("enabled", False),
        "masterAuths": [
            {
                **client,
                "clientCertificateConfigs": [{"issueClientCertificate": bool(client["clientCertificate"])}],
                "clusterCaCertificate": authority.get("clusterCaCertificate", ""),
            }
        ],
        "controlPlaneEndpointsConfigs": _endpoints(found.get("controlPlaneEndpointsConfig")),
        "privateClusterConfigs": _private(found),
        "workloadIdentityConfigs": [each for each in [found.get("workloadIdentityConfig")] if each],
    }


def _endpoints(found: Json | None) -> list[Json]:
    if found is None:
        return []
    by_dns, by_ip = found.get("dnsEndpointConfig"), found.get("ipEndpointsConfig")
    # The API leaves out what is false.
    flags = ("allowExternalTraffic", "enableK8sTokensViaDns", "enableK8sCertsViaDns")
    dns = by_dns and {"endpoint": by_dns.get("endpoint", ""), **{flag: by_dns.get(flag, False) for flag in flags}}
    return [
        {
            "dnsEndpointConfigs": [dns] if dns else [],
            "ipEndpointsConfigs": [] if by_ip is None else [{"enabled": by_ip.get("enabled", False)}],
        }
    ]


def _private(cluster: Json) -> list[Json]:
    """Return the block that holds most of what the API has of endpoints by address, by its former names."""
    by_ip = (cluster.get("controlPlaneEndpointsConfig") or {}).get("ipEndpointsConfig")
    private = cluster.get("privateClusterConfig") or {}
    if by_ip is None and not private:
        return []
    by_ip = by_ip or {}
    return [
        {
            "enablePrivateEndpoint": not by_ip.get("enablePublicEndpoint", False),
            "enablePrivateNodes": (cluster.get("networkConfig") or {}).get("defaultEnablePrivateNodes", False),
            "masterGlobalAccessConfigs": [{"enabled": by_ip.get("globalAccess", False)}],
            "masterIpv4CidrBlock": private.get("masterIpv4CidrBlock", ""),
            "peeringName": private.get("peeringName", ""),
            "privateEndpoint": by_ip.get("privateEndpoint", ""),
            "privateEndpointSubnetwork": by_ip.get("privateEndpointSubnetwork", ""),
            "publicEndpoint": by_ip.get("publicEndpoint", ""),
        }
    ]
