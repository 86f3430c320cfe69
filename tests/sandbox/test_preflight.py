"""A preview reads what is there, and refuses what it would defeat: nothing is begun."""

import shlex

import pytest

from sandbox.testing import ISTIO, applied, changes, kubectl, record_sets, resource
from tests.sandbox.conftest import NewStack
from tests.sandbox.stack import SHOP, Stack

pytestmark = pytest.mark.sandbox

HOST = "taken.sandbox.test"
ELSEWHERE = "192.0.2.7"
NARROW = "narrow"
LETS_ENCRYPT = {"staging": "https://acme-staging-v02.api.letsencrypt.org/directory"}


@pytest.fixture(scope="module")
def stack(new_stack: NewStack) -> Stack:
    """A stack that is not up."""
    return new_stack("preflight", hosts=[SHOP | {"host": HOST}])


def at_host(kind: str, value: str) -> dict[str, object]:
    return {"name": f"{HOST}.", "type": kind, "ttl": 5, "rrdatas": [value]}


def test_a_host_with_users_elsewhere_is_not_taken_away_from_there(stack: Stack) -> None:
    with record_sets(at_host("A", ELSEWHERE)):
        before = changes()
        printed = stack.up(fails=True)
        assert f"record set {HOST}. A: leads to {ELSEWHERE}, where users are" in printed
        assert "pulumi config set --path dns.takeOver true" in printed, "it says how to take it all the same"
        assert changes() == before, "no record was touched"
        with stack.changed(dns={"takeOver": True}):
            assert f"dns-{HOST}" in stack.plan(), "it is taken on purpose"


def test_an_address_in_the_place_of_a_cname_is_refused(stack: Stack) -> None:
    with record_sets(at_host("CNAME", "lb.sandbox.test.")):
        printed = stack.preview(fails=True)
    assert f"record set {HOST}. A cannot be made: the name is a CNAME of lb.sandbox.test." in printed
    assert "gcloud dns record-sets transaction execute --zone sandbox" in printed


def test_a_host_that_other_name_servers_are_asked_for_is_refused(stack: Stack) -> None:
    with record_sets(at_host("NS", "ns1.team.test.")):
        printed = stack.preview(fails=True)
    assert f"NS records lead {HOST} and the names below it to ns1.team.test." in printed
    assert f"gcloud dns record-sets delete {HOST}. --zone sandbox --type NS" in printed


def test_gateways_for_other_pods_than_those_of_the_service_are_refused(stack: Stack) -> None:
    with stack.changed(ingress={"selector": {"istio": "front"}}, challenge="dns01"):
        printed = stack.preview(fails=True)
    assert "istio=ingressgateway, and the Gateways are for those with istio=front" in printed, "both are named"
    assert "pulumi config set --path ingress.selector.istio ingressgateway" in printed


def test_an_address_that_a_public_ca_cannot_reach_is_refused_with_http01(stack: Stack) -> None:
    spec = {
        "type": "LoadBalancer", "selector": {"istio": "ingressgateway"}, "loadBalancerSourceRanges": ["10.0.0.0/8"],
        "ports": [{"name": "http", "port": 80}, {"name": "https", "port": 443}],
    }  # fmt: skip
    with applied(resource("v1", "Service", NARROW, ISTIO, spec=spec)), stack.changed(ingress={"service": NARROW}):
        assert stack.plan(), "the sandbox's own CA is inside of its network"
        with stack.changed(acme={"servers": LETS_ENCRYPT}):
            printed = stack.preview(fails=True)
            assert "is open to 10.0.0.0/8 only (loadBalancerSourceRanges)" in printed
            assert "pulumi config set challenge dns01" in printed
            with stack.changed(challenge="dns01"):
                assert stack.plan(), "DNS-01 needs no connection"


def test_cert_manager_is_not_installed_into_a_namespace_that_is_there(stack: Stack) -> None:
    with applied(resource("v1", "Namespace", "occupied")), stack.changed(certManager={"namespace": "occupied"}):
        printed = stack.preview(fails=True)
        assert "namespace occupied is there already, without a cert-manager" in printed
        assert "pulumi config set --path certManager.createNamespace false" in printed
        # Another test may have left its definitions, which belong to the release of another namespace.
        others = {"values": {"crds": {"enabled": False}}}
        with stack.changed(certManager={"namespace": "occupied", "createNamespace": False, **others}):
            plan = stack.plan()
        assert "cert-manager-release" in plan
        # The first test's `up` has made the other namespace.
        assert plan.get("cert-manager-namespace", "delete") == "delete", "it is not the stack's"
    with stack.changed(certManager={"namespace": "occupied", "createNamespace": False}):
        assert "namespace occupied does not exist" in stack.preview(fails=True)


POLICY = "office"


@pytest.fixture(scope="module")
def standing(new_stack: NewStack, stack: Stack) -> Stack:
    """A stack that is up, on a cluster without the cert-manager that the other's `up` installs before it is refused."""
    stack.destroy()
    standing = new_stack("standing", certificate={"secretName": "standing"}, hosts=[SHOP])
    standing.stand()
    return standing


def test_a_policy_that_refuses_the_challenge_is_named(standing: Stack, stack: Stack) -> None:
    rules = [{"from": [{"source": {"ipBlocks": ["192.0.2.0/24"]}}]}]
    spec = {"selector": {"matchLabels": {"istio": "ingressgateway"}}, "rules": rules}
    named = f"AuthorizationPolicy {ISTIO}/{POLICY}"
    with applied(resource("security.istio.io/v1", "AuthorizationPolicy", POLICY, ISTIO, spec=spec)):
        assert f"{named}: refuses /.well-known/acme-challenge/" in standing.preview(), "a preview warns"
        with stack.changed(api="gateway", certManager={"install": False}):
            assert f"{named}: refuses /.well-known/acme-challenge/" in stack.preview(), "in both APIs"
        (problem,) = (problem for problem in standing.verify().problems if POLICY in problem["what"])
        assert problem["check"] == "challenge"
        fix = shlex.split(problem["fix"][0])
        kubectl(*fix[1:])
        assert named not in standing.preview(), "the fix exempts the path"


def test_a_gateway_of_another_with_the_same_host_is_named(stack: Stack) -> None:
    server = {
        "port": {"number": 443, "name": "https", "protocol": "HTTPS"}, "hosts": [f"./{HOST}"],
        "tls": {"mode": "SIMPLE", "credentialName": "theirs"},
    }  # fmt: skip
    spec = {"selector": {"istio": "ingressgateway"}, "servers": [server]}
    stack.destroy()  # it has a Gateway of port 80
    others = resource("networking.istio.io/v1", "Gateway", "theirs", "shop", spec=spec)
    with applied(others), stack.changed(certManager={"install": False}):
        assert f"Gateway shop/theirs: lists {HOST} on port 443" in stack.preview()
        with stack.changed(api="gateway"):
            assert f"Gateway shop/theirs: lists {HOST} on port 443" in stack.preview()
