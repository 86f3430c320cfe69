"""The credentials of a component's own provider, for the few reads that no provider offers.

So a component takes its credentials once, as every resource does: by its provider.
"""

from dataclasses import dataclass
from typing import Any

import pulumi

from .. import engine
from .client import Client

_ANY_KIND = "kubernetes:core/v1:Service"
"""A provider is asked for by a type that it serves."""


@dataclass(frozen=True)
class Credentials:
    """What a Kubernetes provider is set up with."""

    kubeconfig: str | None = None
    """A path or content; None is the ambient one."""
    context: str | None = None
    """A context of it, if not its current one."""

    def client(self) -> Client:
        """Return a client with the same choice of cluster.

        Raises:
            ClusterError: there is no such kubeconfig or context.
        """
        return Client(self.kubeconfig, self.context)


def credentials_of(component: pulumi.ComponentResource) -> pulumi.Output[Credentials]:
    """Return the credentials of a component's Kubernetes provider.

    The engine is asked for them: a program in another language passes its provider as a reference. Without a
    provider they are those of the default one. Unknown while the provider's own inputs are.
    """
    provider = component.get_provider(_ANY_KIND)
    if provider is None:
        config = pulumi.Config("kubernetes")
        return pulumi.Output.from_input(Credentials(config.get("kubeconfig"), config.get("context")))
    return pulumi.Output.from_input(provider.urn).apply(_ask_engine)


async def _ask_engine(urn: str) -> Any:
    """Read a provider's inputs from the engine, which knows every resource of the running program by its URN."""
    returned = await engine.ask("pulumi:pulumi:getResource", {"urn": urn})
    state = engine.without_secrets(returned, "state")
    inputs = {key: state[key] for key in ("kubeconfig", "context") if key in state}
    return pulumi.UNKNOWN if pulumi.UNKNOWN in inputs.values() else Credentials(**inputs)
