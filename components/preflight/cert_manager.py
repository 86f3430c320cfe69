"""What excludes an installation of cert-manager: another one, or a namespace that is there."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..problem import Problem, set_input
from ..specs.cert_manager import GROUP

RELEASE = "cert-manager"
"""The name of the Helm release, and of the Deployment of its controller."""

DEFINITION = f"certificates.{GROUP}"
"""The CustomResourceDefinition by which an installation is known, whatever its release is called."""

_ADOPT = "uv run python -m tlsctl adopt    # in place of the above: the stack takes over what is there"


@dataclass(frozen=True)
class Place:
    """Where cert-manager is to be installed, and what is there; None where it may not be read."""

    namespace: str
    creates: bool = True
    """Whether the stack creates the namespace."""
    exists: bool | None = None
    """Whether the namespace does."""
    controller: bool | None = None
    """Whether it has a controller of cert-manager."""
    definition: Mapping[str, Any] | None = None
    """The metadata of `DEFINITION`; empty where the cluster has none."""
    defines: bool = True
    """Whether the release brings the definitions."""
    commands: Mapping[str, str] | None = None
    """What sets the inputs of the component."""

    @property
    def use(self) -> str:
        """The command that uses the cert-manager that is there."""
        return set_input(self.commands or {}, "install", "false", "the stack uses the one that is there")


def other_release(place: Place) -> Iterator[Problem]:
    """Yield the problem of definitions that are another release's: Helm refuses to install a chart that has them."""
    if not place.definition or not place.defines:
        return
    annotations = place.definition.get("annotations") or {}
    name, namespace = (annotations.get(f"meta.helm.sh/release-{part}") for part in ("name", "namespace"))
    if (name, namespace) != (RELEASE, place.namespace):
        whose = f"is of the Helm release {name} in {namespace}" if name else "is not of a Helm release"
        what = f"{whose}: another cert-manager is installed, beside which this one cannot be"
        yield Problem(f"CustomResourceDefinition {DEFINITION}", what, (place.use, _ADOPT))


def other_controller(place: Place) -> Iterator[Problem]:
    """Yield the problem of a namespace in which cert-manager runs."""
    if place.exists and place.controller:
        # The kubernetes provider takes a cluster with another server or CA for another cluster.
        what = (
            "has a cert-manager already; if it is the stack's own, the cluster has a new server or CA: docs/moving.md"
        )
        yield Problem(f"namespace {place.namespace}", what, (place.use, _ADOPT))


def namespace_exists(place: Place) -> Iterator[Problem]:
    """Yield the problem of a namespace without a cert-manager: the provider creates none that exists."""
    commands = place.commands or {}
    if place.creates and place.exists and not place.controller:
        what = "is there already, without a cert-manager, and the stack would create it"
        use = set_input(commands, "create_namespace", "false", "installs into it")
        yield Problem(f"namespace {place.namespace}", what, (use,))
    if not place.creates and place.exists is False:
        what = "does not exist, and the stack does not create it"
        create = set_input(commands, "create_namespace", "true")
        yield Problem(f"namespace {place.namespace}", what, (create,))
