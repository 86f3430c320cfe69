"""TLS on an Istio ingress gateway, as Pulumi components. Use one, or all of them in the order of `__main__.py`.

Installed, the package is called `istio_gateway_tls`. `public.py` lists what it offers, and is loaded when something of
it is first used (PEP 562): what only reads problems or specs needs neither Pulumi nor its providers.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .public import *  # noqa: F403


def __getattr__(name: str) -> Any:
    if not name[0].isupper():
        # A submodule, or what is no part of a package. The components and their args have capitals.
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(".public", __name__), name)
