"""The keys of one gateway: how rules read them, and report what is wrong with them."""

from collections.abc import Mapping, Set
from dataclasses import dataclass
from typing import Any

from components.args import field_at, holds_secret
from components.problem import HIDDEN, Problem
from config.models import Settings, View
from config.problems import (
    MISSING,
    Path,
    config_problem,
    dotted,
    remove_command,
    set_command,
    value_at,
)


@dataclass(frozen=True)
class Keys:
    """The keys of one gateway, as if it were the only one of the config."""

    view: View
    raw: Mapping[str, Any]
    """The config of the stack, not validated."""
    secret: Set[str]
    """Keys of the stack whose values are encrypted."""

    @property
    def settings(self) -> Settings:
        """The gateway's settings, with the stack's own where it has none."""
        return self.view.settings

    def has(self, key: str) -> bool:
        """Whether the gateway has a key itself. A problem of a key that it shares is reported at the stack's."""
        return key in self.view.own

    def problem(self, path: Path, reason: str, accepted: str, fix: str, default: Any = MISSING) -> Problem:
        """Return the problem of a key below the gateway; `default` is its value where the config has none."""
        place = [*self.view.path, *path]
        value = value_at(self.raw, place, default)
        if value is not MISSING and (place[0] in self.secret or holds_secret(field_at(Settings, place))):
            value = HIDDEN
        return config_problem(place, accepted, fix, value=value, reason=reason)

    def dotted(self, path: Path) -> str:
        """Return a key as `pulumi config` accepts it."""
        return dotted([*self.view.path, *path])

    def set(self, path: Path, value: Any, secret: bool = False) -> str:
        """Return the command that sets a key."""
        return set_command([*self.view.path, *path], value, secret)

    def remove(self, path: Path) -> str:
        """Return the command that removes a key."""
        return remove_command([*self.view.path, *path])
