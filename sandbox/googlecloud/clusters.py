"""Clusters of Kubernetes Engine v1, each of which is the sandbox's own by the endpoints that it says it has.

https://cloud.google.com/kubernetes-engine/docs/reference/rest/v1/projects.locations.clusters

What is asked for is kept, and nothing is made: every public endpoint is the sandbox's API server, and a private one is
an address at which nobody answers. `allowExternalTraffic` closes nothing. Operations are done when they are answered.
"""

from __future__ import annotations

import base64
import hashlib
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flask import Flask, request

from sandbox.googlecloud.errors import ApiError, invalid, required
from sandbox.googlecloud.iam import PROJECT_NUMBER
from sandbox.googlecloud.static import StaticZone

Json = dict[str, Any]

_LOCATION = "/v1/projects/<project>/locations/<location>"
_CLUSTER = f"{_LOCATION}/clusters/<name>"
_NAME = re.compile(r"[a-z]([-a-z0-9]{0,38}[a-z0-9])?")
_ZONE = re.compile(r"-[a-z]$")
"""What the name of a zone has after that of its region."""


@dataclass(frozen=True)
class ControlPlane:
    """The API server that every cluster has."""

    address: str
    """Where it answers on port 443: the public endpoint by address, and what the one by DNS resolves to."""
    private: str
    """The private endpoint."""
    region: str
    """Of the names of DNS endpoints, which its certificate is for."""
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
        dns = (each["controlPlaneEndpointsConfig"]["dnsEndpointConfig"] for each in self._clusters.values())
        return [StaticZone.host(f"{each['endpoint']}.", [self._control_plane.address]) for each in dns]

    def get(self, location: str, name: str) -> Json:
        """Return a cluster.

        Raises:
            ApiError: there is none.
        """
        path = self._path(location, name)
        found = self._clusters.get(path)
        if found is None:
            raise ApiError(404, "notFound", f"Not found: {path}.")
        return found

    def create(self, location: str, cluster: Mapping[str, Any]) -> None:
        """Make a cluster as its body asks for it.

        Raises:
            ApiError: its name is taken or not valid, or its region is another than the sandbox's.
        """
        name = cluster.get("name")
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise required("cluster.name") if name is None else invalid("cluster.name", name)
        region = _ZONE.sub("", location)
        if region != self._control_plane.region:
            raise ApiError(400, "badRequest", f"The sandbox has the region {self._control_plane.region} alone.")
        path = self._path(location, name)
        uid = hashlib.sha256(path.encode()).hexdigest()[:32]
        made: Json = {
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
            self._put(path, made, cluster.get("controlPlaneEndpointsConfig") or {})

    def update(self, location: str, name: str, update: Mapping[str, Any]) -> None:
        """Change a cluster's endpoints, as `gcloud container clusters update --enable-dns-access` does.

        Raises:
            ApiError: there is none, or something else is to change.
        """
        others = set(update) - {"desiredControlPlaneEndpointsConfig"}
        if others or not update:
            raise invalid("update", ", ".join(sorted(others)))
        with self._lock:
            found = self.get(location, name)
            self._put(self._path(location, name), found, update["desiredControlPlaneEndpointsConfig"])

    def delete(self, location: str, name: str) -> None:
        """Forget a cluster.

        Raises:
            ApiError: there is none.
        """
        with self._lock:
            gone = self.get(location, name)
            self._clusters = {path: each for path, each in self._clusters.items() if each is not gone}

    def _put(self, path: str, cluster: Json, wanted: Mapping[str, Any]) -> None:
        """Keep a cluster with the endpoints that are asked for; the outputs of the API follow from them."""
        endpoints = {
            kind: {**now, **(wanted.get(kind) or {})} for kind, now in cluster["controlPlaneEndpointsConfig"].items()
        }
        by_ip = endpoints["ipEndpointsConfig"]
        public = by_ip["enabled"] and by_ip["enablePublicEndpoint"]
        addresses = {"privateEndpoint": self._control_plane.private} if by_ip["enabled"] else {}
        addresses |= {"publicEndpoint": self._control_plane.address} if public else {}
        kept = {key: value for key, value in by_ip.items() if key not in ("privateEndpoint", "publicEndpoint")}
        endpoints["ipEndpointsConfig"] = kept | addresses
        self._clusters = {
            **self._clusters,
            path: cluster
            | {
                "controlPlaneEndpointsConfig": endpoints,
                "endpoint": addresses.get("publicEndpoint") or addresses.get("privateEndpoint", ""),
                "privateClusterConfig": {"enablePrivateEndpoint": not by_ip["enablePublicEndpoint"], **addresses},
            },
        }

    def _path(self, location: str, name: str) -> str:
        return f"projects/{self.project}/locations/{location}/clusters/{name}"


def add_clusters(app: Flask, clusters: Clusters) -> None:
    """Serve the clusters."""

    @app.get(_CLUSTER)
    def get_cluster(location: str, name: str) -> Json:
        return clusters.get(location, name)

    @app.post(f"{_LOCATION}/clusters")
    def create_cluster(location: str) -> Json:
        clusters.create(location, _body("cluster"))
        return _operation("CREATE_CLUSTER")

    @app.put(_CLUSTER)
    def update_cluster(location: str, name: str) -> Json:
        clusters.update(location, name, _body("update"))
        return _operation("UPDATE_CLUSTER")

    @app.delete(_CLUSTER)
    def delete_cluster(location: str, name: str) -> Json:
        clusters.delete(location, name)
        return _operation("DELETE_CLUSTER")


def _body(field: str) -> Json:
    body = request.get_json(force=True, silent=True)
    found = body.get(field) if isinstance(body, dict) else None
    if not isinstance(found, dict):
        raise required(field)
    return found


def _operation(kind: str) -> Json:
    return {"name": "operation-1", "operationType": kind, "status": "DONE"}
