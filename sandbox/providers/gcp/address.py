"""`gcp:compute/address:Address`, external ones of a region only."""

from __future__ import annotations

from typing import Any, ClassVar, Final
from urllib.parse import quote

from sandbox.providers.gcp.api import CloudDns, GoogleError, Json
from sandbox.providers.gcp.resource import NotFoundError, Problem, Properties, Resource, known
from sandbox.providers.rpc import ProviderError
from sandbox.providers.values import UNKNOWN, Secret, Unknown, contains, reveal

_ATTRIBUTION: Final = {"goog-pulumi-provisioned": "true"}
_COMPUTED: Final = ("creationTimestamp", "id", "labelFingerprint", "networkTier", "selfLink", "users")


class Address(Resource):
    """A reserved address: the one that is asked for, as when an address in use is promoted."""

    required = ()
    optional = ("address", "addressType", "deletionPolicy", "description", "labels", "name", "project", "region")
    replacing = frozenset({"address", "addressType", "description", "name", "project", "region"})
    ids = (
        r"projects/(?P<project>[^/]+)/regions/(?P<region>[^/]+)/addresses/(?P<name>[^/]+)",
        r"(?P<project>[^/]+)/(?P<region>[^/]+)/(?P<name>[^/]+)",
        r"(?P<region>[^/]+)/(?P<name>[^/]+)",
    )
    defaults: ClassVar[Json] = {"addressType": "EXTERNAL"}
    autonamed = True

    def check(self, inputs: Properties) -> list[Problem]:
        """Require what the sandbox has: an external address of a region that the program names."""
        problems = []
        if known(inputs["addressType"]) and inputs["addressType"] != "EXTERNAL":
            reason = "The sandbox's stand-in of the gcp provider has external addresses only."
            problems.append(Problem("addressType", reason))
        for name in ("address", "region"):
            if inputs.get(name) is None:
                reason = "The sandbox's stand-in of the gcp provider chooses none, so it has to be given."
                problems.append(Problem(name, reason))
        return problems

    def planned(self, api: CloudDns, inputs: Properties, old: Properties) -> Json:
        """Return the outputs to expect; what the API chooses is unknown until the address exists."""
        outputs = {key: inputs.get(key) for key in self.inputs} | {key: old.get(key, UNKNOWN) for key in _COMPUTED}
        project = inputs.get("project")
        outputs["project"] = UNKNOWN if isinstance(project, Unknown) else api.project(inputs)
        return outputs | _policies(api, inputs)

    def id(self, state: Properties) -> str:
        """Return the canonical id."""
        return "projects/{project}/regions/{region}/addresses/{name}".format_map(state)

    def create(self, api: CloudDns, inputs: Properties) -> Json:
        """Reserve the address; its labels follow, since they cannot be set at once."""
        body = {key: inputs.get(key) for key in ("name", "address", "addressType", "description")}
        try:
            _done(api, inputs, "POST", "addresses", body)
            self._label(api, inputs)
        except GoogleError as error:
            raise ProviderError(f"Error creating Address: {error}") from None
        return self.read(api, inputs)

    def read(self, api: CloudDns, state: Properties) -> Json:
        """Read it by its name."""
        try:
            found = api.compute("GET", _path(api, state, f"addresses/{quote(state['name'])}"))
        except GoogleError as error:
            if error.code == 404:
                raise NotFoundError(str(error)) from None
            raise
        outputs = {key: found.get(key) for key in (*_COMPUTED, "address", "addressType", "description", "name")}
        outputs |= {"project": api.project(state), "region": found["region"].rpartition("/")[2]}
        labels = reveal(state.get("labels")) or {}
        outputs["labels"] = {key: value for key, value in found.get("labels", {}).items() if key in labels}
        return outputs | _policies(api, state) | {"id": self.id(outputs)}

    def update(self, api: CloudDns, _old: Properties, inputs: Properties) -> Json:
        """Change its labels."""
        try:
            self._label(api, inputs)
        except GoogleError as error:
            raise ProviderError(f"Error updating Address: {error}") from None
        return self.read(api, inputs)

    def delete(self, api: CloudDns, state: Properties) -> None:
        """Release it."""
        try:
            _done(api, state, "DELETE", f"addresses/{quote(state['name'])}")
        except GoogleError as error:
            if error.code != 404:
                raise ProviderError(f"Error deleting Address: {error}") from None

    def _label(self, api: CloudDns, inputs: Properties) -> None:
        path = f"addresses/{quote(inputs['name'])}"
        found = api.compute("GET", _path(api, inputs, path))
        body = {"labels": _labels(inputs), "labelFingerprint": found["labelFingerprint"]}
        _done(api, inputs, "POST", f"{path}/setLabels", body)


def _done(api: CloudDns, properties: Properties, method: str, path: str, body: Json | None = None) -> None:
    """Make a change, which the sandbox does at once."""
    operation = api.compute(method, _path(api, properties, path), body)
    if operation["status"] != "DONE":
        raise ProviderError(f"operation {operation['name']} is {operation['status']}")


def _path(api: CloudDns, properties: Properties, path: str) -> str:
    return f"projects/{quote(api.project(properties))}/regions/{quote(properties['region'])}/{path}"


def _labels(properties: Properties) -> Json:
    return _ATTRIBUTION | (reveal(properties.get("labels")) or {})


def _policies(api: CloudDns, properties: Properties) -> Json:
    labels: Any = UNKNOWN if contains(properties.get("labels"), Unknown) else Secret(_labels(properties))
    policy = properties.get("deletionPolicy") or api.settings.deletion_policy
    return {"deletionPolicy": policy, "effectiveLabels": labels, "pulumiLabels": labels}
