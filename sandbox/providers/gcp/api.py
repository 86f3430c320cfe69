"""A client of the Google APIs that the resources need, and the provider's settings."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

import urllib3

from sandbox.providers.rpc import ProviderError

Json = dict[str, Any]

_TIMEOUT: Final = 30.0  # seconds, for one request
_SERVICES: Final = {
    "compute": "Compute Engine",
    "container": "Kubernetes Engine",
    "dns": "Cloud DNS",
    "iam": "IAM",
    "resourceManager": "Resource Manager",
}
"""Names of the services, by the first word of their keys in the configuration."""


class GoogleError(ProviderError):
    """An answer of the API that is an error, in the words of the Go client."""


class NotFoundError(GoogleError):
    """The API answered that something does not exist."""


class GoogleCloud:
    """The calls that the resources need.

    Raises:
        GoogleError: The API refused the request.
        ProviderError: It could not be asked.
    """

    def __init__(self, config: Mapping[str, str]) -> None:
        self._config = config
        self._http = urllib3.PoolManager(timeout=_TIMEOUT, retries=False)

    def project(self, properties: Mapping[str, Any]) -> str:
        """Return the project of a resource: its own, or the provider's."""
        project = properties.get("project") or self._config.get("project")
        if not project:
            raise ProviderError("Failed to retrieve project, pid: , err: project: required field is not set")
        return str(project)

    def zone(self, project: str, zone: str) -> Json:
        """Return a managed zone."""
        return self._dns("GET", project, zone)

    def record_sets(self, project: str, zone: str, **query: str) -> list[Json]:
        """Return the record sets of a zone that have this `name` and `type`, or all."""
        record_sets: list[Json] = []
        token: dict[str, str] = {}
        while True:
            page = self._dns("GET", project, zone, "/rrsets", query=query | token)
            record_sets += page.get("rrsets", [])
            if not page.get("nextPageToken"):
                return record_sets
            token = {"pageToken": page["nextPageToken"]}

    def change(self, project: str, zone: str, *, additions: list[Json], deletions: list[Json]) -> None:
        """Make a change, which the sandbox's Cloud DNS has done when it answers."""
        self._dns("POST", project, zone, "/changes", {"additions": additions, "deletions": deletions})

    def zone_policy(self, project: str, zone: str) -> Json:
        """Return a managed zone's IAM policy."""
        return self._dns("POST", project, zone, ":getIamPolicy", {})

    def set_zone_policy(self, project: str, zone: str, policy: Json) -> None:
        """Replace a managed zone's IAM policy."""
        self._dns("POST", project, zone, ":setIamPolicy", {"policy": policy})

    def _dns(self, method: str, project: str, zone: str, path: str = "", body: Any = None, query: Any = None) -> Json:
        zone_path = f"projects/{quote(project)}/managedZones/{quote(zone, safe='')}"
        return self.call("dns", method, zone_path + path, body, query)

    def call(self, service: str, method: str, path: str, body: Json | None = None, query: Any = None) -> Json:
        """Call a service of `_SERVICES`, at a quoted path below its endpoint."""
        endpoint = self._config.get(f"{service}CustomEndpoint", "").rstrip("/")
        if not endpoint:
            raise ProviderError(
                f"gcp:{service}CustomEndpoint is not set. This is the sandbox's stand-in of the gcp provider, which "
                f"does not talk to Google Cloud: set it to the sandbox's {_SERVICES[service]}, or install the real "
                "plugin with `pulumi plugin install resource gcp`"
            )
        headers = {"Authorization": f"Bearer {self._config.get('accessToken') or 'stand-in'}"}
        content = {"fields": query} if body is None else {"json": body}
        try:
            response = self._http.request(method, f"{endpoint}/{path}", headers=headers, **content)
        except urllib3.exceptions.HTTPError as error:
            reason = str(error).rpartition(": ")[2]
            raise ProviderError(f"cannot reach {_SERVICES[service]} at {endpoint}/: {reason}") from None
        text = response.data.decode(errors="replace")
        if response.status >= 400:
            raise (NotFoundError if response.status == 404 else GoogleError)(_reason(response.status, text))
        answer: Json = json.loads(text) if text else {}
        return answer


def _reason(code: int, body: str) -> str:
    try:
        error = json.loads(body)["error"]
        return f"googleapi: Error {code}: {error['message']}, {error['errors'][0]['reason']}"
    except (ValueError, LookupError, TypeError):
        return f"googleapi: got HTTP response code {code} with body: {body}"
