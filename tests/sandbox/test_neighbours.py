"""Another team in the same cluster, which may only make objects in its own namespace, tries to reach a stack's hosts.

Real istiod, Envoy and cert-manager decide who answers. Each attack is seen to succeed where nothing holds it.
"""

from collections.abc import Iterator
from functools import partial

import pytest

from sandbox.acme import STAGING
from sandbox.testing import ISTIO, client, eventually
from tests.sandbox import neighbour
from tests.sandbox.conftest import NewStack
from tests.sandbox.neighbour import NAMESPACE, making
from tests.sandbox.stack import SHOP, Stack

pytestmark = pytest.mark.sandbox

HOST = str(SHOP["host"])
TLS_GATEWAY = f"{ISTIO}/tls-neighbours"


@pytest.fixture(scope="module", autouse=True)
def team() -> Iterator[None]:
    with neighbour.moved_in():
        yield


@pytest.fixture(scope="module")
def shared(new_stack: NewStack) -> Stack:
    return new_stack("neighbours", hosts=[SHOP])


@pytest.fixture
def stack(shared: Stack) -> Stack:
    """The stack, up and served."""
    shared.stand()
    eventually("the host is served", partial(client.served, HOST, client.trusting(STAGING)))
    return shared


def answered_by(path: str = "/", host: str = HOST) -> str:
    """Return who answers a path over HTTPS: the neighbour or the application."""
    body = client.https(host, client.trusting(STAGING), path).body
    return NAMESPACE if body == NAMESPACE else "shop"


def test_a_route_of_another_namespace_takes_a_path_only_where_the_config_lists_the_namespace(stack: Stack) -> None:
    login = partial(answered_by, "/login")
    with making(neighbour.route(HOST, TLS_GATEWAY, path="/login")):
        for routes_from in (["*"], ["other", NAMESPACE]):
            with stack.changed(ingress={"routesFrom": routes_from}):
                stack.up()
                eventually("the neighbour answers", login, until=lambda who: who == NAMESPACE)
            stack.up()
            eventually("the application answers again", login, until=lambda who: who == "shop")
    stack.assert_at_rest()
