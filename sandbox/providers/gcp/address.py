"""`gcp:compute/address:Address`, external ones of a region only."""

from __future__ import annotations

from urllib.parse import quote

from sandbox.providers.gcp.api import Json
from sandbox.providers.gcp.resource import Resource


class Address(Resource):
    """A reserved address: the one that the program names, as when an address in use is promoted."""

    kind = "Address"
    required = ("address", "addressType", "name", "region")
    optional = ("description", "project")
    replacing = frozenset({*required, *optional})
    computed = ("creationTimestamp", "networkTier", "selfLink", "users")
    id_format = "projects/{project}/regions/{region}/addresses/{name}"

    def insert(self, inputs: Json) -> None:
        """Reserve the address."""
        body = {key: inputs.get(key) for key in ("name", "address", "addressType", "description")}
        self.api.call("compute", "POST", _addresses(inputs), body)

    def get(self, state: Json) -> Json:
        """Return the address that has the name."""
        state = state | {"project": self.api.project(state)}
        live = self.api.call("compute", "GET", f"{_addresses(state)}/{quote(state['name'])}")
        outputs = {key: live.get(key) for key in (*self.computed, "address", "addressType", "description", "name")}
        return outputs | {"project": state["project"], "region": state["region"]}

    def remove(self, state: Json) -> None:
        """Release it."""
        self.api.call("compute", "DELETE", f"{_addresses(state)}/{quote(state['name'])}")


def _addresses(properties: Json) -> str:
    return f"projects/{quote(properties['project'])}/regions/{quote(properties['region'])}/addresses"
