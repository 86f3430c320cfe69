"""A stack in the Gateway API: what is only so there. Everything else, other files test for both APIs."""

from functools import partial

import pytest

from sandbox.acme import STAGING
from sandbox.testing import ISTIO, client, eventually, ingress_address, items, live, renew
from tests.sandbox.conftest import NewStack
from tests.sandbox.stack import API, SHOP, Stack, certificate_of

pytestmark = pytest.mark.sandbox

HOSTS = ["shop.sandbox.test", "api.sandbox.test"]
KINDS = ",".join(f"{kind}.gateway.networking.k8s.io" for kind in ("gateways", "httproutes", "referencegrants"))
ISTIOS = "gateways.networking.istio.io,virtualservices.networking.istio.io"


@pytest.fixture(scope="module")
def stack(new_stack: NewStack) -> Stack:
    """A stack with a certificate for each host, which both APIs can serve."""
    return new_stack("gateway-api", api="gateway", certificate={"grouping": "perHost"}, hosts=[SHOP, API])


def serve(stack: Stack, api: str) -> None:
    """Have the stack served by an API."""
    stack.configure(api=api)
    stack.up()
    for host in HOSTS:
        eventually(f"{host} is served", partial(client.served, host, client.trusting(STAGING)))


def objects(kinds: str) -> list[str]:
    """Return the names of the objects of some kinds."""
    return sorted(obj["metadata"]["name"] for obj in items(kinds))


def test_no_client_notices_the_move_between_the_apis_and_no_certificate_is_ordered(stack: Stack) -> None:
    serve(stack, "istio")
    orders = objects("orders.acme.cert-manager.io")
    with client.traffic(HOSTS[0], client.trusting(STAGING), kept=True) as seen:
        for api, gone in (("gateway", ISTIOS), ("istio", KINDS)):
            serve(stack, api)
            assert stack.plan() == {}, f"the stack is at rest in {api}"
            assert objects(gone) == [], f"nothing of the other API is left in {api}"
            assert client.plain(HOSTS[0], "/cart?id=1").status == 301, "plain HTTP is redirected"
    assert seen.failures == [], f"no request failed of {seen.answered} in new connections and {seen.kept} in kept ones"
    assert set(seen.kept) == {"HTTP/1.1", "HTTP/2"}, "a client asked in kept connections, too"
    assert len(seen.serials) == 1, "clients saw one certificate"
    assert objects("orders.acme.cert-manager.io") == orders, "no certificate was ordered"


def test_each_gateway_says_that_its_listeners_are_in_force_with_one_route_each(stack: Stack) -> None:
    serve(stack, "gateway")
    for gateway in items("gateways.gateway.networking.k8s.io", ISTIO):
        states = {listener["name"]: listener["attachedRoutes"] for listener in gateway["status"]["listeners"]}
        assert states == dict.fromkeys(HOSTS, 1), f"{gateway['metadata']['name']} has one route at each listener"


def test_a_listener_answers_404_for_every_host_but_its_own(stack: Stack) -> None:
    # Browsers ask for every host of a certificate over one connection, so the config refuses shared certificates.
    serve(stack, "gateway")
    other = client.Request("/", headers={"Host": HOSTS[1]})
    assert client.https(HOSTS[0], client.trusting(STAGING), other).status == 404, (
        "421 would send browsers to a connection of its own"
    )


def test_istio_runs_a_gateway_for_the_stack(stack: Stack) -> None:
    trust, annotation = client.trusting(STAGING), {"networking.gke.io/load-balancer-type": "External"}
    managed = {"deployment": "managed", "service": "edge", "infrastructure": {"annotations": annotation}}
    with stack.changed(api="gateway", ingress=managed):
        stack.up()
        service = live("service", "edge", ISTIO)
        assert service["metadata"]["annotations"] == annotation, "it has what a cloud's load balancer asks for"
        address = service["status"]["loadBalancer"]["ingress"][0]["ip"]
        assert address != ingress_address(), "it is another gateway than the one that is there"
        assert stack.outputs()["ingressIp"] == address
        for host in HOSTS:
            answer = eventually(f"{host} is served", partial(client.served, host, trust))
            assert client.https(host, trust, address=address).serial == answer.serial, "at the new address"
            assert client.plain(host).status == 301, "plain HTTP is redirected"
        old = client.https(HOSTS[0], trust).serial
        renew(certificate_of(HOSTS[0]))
        client.another(HOSTS[0], trust, old)
        stack.assert_at_rest()
