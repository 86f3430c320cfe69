"""The cluster of a component, for the few reads that no provider offers: the one that its own provider is set up with.

So a component takes its credentials once, as every resource does: by its provider.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pulumi

if TYPE_CHECKING:
    from kubernetes import client

_ANY_KIND = "kubernetes:core/v1:Service"
"""A provider is asked for by a type that it serves."""


@dataclass(frozen=True)
class Credentials:
    """What a Kubernetes provider is set up with."""

    kubeconfig: str | None = None
    """A path or content; None is the ambient one."""
    context: str | None = None
    """A context of it, if not its current one."""

    def api(self) -> "client.ApiClient":
        """Return a client with the same choice of cluster.

        Raises:
            kubernetes.config.ConfigException: there is no such kubeconfig or context.
        """
        # The client takes most of a second to load, and most programs need it only when something fails.
        from .kubernetes_api import api_client

        return api_client(self.kubeconfig, self.context)


def credentials_of(component: pulumi.ComponentResource) -> pulumi.Output[Credentials]:
    """Return the credentials of a component's Kubernetes provider.

    They are those of the provider's inputs. A program in another language hands the provider over as a reference, which
    the engine is asked about; without a provider they are those of the default one.
    """
    provider = component.get_provider(_ANY_KIND)
    if provider is None:
        config = pulumi.Config("kubernetes")
        return pulumi.Output.from_input(Credentials(config.get("kubeconfig"), config.get("context")))
    inputs = vars(provider)
    if "kubeconfig" in inputs or "context" in inputs:
        return pulumi.Output.all(inputs.get("kubeconfig"), inputs.get("context")).apply(lambda both: Credentials(*both))
    return pulumi.Output.from_input(provider.urn).apply(_ask_engine)


async def _ask_engine(urn: str) -> Credentials:
    """Read a provider's inputs from the engine, which knows every resource of the running program by its URN."""
    answer: Any = await pulumi.runtime.invoke_async("pulumi:pulumi:getResource", {"urn": urn})
    state = (answer or {}).get("state") or {}
    return Credentials(state.get("kubeconfig"), state.get("context"))
