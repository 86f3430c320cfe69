"""What a sandbox and its command tell each other: the plan and the status, both as JSON."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sandbox import paths
from sandbox.errors import SandboxError


@dataclass(frozen=True)
class Plan:
    """What a sandbox is made of: prepared outside, where the network is, and carried out by its first process."""

    programs: Mapping[str, Path]
    """By the names under which commands inside find them."""
    modules: Mapping[str, Path]
    """Source folders of istio, gateway-api, cert-manager and pebble, by these names."""
    plugins: Path
    """Where Pulumi keeps installed plugins; may be missing."""
    standins: tuple[str, ...] = ()
    """The programs that replace a provider plugin."""
    keep: bool = False
    """Whether a sandbox stays up when its start has failed."""

    def dump(self) -> bytes:
        """Return the plan as JSON."""
        return json.dumps(asdict(self), default=str).encode()

    @classmethod
    def load(cls, text: str | bytes) -> "Plan":
        """Return the plan that `dump` wrote."""
        fields = json.loads(text)
        for name in ("programs", "modules"):
            fields[name] = {key: Path(path) for key, path in fields[name].items()}
        return cls(**fields | {"plugins": Path(fields["plugins"]), "standins": tuple(fields["standins"])})


@dataclass(frozen=True)
class StageStatus:
    """A stage of the start."""

    title: str
    number: int
    of: int
    seconds: float | None = None
    """How long it took; None while it is under way."""


@dataclass(frozen=True)
class PartStatus:
    """The current status of one part."""

    name: str
    pid: int | None
    """In the sandbox's PID namespace; None if the part was never started."""
    exit_code: int | None
    """None while it runs."""
    ready_after: float | None
    """Seconds from its start until it was ready."""


@dataclass(frozen=True)
class Status:
    """The current status of a sandbox."""

    name: str
    state: str
    """starting, up or failed."""
    seconds: float
    """Since its start."""
    memory_bytes: int
    """Of all processes and files; 0 during the start."""
    stages: tuple[StageStatus, ...]
    """Those that have begun."""
    parts: tuple[PartStatus, ...]
    standins: tuple[str, ...]
    reason: str = ""
    """Why the start failed."""

    @classmethod
    def load(cls, fields: dict[str, Any]) -> "Status":
        """Return the status that `dataclasses.asdict` made these fields of.

        Raises:
            SandboxError: the fields are those of another version.
        """
        try:
            nested = {
                "stages": tuple(StageStatus(**stage) for stage in fields["stages"]),
                "parts": tuple(PartStatus(**part) for part in fields["parts"]),
                "standins": tuple(fields["standins"]),
            }
            return cls(**fields | nested)
        except (KeyError, TypeError):
            raise SandboxError(
                "This sandbox was started by another version of the project. Restart it: "
                f"`{paths.COMMAND} down`, then `{paths.COMMAND} up`."
            ) from None
