"""Clusters of Kubernetes Engine v1: records whose endpoints all lead to the sandbox's own API server.

https://cloud.google.com/kubernetes-engine/docs/reference/rest/v1/projects.locations.clusters

A private endpoint is an address at which nobody answers. `allowExternalTraffic` closes nothing. Operations are done
when they are answered.
"""

import base64
import hashlib
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flask import Flask

from sandbox.googlecloud.errors import ApiError, invalid, json_body, required
from sandbox.googlecloud.iam import PROJECT_NUMBER
from sandbox.googlecloud.zones import StaticZone

Json = dict[str, Any]

_LOCATION = "/v1/projects/<project>/locations/<location>"
_CLUSTER = f"{_LOCATION}/clusters/<name>"
_NAME = re.compile(r"[a-z]([-a-z0-9]{0,38}[a-z0-9])?")
_ZONE = re.compile(r"-[a-z]$")
"""The suffix that makes the name of a region that of a zone."""


@dataclass(frozen=True)
class ControlPlane:
    """The API server behind every cluster."""

    address: str
    """The public endpoint, on port 443, which the DNS endpoint resolves to as well."""
    private: str
    """The private endpoint."""
    region: str
    """The region in the names of DNS endpoints, which the API server's certificate covers."""
    authority: Path
    """The CA of its certificate for addresses, PEM."""


class Clusters:
    """The clusters of one project."""

    def __init__(self, project: str, control_plane: ControlPlane) -> None:
        self.project = project
        self._control_plane = control_plane
        self._lock = threading.Lock()
        self._clusters: Mapping[str, Json] = {}

    @property
    def hosts(self) -> list[StaticZone]:
        """The names of the DNS endpoints."""
        configs = (cluster["controlPlaneEndpointsConfig"] for cluster in self._clusters.values())
        names = [config["dnsEndpointConfig"]["endpoint"] for config in configs]
        return [StaticZone.host(name, [self._control_plane.address]) for name in names]

    def get(self, location: str, name: str) -> Json:
        """Return a cluster.

        Raises:
            ApiError: there is no such cluster.
        """
        path = self._path(location, name)
        if path not in self._clusters:
            raise ApiError(404, "notFound", f"Not found: {path}.")
        return self._clusters[path]

    def create(self, location: str, cluster: Mapping[str, Any]) -> None:
        """Create a cluster.

        Raises:
            ApiError: its name is in use or invalid, or it is not in the sandbox's region.
        """
        name = cluster.get("name")
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise required("cluster.name") if name is None else invalid("cluster.name", name)
        region = _ZONE.sub("", location)
        if region != self._control_plane.region:
            raise ApiError(400, "badRequest", f"The sandbox has only the region {self._control_plane.region}.")
        path = self._path(location, name)
        uid = hashlib.sha256(path.encode()).hexdigest()[:32]
        created: Json = {
            "name": name,
            "location": location,
            "selfLink": f"https://container.googleapis.com/v1/{path}",
            "status": "RUNNING",
            "masterAuth": {
                "clusterCaCertificate": base64.b64encode(self._control_plane.authority.read_bytes()).decode()
            },
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
        with self._lock:
            if path in self._clusters:
                raise ApiError(409, "alreadyExists", f"Already exists: {path}.")
            self._put(path, created, cluster.get("controlPlaneEndpointsConfig") or {})

    def update(self, location: str, name: str, update: Mapping[str, Any]) -> None:
        """Change a cluster's endpoints, as `gcloud container clusters update --enable-dns-access` does.

        Raises:
            ApiError: there is no such cluster, or the update names something else.
        """
        others = set(update) - {"desiredControlPlaneEndpointsConfig"}
        if others or not update:
            raise invalid("update", ", ".join(sorted(others)))
        with self._lock:
            current = self.get(location, name)
            self._put(self._path(location, name), current, update["desiredControlPlaneEndpointsConfig"])

    def delete(self, location: str, name: str) -> None:
        """Delete a cluster.

        Raises:
            ApiError: there is no such cluster.
        """
        with self._lock:
            deleted = self.get(location, name)
            self._clusters = {path: cluster for path, cluster in self._clusters.items() if cluster is not deleted}

    def _put(self, path: str, cluster: Json, wanted: Mapping[str, Any]) -> None:
        """Store a cluster with the wanted endpoints and the fields that follow from them."""
        current = cluster["controlPlaneEndpointsConfig"]
        endpoints = {kind: {**config, **(wanted.get(kind) or {})} for kind, config in current.items()}
        by_ip = endpoints["ipEndpointsConfig"]
        public = by_ip["enabled"] and by_ip["enablePublicEndpoint"]
        addresses = {"privateEndpoint": self._control_plane.private} if by_ip["enabled"] else {}
        addresses |= {"publicEndpoint": self._control_plane.address} if public else {}
        settings = {key: value for key, value in by_ip.items() if key not in ("privateEndpoint", "publicEndpoint")}
        endpoints["ipEndpointsConfig"] = settings | addresses
        derived = {
            "controlPlaneEndpointsConfig": endpoints,
            "endpoint": addresses.get("publicEndpoint") or addresses.get("privateEndpoint", ""),
            "privateClusterConfig": {"enablePrivateEndpoint": not by_ip["enablePublicEndpoint"], **addresses},
        }
        self._clusters = {**self._clusters, path: cluster | derived}

    def _path(self, location: str, name: str) -> str:
        return f"projects/{self.project}/locations/{location}/clusters/{name}"


def add_clusters(app: Flask, clusters: Clusters) -> None:
    """Serve the clusters."""

    @app.get(_CLUSTER)
    def get_cluster(location: str, name: str) -> Json:
        return clusters.get(location, name)

    @app.post(f"{_LOCATION}/clusters")
    def create_cluster(location: str) -> Json:
        clusters.create(location, json_body("cluster", "cluster"))
        return _operation("CREATE_CLUSTER")

    @app.put(_CLUSTER)
    def update_cluster(location: str, name: str) -> Json:
        clusters.update(location, name, json_body("update", "update"))
        return _operation("UPDATE_CLUSTER")

    @app.delete(_CLUSTER)
    def delete_cluster(location: str, name: str) -> Json:
        clusters.delete(location, name)
        return _operation("DELETE_CLUSTER")


def _operation(kind: str) -> Json:
    return {"name": "operation-1", "operationType": kind, "status": "DONE"}
