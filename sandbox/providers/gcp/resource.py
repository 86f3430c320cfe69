"""What the provider's operations need to know of a resource type."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from sandbox.providers.gcp.api import CloudDns, Json
from sandbox.providers.rpc import ProviderError
from sandbox.providers.values import Unknown

Properties = Mapping[str, Any]


class NotFoundError(ProviderError):
    """The resource does not exist (any more)."""


@dataclass(frozen=True)
class Problem:
    """An input that is not valid: which, and what is wrong with it."""

    property: str
    reason: str


class Resource(ABC):
    """A resource type.

    Attributes:
        required: Inputs that must be given.
        optional: Inputs that may be given.
        replacing: Inputs that cannot change without a replacement.
        ids: Patterns of the ids that an import takes, the canonical one first.
        defaults: Inputs that Terraform's schema gives a value when the program does not.
        autonamed: Whether a resource without a `name` gets one.
    """

    required: tuple[str, ...]
    optional: tuple[str, ...]
    replacing: frozenset[str]
    ids: tuple[str, ...]
    defaults: ClassVar[Json] = {}
    autonamed = False

    @property
    def inputs(self) -> tuple[str, ...]:
        """All inputs."""
        return (*self.required, *self.optional)

    @abstractmethod
    def check(self, inputs: Properties) -> list[Problem]:
        """Return what is wrong with the inputs."""

    @abstractmethod
    def planned(self, api: CloudDns, inputs: Properties, old: Properties) -> Json:
        """Return the outputs to expect, with `UNKNOWN` for what only the API can tell."""

    def same(self, _key: str, old: Any, new: Any, _inputs: Properties) -> bool:
        """Say whether two values of a property mean the same."""
        return bool(old == new)

    @abstractmethod
    def id(self, state: Properties) -> str:
        """Return the id of what has these outputs."""

    def parse_id(self, api: CloudDns, resource_id: str) -> Json:
        """Return the properties that an id to import holds; the provider's project, where it holds none."""
        for pattern in self.ids:
            if match := re.fullmatch(pattern, resource_id):
                found: Json = match.groupdict()
                return found | {"project": api.project(found)}
        raise ProviderError(f'Import id "{resource_id}" doesn\'t match any of the accepted formats: {list(self.ids)}')

    @abstractmethod
    def create(self, api: CloudDns, inputs: Properties) -> Json:
        """Create it and return its outputs."""

    @abstractmethod
    def read(self, api: CloudDns, state: Properties) -> Json:
        """Return its outputs as they are now, or raise a `NotFoundError`."""

    @abstractmethod
    def update(self, api: CloudDns, old: Properties, inputs: Properties) -> Json:
        """Change it and return its outputs."""

    @abstractmethod
    def delete(self, api: CloudDns, state: Properties) -> None:
        """Delete it; what is gone already is well."""


def missing(name: str) -> Problem:
    """A required input is not there."""
    reason = f'Missing required argument. The argument "{name}" is required, but no definition was found.'
    return Problem(name, reason)


def known(value: Any) -> bool:
    """Say whether a value is there and not still to be computed."""
    return value is not None and not isinstance(value, Unknown)


def zone_name(zone: Any) -> Any:
    """Return a managed zone's name; a self link will do for one."""
    return zone.rpartition("/")[2] if isinstance(zone, str) else zone
