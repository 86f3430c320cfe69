"""A client of the Cloud DNS API, and the provider's settings."""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

import urllib3

from sandbox.providers.rpc import ProviderError

Json = dict[str, Any]

_TIMEOUT: Final = 30.0  # seconds, for one request
_CHANGE_TIMEOUT: Final = 600  # seconds until a change is done, as the real provider waits
_PROJECT_VARIABLES: Final = (
    "GOOGLE_PROJECT",
    "GOOGLE_CLOUD_PROJECT",
    "GCLOUD_PROJECT",
    "CLOUDSDK_CORE_PROJECT",
)


class GoogleError(ProviderError):
    """An answer of the API that is an error, in the words of its Go client.

    Attributes:
        code: The HTTP status.
    """

    def __init__(self, code: int, body: str) -> None:
        self.code = code
        try:
            error = json.loads(body)["error"]
            text = f"{error['message']}, {error['errors'][0]['reason']}"
        except (ValueError, LookupError, TypeError):
            text = f"got HTTP response code {code} with body: {body}"
            super().__init__(f"googleapi: {text}")
        else:
            super().__init__(f"googleapi: Error {code}: {text}")


@dataclass(frozen=True)
class Settings:
    """The part of the provider's configuration that has an effect here.

    Attributes:
        project: Project of resources that name none; may be empty.
        endpoint: Base URL of Cloud DNS, with a final slash.
        iam_endpoint: Base URL of IAM, likewise.
        projects_endpoint: Base URL of the Resource Manager, likewise.
        compute: That of Compute Engine.
        container: That of Kubernetes Engine.
        deletion_policy: Policy of resources that name none.
    """

    project: str
    endpoint: str
    token: str
    iam_endpoint: str
    projects_endpoint: str
    deletion_policy: str
    compute: str = ""
    container: str = ""

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> Settings:
        """Read the configuration, and what the real provider takes from the environment."""
        project = config.get("project") or next(filter(None, map(os.environ.get, _PROJECT_VARIABLES)), "")

        return cls(
            project=str(project),
            endpoint=_endpoint(config, "dns"),
            iam_endpoint=_endpoint(config, "iam"),
            projects_endpoint=_endpoint(config, "resourceManager"),
            compute=_endpoint(config, "compute"),
            container=_endpoint(config, "container"),
            token=str(config.get("accessToken") or "stand-in"),
            deletion_policy=str(config.get("deletionPolicy") or "DELETE"),
        )


def _endpoint(config: Mapping[str, Any], service: str) -> str:
    given = config.get(f"{service}CustomEndpoint")
    words = re.sub("([A-Z])", r"_\1", service).upper()
    endpoint = str(given or os.environ.get(f"GOOGLE_{words}_CUSTOM_ENDPOINT", ""))
    return endpoint if endpoint.endswith("/") or not endpoint else f"{endpoint}/"


class CloudDns:
    """The calls that the resources need.

    Raises:
        GoogleError: The API refused the request.
        ProviderError: It could not be asked, or a change did not get done.
    """

    def __init__(self, settings: Settings, cancelled: threading.Event) -> None:
        self.settings = settings
        self._cancelled = cancelled
        self._http = urllib3.PoolManager(timeout=_TIMEOUT, retries=False)

    def project(self, properties: Mapping[str, Any]) -> str:
        """Return the project of a resource: its own, or the provider's."""
        project = str(properties.get("project") or self.settings.project)
        if not project:
            raise ProviderError("Failed to retrieve project, pid: , err: project: required field is not set")
        return project

    def zone(self, project: str, zone: str) -> Json:
        """Return a managed zone."""
        return self._call("GET", _zone(project, zone))

    def create_zone(self, project: str, body: Json) -> Json:
        """Create a managed zone."""
        return self._call("POST", f"projects/{quote(project)}/managedZones", body)

    def patch_zone(self, project: str, zone: str, body: Json) -> None:
        """Change a managed zone."""
        self._call("PATCH", _zone(project, zone), body)

    def delete_zone(self, project: str, zone: str) -> None:
        """Delete a managed zone."""
        self._call("DELETE", _zone(project, zone))

    def record_sets(self, project: str, zone: str, **query: str) -> list[Json]:
        """Return the record sets of a zone that have this `name` and `type`, or all."""
        found: list[Json] = []
        token: dict[str, str] = {}
        while True:
            page = self._call("GET", f"{_zone(project, zone)}/rrsets", query=query | token)
            found += page.get("rrsets", [])
            if not page.get("nextPageToken"):
                return found
            token = {"pageToken": page["nextPageToken"]}

    def change(self, project: str, zone: str, *, additions: list[Json], deletions: list[Json]) -> None:
        """Make a change, and return when it is done."""
        path = f"{_zone(project, zone)}/changes"
        change = self._call("POST", path, {"additions": additions, "deletions": deletions})
        for _ in range(_CHANGE_TIMEOUT):
            change = self._call("GET", f"{path}/{change['id']}")
            if change["status"] == "done":
                return
            if self._cancelled.wait(1):
                raise ProviderError(f"cancelled while change {change['id']} of zone {zone!r} is pending")
        raise ProviderError(
            f"Error waiting for Google DNS change: {change['id']} of zone {zone!r} is still "
            f"{change['status']} after {_CHANGE_TIMEOUT} s"
        )

    def zone_policy(self, project: str, zone: str) -> Json:
        """Return a managed zone's IAM policy."""
        return self._call("POST", f"{_zone(project, zone)}:getIamPolicy", {})

    def set_zone_policy(self, project: str, zone: str, policy: Json) -> Json:
        """Replace a managed zone's IAM policy."""
        return self._call("POST", f"{_zone(project, zone)}:setIamPolicy", {"policy": policy})

    def role(self, method: str, name: str, body: Json | None = None) -> Json:
        """Call IAM about a custom role, `projects/PROJECT/roles/ID`, or about all of a project's."""
        return self._request("IAM", "iam", self.settings.iam_endpoint, method, quote(name, safe="/:"), body)

    def project_of(self, project: str) -> Json:
        """Return a project, as the Resource Manager knows it."""
        endpoint = self.settings.projects_endpoint
        return self._request("Resource Manager", "resourceManager", endpoint, "GET", f"projects/{quote(project)}", None)

    def compute(self, method: str, path: str, body: Json | None = None) -> Json:
        """Call Compute Engine; what changes something answers with an operation."""
        return self._request("Compute Engine", "compute", self.settings.compute, method, path, body)

    def cluster(self, path: str) -> Json:
        """Return a cluster of Kubernetes Engine, by its full name."""
        return self._request("Kubernetes Engine", "container", self.settings.container, "GET", quote(path), None)

    def _call(self, method: str, path: str, body: Json | None = None, query: Mapping[str, str] | None = None) -> Json:
        return self._request("Cloud DNS", "dns", self.settings.endpoint, method, path, body, query)

    def _request(
        self,
        service: str,
        key: str,
        endpoint: str,
        method: str,
        path: str,
        body: Json | None,
        query: Mapping[str, str] | None = None,
    ) -> Json:
        if not endpoint:
            raise ProviderError(
                f"gcp:{key}CustomEndpoint is not set. This is the sandbox's stand-in of the gcp provider, which "
                f"does not talk to Google Cloud: set it to the sandbox's {service}, or install the real plugin "
                "with `pulumi plugin install resource gcp`"
            )
        url = endpoint + path
        headers = {"Authorization": f"Bearer {self.settings.token}"}
        try:
            if body is None:
                response = self._http.request(method, url, fields=query, headers=headers)
            else:
                response = self._http.request(method, url, json=body, headers=headers)
        except urllib3.exceptions.HTTPError as error:
            reason = str(error).rpartition(": ")[2]
            raise ProviderError(f"cannot reach {service} at {endpoint}: {reason}") from None
        if response.status >= 400:
            raise GoogleError(response.status, response.data.decode(errors="replace"))
        answer: Json = json.loads(response.data) if response.data else {}
        return answer


def _zone(project: str, zone: str) -> str:
    return f"projects/{quote(project)}/managedZones/{quote(zone, safe='')}"
