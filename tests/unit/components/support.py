"""Args that several tests of components start from."""

from typing import Any

ROUTE: Any = {"service": "shop", "namespace": "shop", "port": 80}
TLS: Any = {
    "credentials": [{"secret_name": "certs", "hosts": ["shop.sandbox.test"]}],
    "hosts": [{"host": "shop.sandbox.test", "routes": [ROUTE]}],
}
"""The required args of a TlsGateway."""


def tls(**changes: Any) -> Any:
    """The args of a TlsGateway, with some of them changed."""
    return {**TLS, **changes}
