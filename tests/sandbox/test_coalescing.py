"""A wildcard and an exact host with certificates of their own: a browser asks for both over one connection (HTTP/2).

The Gateway and the routes are the component's specs. The certificates are made here, since HTTP-01 proves no wildcard.
"""

import base64
import socket
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from typing import Any

import pytest

from components.specs import istio, names
from sandbox.pki import Authority
from sandbox.testing import ISTIO, applied, client, eventually, ingress_address, resource
from tlsctl.verify.coalescing import ask
from tlsctl.verify.connections import Answer, http2
from tlsctl.verify.requests import Probe

pytestmark = pytest.mark.sandbox

# Istio prefers the older VirtualService, and of two made in one second the first by name: here the wildcard's.
WILDCARD, EXACT, WWW = "*.many.sandbox.test", "own.many.sandbox.test", "www.many.sandbox.test"
OTHER = "other.many.sandbox.test"
GATEWAY = "tls-many"
SHOP = {"path": "/", "service": "shop", "namespace": "shop", "port": 80}
SERVED: list[dict[str, Any]] = [
    {"host": WILDCARD, "routes": [SHOP], "response_headers": {"x-served": "wildcard"}},
    {"host": EXACT, "routes": [SHOP], "response_headers": {"x-served": "exact"}},
    {"host": WWW, "redirect_to": EXACT},
]


def secret(name: str, host: str, authority: Authority) -> dict[str, Any]:
    """Return a TLS Secret with a certificate for a host."""
    authority.issue(name, "many", sans=[host])
    files = {"tls.crt": f"{name}.crt", "tls.key": f"{name}.key"}
    data = {key: base64.b64encode((authority.folder / file).read_bytes()).decode() for key, file in files.items()}
    return resource("v1", "Secret", name, ISTIO, type="kubernetes.io/tls", data=data)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The gateway's address, once it serves the hosts, each with a certificate of its own."""
    authority = Authority.create(tmp_path_factory.mktemp("many"), "many-ca")
    credentials = [(f"many-{number}", [host["host"]]) for number, host in enumerate(SERVED)]
    hosts, version = [host["host"] for host in SERVED], "networking.istio.io/v1"
    gateway = istio.tls_gateway_spec(istio.SELECTOR, credentials, "1.3", [])
    routes = {host["host"]: istio.virtual_service_spec(f"{ISTIO}/{GATEWAY}", host, others=hosts) for host in SERVED}
    address = str(ingress_address())
    with applied(
        *(secret(name, host, authority) for name, (host,) in credentials),
        resource(version, "Gateway", GATEWAY, ISTIO, spec=gateway),
        *(resource(version, "VirtualService", names.object_name(host), ISTIO, spec=routes[host]) for host in hosts),
    ):
        for host in (EXACT, WWW, OTHER):
            eventually(f"the gateway answers for {host}", partial(answered, address, host, host))
        yield address


def answered(ip: str, via: str, host: str) -> Answer | None:
    """Return the answer for a host over the connection that was made for another; None without a connection."""
    try:
        plain = socket.create_connection((ip, 443), client.TIMEOUT)
        with closing(http2().wrap_socket(plain, server_hostname=via)) as connection:
            assert connection.selected_alpn_protocol() == "h2", "browsers are offered HTTP/2"
            return ask(connection, {host: Probe("/")})[host]
    except OSError:
        return None


@pytest.mark.parametrize(
    ("via", "host", "status", "header", "value"),
    [
        (OTHER, EXACT, 200, "x-served", "exact"),
        (EXACT, EXACT, 200, "x-served", "exact"),
        ("some.many.sandbox.test", OTHER, 200, "x-served", "wildcard"),
        (OTHER, WWW, 301, "location", f"https://{EXACT}/"),
        (WWW, WWW, 301, "location", f"https://{EXACT}/"),
    ],
)
def test_a_host_is_answered_by_its_own_routes_over_the_connection_of_another(
    address: str, via: str, host: str, status: int, header: str, value: str
) -> None:
    answer = answered(address, via, host)
    assert answer is not None
    assert (answer.status, answer.headers.get(header)) == (status, value)
