"""Another team in the same cluster, which may only make objects in its own namespace, tries to reach a stack's hosts.

Real istiod, Envoy and cert-manager decide who answers. The first half shows what an attack does where nothing prevents
it, and that verify names it; in the second half the stack reserves its hosts.
"""

from collections.abc import Iterator
from functools import partial

import pytest

from sandbox.acme import STAGING
from sandbox.testing import ISTIO, applied, client, eventually, is_ready, items, kubectl, renew, resource
from sandbox.testing.cluster import Object
from tests.sandbox import neighbour
from tests.sandbox.conftest import NewStack, only_istio
from tests.sandbox.neighbour import (
    AS_TEAM,
    NAMESPACE,
    SERVICE,
    gateway,
    gateway_api_gateway,
    http_route,
    ingress,
    making,
    own_certificate,
    route,
)
from tests.sandbox.stack import GATEWAYS, SHOP, Stack, certificate_of

pytestmark = pytest.mark.sandbox

HOST, SECRET = str(SHOP["host"]), "neighbours-certs"
STRANGER = "stranger"
WILDCARD, BELOW = "*.team.sandbox.test", "login.team.sandbox.test"
OTHERS = [SHOP | {"host": WILDCARD, "challenge": "dns01"}]
OWNED = [{"host": HOST, "owner": NAMESPACE}, *OTHERS]
TLS_GATEWAY = f"{ISTIO}/tls-neighbours"
REFUSED = f"denied request: it names a host that is reserved for {ISTIO}"
REFUSED_SECRET = f"denied request: it presents a Secret of a gateway, which is reserved for {ISTIO}: {SECRET}"
TIMEOUT = 120


@pytest.fixture(scope="module", autouse=True)
def team() -> Iterator[None]:
    with neighbour.moved_in():
        yield


@pytest.fixture(scope="module")
def made(new_stack: NewStack) -> Stack:
    return new_stack(
        "neighbours",
        acme={"waitInsteadOfSelfCheck": 8},
        dns={"workloadIdentity": True},
        certificate={"secretName": SECRET},
        hosts=[SHOP, *OTHERS],
    )


@pytest.fixture(scope="module")
def shared(made: Stack, api: str) -> Stack:
    made.write_in(api)
    return made


@pytest.fixture
def stack(shared: Stack) -> Stack:
    """The stack, up and served."""
    shared.stand()
    eventually("the host is served", partial(client.served, HOST, client.trusting(STAGING)))
    # The API server goes on with a policy for a moment after it was deleted.
    eventually("nothing is reserved", lambda: REFUSED not in refusal(route(HOST, "mesh")))
    return shared


@pytest.fixture
def reserving(shared: Stack) -> Iterator[Stack]:
    """The stack, up with its hosts reserved."""
    with shared.changed(reserveHosts=True):
        shared.stand()
        eventually("the policy is in effect", lambda: REFUSED in refusal(route(HOST, "mesh")))
        yield shared


def who(host: str = HOST, path: str = "/") -> str:
    """Return who answers over HTTPS, with a trusted certificate: the neighbour, the application, or nobody."""
    try:
        answer = client.https(host, client.trusting(STAGING), path)
    except OSError:
        return "nobody"
    if answer.body == NAMESPACE or f"//{NAMESPACE}." in answer.headers.get("location", ""):
        return NAMESPACE
    return "application" if answer.status == 200 else "nobody"


def answers(name: str, host: str = HOST, path: str = "/") -> None:
    """Wait until it is this one who answers."""
    eventually(f"the {name} answers {host}{path}", partial(who, host, path), until=lambda seen: seen == name)


def named(stack: Stack) -> dict[str, set[str]]:
    """Return the objects that verify names as having a host or a Secret of the stack, by subject."""
    objects: dict[str, set[str]] = {}
    for result in stack.verify().of("neighbour"):
        if result["state"] == "failed":
            objects.setdefault(result["subject"], set()).add(" ".join(result["detail"].split()[:2]))
    return objects


def refusal(*manifests: Object) -> str:
    """Return why the API server refuses objects of the neighbour, without making them; empty where it takes them."""
    try:
        kubectl("apply", AS_TEAM, "--dry-run=server", manifest=list(manifests))
    except AssertionError as error:
        return str(error)
    return ""


def test_a_route_of_another_namespace_takes_a_path_only_where_the_config_lists_the_namespace(
    stack: Stack, api: str
) -> None:
    make = {"istio": route, "gateway": http_route}[api]
    with making(make(HOST, TLS_GATEWAY, path="/login")):
        for routes_from in (["*"], ["other", NAMESPACE]):
            with stack.changed(ingress={"routesFrom": routes_from}):
                stack.up()
                answers(NAMESPACE, path="/login")
            stack.up()
            answers("application", path="/login")
        assert named(stack) == {}, "it has no effect"


def test_the_owner_of_a_host_serves_it_and_nobody_else_does(stack: Stack, api: str) -> None:
    make = {"istio": route, "gateway": http_route}[api]
    mine, http_gateway = make(HOST, TLS_GATEWAY), TLS_GATEWAY.replace("tls", "http")
    theirs = make(HOST, TLS_GATEWAY, http_gateway, path="/login", namespace=STRANGER)
    listed = {"hosts": OWNED, "ingress": {"routesFrom": [STRANGER]}}
    with making(mine), applied(resource("v1", "Namespace", STRANGER), theirs):
        assert who() == "application", "a route is of no use without the right to have it"
        with stack.changed(**listed):
            stack.up()
            answers(NAMESPACE)
            assert who(path="/login") == NAMESPACE, "and not the namespace that has routes for the other hosts"
            assert client.plain(HOST, "/login").headers["location"] == f"https://{HOST}/login", "nor in plain HTTP"
            assert stack.verify().problems == []
    with stack.changed(**listed):
        eventually("the host is served by nobody", who, until=lambda seen: seen == "nobody")
        (problem,) = stack.verify().problems
        assert (problem["check"], problem["subjects"]) == ("gateway", [HOST])
        assert f"{NAMESPACE}, the namespace of its owner, has no route for it" in problem["what"]
    stack.up()
    answers("application")
    stack.assert_at_rest()


def test_a_gateway_and_a_route_of_the_gateway_api_have_no_effect_from_another_namespace(api: str, stack: Stack) -> None:
    foreign = f"{NAMESPACE}/gateway"
    login = http_route(HOST, TLS_GATEWAY, foreign, path="/login")
    with making(gateway_api_gateway(HOST, certificate_of(HOST)), login):
        refused = {
            "Programmed: AddressNotUsable": "it names a Service of another namespace",
            "ResolvedRefs: RefNotPermitted": "and a Secret of another namespace, without a ReferenceGrant",
        }
        eventually("Istio refuses the Gateway", lambda: refusals("gateways"), until=lambda seen: seen >= refused.keys())
        not_let_in = {"Accepted: NotAllowedByListeners"} if api == "gateway" else set()
        eventually("Istio judges the route", lambda: refusals("httproutes"), until=lambda seen: seen == not_let_in)
        assert who(path="/login") == "application"
        assert client.plain(HOST, "/login").headers["location"] == f"https://{HOST}/login"
        assert named(stack) == {}, "it has no effect"


def refusals(kind: str) -> set[str]:
    """Return the conditions that Istio denies to the neighbour's objects of a kind of the Gateway API."""
    statuses = [obj["status"] for obj in items(f"{kind}.gateway.networking.k8s.io", NAMESPACE)]
    parts = [part for status in statuses for part in (status, *status.get("listeners", ()), *status.get("parents", ()))]
    conditions = [condition for part in parts for condition in part.get("conditions", ())]
    return {f"{condition['type']}: {condition['reason']}" for condition in conditions if condition["status"] == "False"}


def test_a_gateway_of_another_namespace_serves_a_name_below_the_wildcard_with_the_stacks_certificate(
    stack: Stack,
) -> None:
    answers("application", BELOW)
    secret = certificate_of(WILDCARD)
    with making(gateway(BELOW, credential=secret), route(BELOW, "gateway")):
        answers(NAMESPACE, BELOW)
        objects = {f"Gateway {NAMESPACE}/gateway", f"VirtualService {NAMESPACE}/route"}
        assert named(stack) == {WILDCARD: objects, secret: {f"Gateway {NAMESPACE}/gateway"}}
    answers("application", BELOW)


def test_a_gateway_of_another_namespace_takes_a_host_while_the_stacks_is_made_again_and_keeps_it(
    stack: Stack, api: str
) -> None:
    refused = listeners_refused()
    with making(gateway(HOST, credential=certificate_of(HOST)), route(HOST, "gateway")):
        eventually("Envoy refuses two servers for a host", listeners_refused, until=lambda count: count > refused)
        assert who() == "application", "and keeps what it has"
        kubectl("delete", GATEWAYS[api], "tls-neighbours", "--namespace", ISTIO)
        try:
            answers(NAMESPACE)
        finally:
            stack.up("--refresh")
        assert who() == NAMESPACE, "Envoy keeps what it has again"
        assert f"Gateway {NAMESPACE}/gateway" in named(stack)[HOST]
    answers("application")
    stack.assert_at_rest()


def listeners_refused() -> int:
    """Return how often Envoy has refused a change of its listeners."""
    return kubectl("logs", "deployment/istio-ingressgateway", "--namespace", ISTIO).count("config rejected: ")


@pytest.mark.parametrize(
    ("attack", "status"),
    [
        pytest.param([gateway("*"), route(HOST, "gateway", path="/login")], 200, id="Gateway"),
        pytest.param([ingress(HOST, "/login")], 503, id="Ingress"),
    ],
)
def test_port_80_is_answered_before_the_redirect(stack: Stack, attack: list[Object], status: int) -> None:
    with making(*attack):
        login = partial(client.plain, HOST, "/login")
        eventually("the neighbour answers", login, until=lambda answer: answer.status == status)
        assert client.plain(HOST).status == 301, "other paths are redirected"
        (objects,) = named(stack).values()
        assert objects == {f"{attack[-1]['kind']} {NAMESPACE}/{attack[-1]['metadata']['name']}"}


@only_istio
@pytest.mark.usefixtures("stack")
def test_an_issuer_of_another_namespace_gets_a_certificate_for_the_host() -> None:
    with making(*own_certificate(HOST, "stolen")):
        eventually("it has one", partial(is_ready, "certificate", "stolen", NAMESPACE), TIMEOUT)


CASES: dict[str, tuple[Object, str]] = {
    "a route": (route(HOST, TLS_GATEWAY), REFUSED),
    "a route in capitals": (route(HOST.upper(), TLS_GATEWAY), REFUSED),
    "a route with a dot at its end": (route(f"{HOST}.", TLS_GATEWAY), REFUSED),
    "a route of the sidecars": (route(HOST, "mesh"), REFUSED),
    "a route below the wildcard": (route(f"a.{BELOW}", TLS_GATEWAY), REFUSED),
    "a route of a part of the host": (route("*op.sandbox.test", TLS_GATEWAY), REFUSED),
    "a route by SNI": (
        route("*", "other/gateway", http=[], tls=[{"match": [{"sniHosts": [HOST]}], "route": []}]),
        REFUSED,
    ),
    "the wildcard": (gateway(WILDCARD), REFUSED),
    "a wildcard above the host": (gateway("*.sandbox.test"), REFUSED),
    "a wildcard above its zone": (gateway("./*.test"), REFUSED),
    "of one namespace": (gateway(f"{NAMESPACE}/{HOST}"), REFUSED),
    "of all namespaces": (gateway(f"*/{HOST}"), REFUSED),
    "without a selector": (gateway(HOST, selector=None), REFUSED),
    "the Secret": (gateway("*", credential=f"kubernetes://{SECRET}"), REFUSED_SECRET),
    "the Secret by an annotation": (
        gateway(
            "*",
            credential=SECRET,
            selector={"istio": "none"},
            annotations={"internal.istio.io/gateway-service": SERVICE},
        ),
        REFUSED_SECRET,
    ),
    "an Ingress": (ingress(HOST), REFUSED),
    "an Ingress for all hosts below": (ingress("*.team.sandbox.test"), REFUSED),
    "an Ingress with TLS": (ingress("other.sandbox.test", tls=[{"hosts": [HOST], "secretName": "own"}]), REFUSED),
    "an Ingress with the Secret": (ingress("other.sandbox.test", tls=[{"secretName": SECRET}]), REFUSED_SECRET),
    "a Gateway of the Gateway API": (gateway_api_gateway(HOST), REFUSED),
    "an HTTPRoute": (http_route(BELOW, TLS_GATEWAY), REFUSED),
    "another host's Gateway of the Gateway API": (gateway_api_gateway("other.sandbox.test"), ""),
    "another host's HTTPRoute": (http_route("other.sandbox.test", TLS_GATEWAY), ""),
    "another host's route": (route("other.sandbox.test", "gateway"), ""),
    "another host's Gateway": (gateway("other.sandbox.test", "*.other.sandbox.test", credential="own"), ""),
    "a Gateway for all hosts": (gateway("*", credential="own"), ""),
    "a Gateway for other Pods": (gateway("*", credential=SECRET, selector={"istio": "other"}), ""),
    "another host's Ingress": (ingress("other.sandbox.test", tls=[{"secretName": "own"}]), ""),
}  # fmt: skip


@only_istio
@pytest.mark.usefixtures("reserving")
@pytest.mark.parametrize(("manifest", "reason"), CASES.values(), ids=CASES)
def test_the_api_server_refuses_objects_with_a_reserved_host_in_whatever_form(manifest: Object, reason: str) -> None:
    said = refusal(manifest)
    assert reason in said if reason else not said, said


@only_istio
def test_the_owner_of_a_reserved_host_may_name_it_in_routes_alone(shared: Stack) -> None:
    with shared.changed(reserveHosts=True, hosts=OWNED):
        shared.stand()
        eventually("the policy is in effect", lambda: REFUSED in refusal(gateway(HOST)))
        for manifest in (route(HOST, TLS_GATEWAY), http_route(HOST, TLS_GATEWAY)):
            assert not refusal(manifest)
        for manifest in (gateway_api_gateway(HOST), ingress(HOST), route(BELOW, TLS_GATEWAY)):
            assert REFUSED in refusal(manifest)


def test_the_stack_itself_is_not_held_back(reserving: Stack) -> None:
    trust = client.trusting(STAGING)
    serials = {host: client.https(host, trust).serial for host in (HOST, BELOW)}
    for certificate in {certificate_of(host) for host in (HOST, WILDCARD)}:
        renew(certificate)
    for host, old in serials.items():  # one is proven by HTTP-01, and one by DNS-01
        client.another(host, trust, old, TIMEOUT)
    reserving.assert_at_rest()
    assert named(reserving) == {}


@only_istio
def test_an_issuer_of_another_namespace_gets_no_certificate_for_a_reserved_host(reserving: Stack) -> None:
    assert reserving
    with making(*own_certificate(HOST, "refused")):
        eventually("cert-manager may not make an Order", lambda: REFUSED in requests(), TIMEOUT)
        assert not items("orders", NAMESPACE)
        assert not is_ready("certificate", "refused", NAMESPACE)


def requests() -> str:
    """Return what cert-manager says of the neighbour's requests for certificates."""
    return str([request.get("status") for request in items("certificaterequests", NAMESPACE)])


@only_istio
def test_what_was_there_before_is_named_and_can_only_be_removed(stack: Stack) -> None:
    with making(ingress(HOST, "/login")), stack.changed(reserveHosts=True):
        stack.up()
        assert named(stack) == {HOST: {f"Ingress {NAMESPACE}/ingress"}}
        eventually("an update is refused", lambda: REFUSED in refusal(ingress(HOST, "/other")))
    assert named(stack) == {}
