"""Which objects are a stack's own: the one place that says so, for everything that verify and adopt read."""

from collections.abc import Collection
from dataclasses import dataclass

from components.specs import gateway_api, istio, names

Key = tuple[str, str]
"""An object's namespace, which is empty for a kind without namespaces, and its name."""


@dataclass(frozen=True)
class OwnObjects:
    """The objects that a stack makes for one of its gateways."""

    stack: str
    """The stack's short name."""
    namespace: str
    gateway: str = ""
    """The gateway's name; empty for the one of the stack's own keys."""
    listeners: int = 1
    """How many listeners each port has: beyond a limit, the Gateway API has further Gateways for them."""

    @property
    def http_gateway(self) -> str:
        """The name of the Gateway of port 80, and of the VirtualService that redirects."""
        return istio.http_gateway_name(self.stack, self.gateway)

    @property
    def tls_gateway(self) -> str:
        """The name of the Gateway of port 443."""
        return istio.tls_gateway_name(self.stack, self.gateway)

    @property
    def gateways(self) -> Collection[Key]:
        """The Gateways of both ports, and the ListenerSets in place of some."""
        return {
            (self.namespace, holder.name)
            for managed in (False, True)
            for holder in (
                *gateway_api.http_holders(self.http_gateway, self.listeners, managed),
                *gateway_api.tls_holders(self.tls_gateway, self.listeners, managed),
            )
        }

    def route(self, host: str) -> Key:
        """Return the VirtualService of a host."""
        return self.namespace, names.object_name(host)
