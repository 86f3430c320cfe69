"""The raw keys that one gateway has: their values, their problems, and the commands that change them.

The gateway of the stack's own keys has them at the top of the config; another one has its own in `gateways`, and the
stack's for the rest.
"""

from collections.abc import Mapping, Set
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from components.problem import Problem
from components.specs import acme, istio

from .problems import HIDDEN, MISSING, Path, config_problem, dotted, remove_command, set_command

Raw = Mapping[str, Any]


@dataclass(frozen=True)
class Keys:
    """The keys of one gateway."""

    raw: Raw
    """The config as if the gateway were its only one, decoded and not validated."""
    secret: Set[str]
    """Keys of the stack's whose values are encrypted, and so must not be shown."""
    gateway: tuple[str | int, ...] = ()
    """Where in the stack's config the gateway is; empty for the stack's own keys."""
    own: Set[str] = frozenset()
    """The keys that the gateway has itself, if it is not the stack's own."""

    def section(self, key: str) -> Raw:
        """Return an object; empty where it is none, which its own field has said."""
        section = self.raw.get(key)
        return section if isinstance(section, dict) else {}

    @cached_property
    def hosts(self) -> list[Raw]:
        """The hosts; one that is no object is empty."""
        return objects(self.raw.get("hosts"))

    def has(self, key: str) -> bool:
        """Whether a key is this gateway's own: what is wrong with one of the stack is reported there."""
        return not self.gateway or key in self.own

    def problem(self, path: Path, reason: str, accepted: str, fix: str, value: Any = MISSING) -> Problem:
        """Return the problem of a key."""
        path = self._at(path)
        shown = HIDDEN if value is not MISSING and path[0] in self.secret else value
        return config_problem(path, accepted, fix, value=shown, reason=reason)

    @property
    def place(self) -> tuple[Any, Any]:
        """The namespace and the Service of the gateway."""
        ingress = self.section("ingress")
        return ingress.get("namespace", istio.NAMESPACE), ingress.get("service", istio.SERVICE)

    @property
    def challenges(self) -> set[Any]:
        """How its hosts are proven, and how one is that does not say."""
        return {self.challenge({}), *map(self.challenge, self.hosts)} - {None}

    def challenge(self, host: Raw) -> Any:
        """Return how a host is proven; None if it says nonsense."""
        given = host.get("challenge") or self.raw.get("challenge") or acme.HTTP01
        return given if isinstance(given, str) else None

    def named(self, path: Path) -> str:
        """Return a key as `pulumi config` takes it."""
        return dotted(self._at(path))

    def set(self, path: Path, value: Any, secret: bool = False) -> str:
        """Return the command that sets a key."""
        return set_command(self._at(path), value, secret)

    def remove(self, path: Path) -> str:
        """Return the command that removes a key."""
        return remove_command(self._at(path))

    def _at(self, path: Path) -> Path:
        return [*self.gateway, *path]


def objects(given: Any) -> list[Raw]:
    """Return the objects of a list; what is something else has been refused by its own field."""
    return [each if isinstance(each, dict) else {} for each in given] if isinstance(given, list) else []


def of_each_gateway(raw: Raw, secret: Set[str]) -> list[Keys]:
    """Return the keys of each gateway, the stack's own first."""
    others = objects(raw.get("gateways"))
    return [
        Keys(raw, secret),
        *(Keys({**raw, **each}, secret, ("gateways", number), each.keys()) for number, each in enumerate(others)),
    ]
