"""Clusters of Kubernetes Engine v1: records whose endpoints all lead to the sandbox's own API server.

https://cloud.google.com/kubernetes-engine/docs/reference/rest/v1/projects.locations.clusters

A private endpoint is an address at which nobody answers. `allowExternalTraffic` closes nothing. Operations are done
when they are answered. Only tests make clusters, so the fields of a request are not validated.
"""

import base64
import hashlib
import re
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flask import Flask

from sandbox import google, network
from sandbox.googlecloud.errors import ApiError, json_body
from sandbox.googlecloud.iam import PROJECT_NUMBER
from sandbox.googlecloud.zones import StaticZone

Json = dict[str, Any]

_LOCATION = "/v1/projects/<project>/locations/<location>"
_CLUSTER = f"{_LOCATION}/clusters/<name>"
_ZONE = re.compile(r"-[a-z]$")
"""The suffix that makes the name of a region that of a zone."""


class Clusters:
    """The clusters of one project, in the sandbox's only region; `authority` is the API server's CA, PEM."""

    def __init__(self, project: str, authority: Path) -> None:
        self.project = project
        self._authority = authority
        self._lock = threading.Lock()
        self._clusters: Mapping[str, Json] = {}

    @property
    def hosts(self) -> list[StaticZone]:
        """The names of the DNS endpoints."""
        configs = (cluster["controlPlaneEndpointsConfig"] for cluster in self._clusters.values())
        names = [config["dnsEndpointConfig"]["endpoint"] for config in configs]
        return [StaticZone.host(name, [network.KUBERNETES]) for name in names]

    def add_to(self, app: Flask) -> None:
        """Serve the clusters."""

        @app.get(_CLUSTER)
        def get_cluster(location: str, name: str) -> Json:
            return self._find(self._path(location, name))

        @app.post(f"{_LOCATION}/clusters")
        def create_cluster(location: str) -> Json:
            cluster = json_body("cluster", "cluster")
            created = self._new(location, cluster)
            path = self._path(location, created["name"])
            with self._lock:
                self._put(path, created, cluster.get("controlPlaneEndpointsConfig") or {})
            return _operation("CREATE_CLUSTER")

        @app.put(_CLUSTER)
        def update_cluster(location: str, name: str) -> Json:
            """Change the endpoints, as `gcloud container clusters update --enable-dns-access` does."""
            update, path = json_body("update", "update"), self._path(location, name)
            with self._lock:
                self._put(path, self._find(path), update["desiredControlPlaneEndpointsConfig"])
            return _operation("UPDATE_CLUSTER")

        @app.delete(_CLUSTER)
        def delete_cluster(location: str, name: str) -> Json:
            with self._lock:
                deleted = self._find(self._path(location, name))
                self._clusters = {path: cluster for path, cluster in self._clusters.items() if cluster is not deleted}
            return _operation("DELETE_CLUSTER")

    def _path(self, location: str, name: str) -> str:
        return f"projects/{self.project}/locations/{location}/clusters/{name}"

    def _find(self, path: str) -> Json:
        if path not in self._clusters:
            raise ApiError(404, "notFound", f"Not found: {path}.")
        return self._clusters[path]

    def _new(self, location: str, cluster: Json) -> Json:
        """Return a cluster as it is created, with the default endpoints."""
        name, region = cluster["name"], _ZONE.sub("", location)
        if region != google.REGION:
            raise ApiError(400, "badRequest", f"The sandbox has only the region {google.REGION}.")
        path = self._path(location, name)
        uid = hashlib.sha256(path.encode()).hexdigest()[:32]
        return {
            "name": name,
            "location": location,
            "selfLink": f"https://container.googleapis.com/v1/{path}",
            "status": "RUNNING",
            "masterAuth": {"clusterCaCertificate": base64.b64encode(self._authority.read_bytes()).decode()},
            "autopilot": {"enabled": False, **(cluster.get("autopilot") or {})},
            "workloadIdentityConfig": {"workloadPool": f"{self.project}.svc.id.goog"},
            "controlPlaneEndpointsConfig": {
                "dnsEndpointConfig": {
                    "endpoint": f"gke-{uid}-{PROJECT_NUMBER}.{region}.gke.goog",
                    "allowExternalTraffic": False,
                },
                "ipEndpointsConfig": {"enabled": True, "enablePublicEndpoint": True},
            },
        }

    def _put(self, path: str, cluster: Json, wanted: Mapping[str, Any]) -> None:
        """Store a cluster with the wanted endpoints and the fields that follow from them."""
        current = cluster["controlPlaneEndpointsConfig"]
        endpoints = {kind: {**config, **(wanted.get(kind) or {})} for kind, config in current.items()}
        by_ip = endpoints["ipEndpointsConfig"]
        public = by_ip["enabled"] and by_ip["enablePublicEndpoint"]
        addresses = {"privateEndpoint": google.PRIVATE_ENDPOINT} if by_ip["enabled"] else {}
        addresses |= {"publicEndpoint": network.KUBERNETES} if public else {}
        settings = {key: value for key, value in by_ip.items() if key not in ("privateEndpoint", "publicEndpoint")}
        endpoints["ipEndpointsConfig"] = settings | addresses
        derived = {
            "controlPlaneEndpointsConfig": endpoints,
            "endpoint": addresses.get("publicEndpoint") or addresses.get("privateEndpoint", ""),
            "privateClusterConfig": {"enablePrivateEndpoint": not by_ip["enablePublicEndpoint"], **addresses},
        }
        self._clusters = {**self._clusters, path: cluster | derived}


def _operation(kind: str) -> Json:
    return {"name": "operation-1", "operationType": kind, "status": "DONE"}
