"""What a sandbox is made of: decided outside, where the network is, and carried out by its first process."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Modules:
    """Folders with the sources of modules whose files are used beside their programs."""

    istio: Path
    """Charts, and Envoy's bootstrap template."""
    cert_manager: Path
    """The chart."""
    pebble: Path
    """The CA that signs an ACME server's own listener."""


@dataclass(frozen=True)
class Plan:
    """Everything that `sandbox.init` has to know; it crosses the process border as one JSON object."""

    programs: Mapping[str, Path]
    """By the name under which commands inside find them."""
    modules: Modules
    plugins: Path
    """Where Pulumi keeps installed plugins; may be missing."""
    standins: tuple[str, ...] = ()
    """Which of the programs are the sandbox's own in place of a provider plugin."""
    keep: bool = False
    """Whether a sandbox whose start has failed is left up, to be looked into."""

    def dump(self) -> bytes:
        """As JSON."""
        return json.dumps(asdict(self), default=str).encode()

    @classmethod
    def load(cls, text: str | bytes) -> "Plan":
        """What `dump` returned."""
        fields = json.loads(text)
        return cls(
            programs={name: Path(path) for name, path in fields["programs"].items()},
            modules=Modules(**{name: Path(path) for name, path in fields["modules"].items()}),
            plugins=Path(fields["plugins"]),
            standins=tuple(fields["standins"]),
            keep=fields["keep"],
        )
