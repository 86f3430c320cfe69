"""Registers what a gateway serves, in the API that it is written in. Each module has the same functions for one API."""

from typing import Any, Protocol

import pulumi

from ..specs import apis
from . import gateway_api, istio


class Writer(Protocol):
    """What a module of an API registers below a component; `inputs` has all fields of the component's args."""

    def http(self, component: pulumi.ComponentResource, name: str, inputs: Any) -> pulumi.Output[str]:
        """Register port 80 of a `HttpGateway`, and return the gateway's Service once it is there."""

    def tls(self, component: pulumi.ComponentResource, name: str, inputs: Any, before: list[pulumi.Resource]) -> None:
        """Register port 443 of a `TlsGateway`, whose Gateway is created after the resources in `before`."""


WRITERS: dict[str, Writer] = {apis.ISTIO: istio, apis.GATEWAY: gateway_api}
"""The writers of the APIs."""
