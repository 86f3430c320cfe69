"""The operations on resources of Google Cloud, but for the calls that differ from type to type."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

from sandbox.providers import diff
from sandbox.providers.gcp.api import GoogleCloud, Json, NotFoundError
from sandbox.providers.rpc import ProviderError, ResourceType, pb
from sandbox.providers.values import UNKNOWN, Properties, Unknown, contains, mask, reveal

_DEFAULTS = "__defaults"
"""The input in which the real provider keeps which inputs it has chosen itself: here, none."""


class Resource(ResourceType):
    """A resource type.

    Attributes:
        kind: Name of the type.
        required: Inputs that must be set.
        optional: Inputs that may be set.
        replacing: Inputs that cannot change without a replacement.
        computed: Outputs that the API chooses, beside the id.
        id_format: The id, with the properties that are part of it in braces.
    """

    kind: str
    required: tuple[str, ...]
    optional: tuple[str, ...]
    replacing: frozenset[str]
    computed: tuple[str, ...] = ()
    id_format: str

    def __init__(self, api: GoogleCloud) -> None:
        self.api = api

    @abstractmethod
    def insert(self, inputs: Json) -> None:
        """Create the resource; the project is among the inputs."""

    @abstractmethod
    def get(self, state: Json) -> Json:
        """Return the outputs but the id.

        Raises:
            NotFoundError: There is no such resource.
        """

    @abstractmethod
    def remove(self, state: Json) -> None:
        """Delete the resource.

        Raises:
            NotFoundError: There is no such resource.
        """

    def change(self, _old: Json, _inputs: Json) -> None:
        """Change the resource in place; nothing to do where every input replaces it."""

    def same(self, _key: str, old: Any, new: Any, _inputs: Json) -> bool:
        """Say whether two values of an input mean the same."""
        return bool(old == new)

    def check(self, _urn: str, _old: Properties, inputs: Properties) -> tuple[Properties, dict[str, str]]:
        """Refuse inputs that are missing, and those that the stand-in does not have."""
        known = {key: value for key, value in inputs.items() if value is not None}
        problems = {
            key: f'Missing required argument. The argument "{key}" is required, but no definition was found.'
            for key in self.required
            if key not in known
        }
        for key in known.keys() - {*self.required, *self.optional, _DEFAULTS}:
            problems[key] = f"The sandbox's stand-in of the gcp provider does not have this input of {self.kind}."
        return known | {_DEFAULTS: []}, problems

    def diff(self, state: Properties, inputs: Properties) -> pb.DiffResponse:
        """Compare the new inputs with the state."""
        old, wanted = reveal(state), reveal(inputs)
        planned = self._planned(wanted, old)
        changed = [
            key
            for key in self._inputs
            if (old.get(key) or planned[key]) and not self.same(key, old.get(key), planned[key], wanted)
        ]
        before, after = ({key: values.get(key) for key in changed} for values in (old, planned))
        return diff.response(diff.changes(before, after, self.replacing))

    def create(self, _urn: str, inputs: Properties, _seconds: float, *, preview: bool) -> tuple[str, Properties]:
        """Create the resource; a preview says what is known beforehand."""
        wanted = reveal(inputs)
        if preview:
            return "", mask(self._planned(wanted, {}), inputs)
        wanted["project"] = self.api.project(wanted)
        try:
            self.insert(wanted)
            outputs = self._read(wanted)
        except ProviderError as error:
            raise ProviderError(f"Error creating {self.kind}: {error}") from None
        return outputs["id"], mask(outputs, inputs)

    def read(
        self, _urn: str, resource_id: str, state: Properties, inputs: Properties
    ) -> tuple[Properties, Properties] | None:
        """Read the resource."""
        old = reveal(state)
        if not all(old.get(key) for key in self.required):
            old = old | self._parse_id(resource_id)
        try:
            outputs = self._read(old)
        except NotFoundError:
            return None
        names = [name for name in self._inputs if name in inputs] if inputs else self._inputs
        live = {name: outputs[name] for name in names if outputs.get(name)}
        return mask(outputs, inputs), mask(live | {_DEFAULTS: []}, inputs)

    def update(self, _urn: str, state: Properties, inputs: Properties, _seconds: float, *, preview: bool) -> Properties:
        """Change the resource in place."""
        old, wanted = reveal(state), reveal(inputs)
        if preview:
            return mask(self._planned(wanted, old), inputs)
        wanted["project"] = self.api.project(wanted)
        try:
            self.change(old, wanted)
            return mask(self._read(wanted), inputs)
        except ProviderError as error:
            raise ProviderError(f"Error changing {self.kind}: {error}") from None

    def delete(self, _urn: str, state: Properties, _seconds: float) -> None:
        """Delete the resource."""
        try:
            self.remove(reveal(state))
        except NotFoundError:
            pass
        except ProviderError as error:
            raise ProviderError(f"Error deleting {self.kind}: {error}") from None

    @property
    def _inputs(self) -> tuple[str, ...]:
        return (*self.required, *self.optional)

    def _planned(self, inputs: Json, old: Json) -> Json:
        """Return the outputs to expect, with `UNKNOWN` for what only the API can tell."""
        outputs = {key: inputs.get(key) for key in self._inputs}
        outputs |= {key: old.get(key, UNKNOWN) for key in self.computed}
        outputs["project"] = outputs["project"] or self.api.project(inputs)
        named = [outputs.get(key) for key in _parts(self.id_format)]
        return outputs | {"id": UNKNOWN if not old or contains(named, Unknown) else self.id(outputs)}

    def _read(self, state: Json) -> Json:
        outputs = self.get(state)
        return outputs | {"id": self.id(outputs)}

    def id(self, state: Mapping[str, Any]) -> str:
        """Return the id of the resource that has these outputs."""
        return self.id_format.format_map(state)

    def _parse_id(self, resource_id: str) -> Json:
        """Return the properties in an id to import."""
        pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", self.id_format)
        if match := re.fullmatch(pattern, resource_id):
            return match.groupdict()
        raise ProviderError(f'Import id "{resource_id}" does not have the form {self.id_format}')


def _parts(id_format: str) -> list[str]:
    return re.findall(r"\{(\w+)\}", id_format)
