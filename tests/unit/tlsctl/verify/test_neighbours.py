"""Gateways, routes and Ingresses of others that have a host or a Secret of the stack are named."""

from collections.abc import Sequence
from typing import Any

import pytest

from components.preflight.neighbours import Pods
from components.specs import apis, gateway_api
from tests.unit.api_server import Api
from tests.unit.tlsctl.verify.support import IP, SECRET, SHOP, config, deployed, hosts, state
from tlsctl.verify import gateway_api as of_gateway_api
from tlsctl.verify import istio as of_istio
from tlsctl.verify.cluster import read_neighbours
from tlsctl.verify.environment import Environment, environments, key
from tlsctl.verify.neighbours import Neighbours
from tlsctl.verify.results import Result

WILDCARD = "*.acme.dev"
OWN_TLS = "istio-system/tls-dev"
INTERNAL = "internal.istio.io"
PODS = {"istio": "ingressgateway", "app": "istio-ingressgateway", "pod-template-hash": "1"}
CONTROLLER = "istio.io/ingress-controller"
OF_ANOTHER = {"from": "Selector", "selector": {"matchLabels": {gateway_api.NAMESPACE_NAME: "another"}}}
EXPRESSION = {"key": gateway_api.NAMESPACE_NAME, "operator": "In", "values": ["another"]}
LABELLED = {"from": "Selector", "selector": {"matchExpressions": [EXPRESSION]}}
FORM = "in another form than the stack's Gateway"


def obj(name: str, spec: dict[str, Any], **annotations: str) -> dict[str, Any]:
    """An object by its namespace and name."""
    namespace, _, short = name.rpartition("/")
    return {"metadata": {"namespace": namespace or "team", "name": short, "annotations": annotations}, "spec": spec}


def gateway(*listed: str, name: str = "gateway", port: int = 443, tls: Any = None, **spec: Any) -> dict[str, Any]:
    server = {"port": {"number": port}, "hosts": list(listed), **({"tls": tls} if tls else {})}
    annotations = spec.pop("annotations", {})
    return obj(name, {"selector": {"istio": "ingressgateway"}, "servers": [server], **spec}, **annotations)


def secure(*listed: str, **more: Any) -> dict[str, Any]:
    return gateway(*listed, tls={"mode": "SIMPLE", "credentialName": "team"}, **more)


def annotated(parent: str) -> dict[str, Any]:
    """A Gateway for the Pods of the gateway's Service in a namespace."""
    service = {f"{INTERNAL}/gateway-service": "a,istio-ingressgateway.istio-system.svc.cluster.local"}
    annotations = {**service, f"{INTERNAL}/parent-namespace": parent}
    return secure(SHOP, selector={"istio": "none"}, annotations=annotations)


def route(host: str, *gateways: str, name: str = "route") -> dict[str, Any]:
    return obj(name, {"hosts": [host], "gateways": list(gateways)})


def ingress(host: str = "", name: str = "ingress", **spec: Any) -> dict[str, Any]:
    annotations = spec.pop("annotations", {})
    return obj(name, {"rules": [{"host": host}] if host else [], **spec}, **annotations)


def listeners(*listed: str, secret: str = "", port: int = 443, routes: Any = "Same") -> list[dict[str, Any]]:
    """Listeners of the Gateway API, one for each host; an empty one is for every host."""
    tls = {"tls": {"certificateRefs": [{"name": secret}]}} if secret else {}
    namespaces = {"from": routes} if isinstance(routes, str) else routes
    return [
        {"name": f"at-{host}", "port": port, "allowedRoutes": {"namespaces": namespaces}}
        | tls | ({"hostname": host} if host else {})
        for host in listed
    ]  # fmt: skip


def k8s_gateway(*listed: str, name: str = "istio-system/other", sets: str = "None", **more: Any) -> dict[str, Any]:
    """A Gateway of the Gateway API for the gateway's Service."""
    value = more.pop("service", "istio-ingressgateway.istio-system.svc.cluster.local")
    spec = {"addresses": [{"type": "Hostname", "value": value}], "listeners": listeners(*listed, **more)}
    return obj(name, {**spec, "allowedListeners": {"namespaces": {"from": sets}}})


def listener_set(*listed: str, name: str = "team/set", parent: str = "other", **more: Any) -> dict[str, Any]:
    reference = {"kind": "Gateway", "name": parent, "namespace": "istio-system"}
    return obj(name, {"parentRef": reference, "listeners": listeners(*listed, **more)})


def http_route(*hostnames: str, name: str = "route", parent: str = "other", **reference: str) -> dict[str, Any]:
    reference = {"name": parent, "namespace": "istio-system", **reference}
    return obj(name, {"parentRefs": [reference], **({"hostnames": list(hostnames)} if hostnames else {})})


def neighbours(
    environment: Environment,
    *,
    gateways: Sequence[Any] = (),
    virtual_services: Sequence[Any] = (),
    k8s_gateways: Sequence[Any] = (),
    listener_sets: Sequence[Any] = (),
    http_routes: Sequence[Any] = (),
    pods: Sequence[Any] = (PODS,),
    **others: Any,
) -> Neighbours:
    """What a cluster has beside the stack's own objects."""
    ingress = environment.settings.ingress
    listeners = (
        *Pods(environment.namespace, ingress.service, ingress.selector, pods).listeners(gateways),
        *of_gateway_api.listeners(environment, k8s_gateways, listener_sets),
    )
    routes = (*of_istio.routes(virtual_services), *of_gateway_api.routes(http_routes))
    return Neighbours(environment, listeners, routes, **others)


def shared(environment: Environment, **others: Any) -> list[Result]:
    """The failures of the check, with the stack's own Gateways in the cluster."""
    hosts_of, ports = list(environment.hosts), (("http", 80), ("tls", 443))
    if environment.settings.api == apis.ISTIO:
        kind, own = (
            "gateways",
            [
                gateway(*(f"./{host}" for host in hosts_of), name=f"istio-system/{name}-dev", port=port)
                for name, port in ports
            ],
        )
    else:
        kind, own = (
            "k8s_gateways",
            [k8s_gateway(*hosts_of, name=f"istio-system/{name}-dev", port=port, secret=SECRET) for name, port in ports],
        )
    results = neighbours(environment, **{**others, kind: [*own, *others.get(kind, ())]}).judge()
    return [result for result in results if result.check == "neighbour" and result.state == "failed"]


CASES = {
    "the host, without a namespace": ({"gateways": [secure(SHOP)]}, SHOP, f"lists {SHOP} on port 443 {FORM}"),
    "the host, in capitals": ({"gateways": [secure(SHOP.upper())]}, SHOP, f"lists {SHOP} on port 443 {FORM}"),
    "for its own namespace": ({"gateways": [secure(f"./{SHOP}")]}, SHOP, FORM),
    "in the stack's form": ({"gateways": [secure(f"istio-system/{SHOP}")]}, SHOP, "Istio uses the older of two"),
    "of the stack's namespace": ({"gateways": [secure(SHOP, name="istio-system/other")]}, SHOP, FORM),
    "named like the stack's": ({"gateways": [secure(SHOP, name="team/tls-dev")]}, SHOP, "Gateway team/tls-dev lists"),
    "without a selector": ({"gateways": [secure(SHOP, selector=None)]}, SHOP, "on port 443"),
    "by another label": ({"gateways": [secure(SHOP, selector={"pod-template-hash": "1"})]}, SHOP, "on port 443"),
    "by Istio's annotations": ({"gateways": [annotated("istio-system")]}, SHOP, "on port 443"),
    "on port 80": ({"gateways": [gateway(SHOP, port=80)]}, SHOP, f"lists {SHOP} on port 80, in plain HTTP"),
    "with a redirect": (
        {"gateways": [gateway(SHOP, port=80, tls={"httpsRedirect": True})]},
        SHOP,
        "with httpsRedirect, which answers HTTP-01 challenges too",
    ),
    "the Secret": (
        {"gateways": [gateway("other.dev", tls={"credentialName": f"kubernetes://{SECRET}"})]},
        SECRET,
        "Gateway team/gateway presents it on port 443",
    ),
    "one of two Secrets": (
        {"gateways": [gateway("*", tls={"credentialNames": ["team", SECRET]})]},
        SECRET,
        "presents it",
    ),
    "a route through another Gateway": (
        {"virtual_services": [route(SHOP, "gateway")], "gateways": [gateway("*", port=80)]},
        SHOP,
        "VirtualService team/route routes it through Gateway team/gateway",
    ),
    "a route for all hosts through one that lists the host": (
        {"virtual_services": [route("*", "team/gateway")], "gateways": [secure(SHOP)]},
        SHOP,
        "VirtualService team/route routes it through Gateway team/gateway",
    ),
    "an Ingress": (
        {"ingresses": [ingress(SHOP, annotations={"kubernetes.io/ingress.class": "istio"})]},
        SHOP,
        "Ingress team/ingress answers it on port 80, in plain HTTP",
    ),
    "an Ingress by a class of Istio's": (
        {"ingresses": [ingress(SHOP, ingressClassName="mesh")], "ingress_classes": {"mesh": CONTROLLER}},
        SHOP,
        "answers it on port 80",
    ),
    "an Ingress without a class": ({"ingresses": [ingress(SHOP)]}, SHOP, "answers it on port 80"),
    "an Ingress with TLS": ({"ingresses": [ingress(tls=[{"hosts": [SHOP]}])]}, SHOP, "serves it on port 443"),
    "an Ingress with the Secret": (
        {"ingresses": [ingress(tls=[{"secretName": SECRET}])]},
        SECRET,
        "Ingress team/ingress presents it on port 443",
    ),
    "the host, in a Gateway of the Gateway API": (
        {"k8s_gateways": [k8s_gateway(SHOP.upper(), secret="other")]},
        SHOP,
        f"Gateway istio-system/other lists {SHOP} on port 443: Istio uses the older of two Gateways",
    ),
    "by the Service's short name, on port 80": (
        {"k8s_gateways": [k8s_gateway(SHOP, port=80, service="istio-ingressgateway")]},
        SHOP,
        f"lists {SHOP} on port 80, in plain HTTP",
    ),
    "the Secret, in a Gateway of the Gateway API": (
        {"k8s_gateways": [k8s_gateway("other.dev", secret=SECRET)]},
        SECRET,
        "Gateway istio-system/other presents it on port 443",
    ),
    "for routes of all namespaces": ({"k8s_gateways": [k8s_gateway(SHOP, secret="a", routes="All")]}, SHOP, FORM),
    "a ListenerSet": (
        {"k8s_gateways": [k8s_gateway("other.dev", sets="All")], "listener_sets": [listener_set(SHOP, secret="a")]},
        SHOP,
        f"ListenerSet team/set lists {SHOP} on port 443 {FORM}",
    ),
    "an HTTPRoute": (
        {"http_routes": [http_route(SHOP)], "k8s_gateways": [k8s_gateway("", port=80, routes="All")]},
        SHOP,
        "HTTPRoute team/route routes it through Gateway istio-system/other",
    ),
    "an HTTPRoute for every host of a listener": (
        {"http_routes": [http_route(sectionName=f"at-{SHOP}")], "k8s_gateways": [k8s_gateway(SHOP, routes="Selector")]},
        SHOP,
        "HTTPRoute team/route routes it through Gateway istio-system/other",
    ),
    "an HTTPRoute of a ListenerSet": (
        {
            "http_routes": [http_route(SHOP, kind="ListenerSet", parent="set", namespace="team")],
            "k8s_gateways": [k8s_gateway("other.dev", sets="Selector")],
            "listener_sets": [listener_set("", port=80)],
        },
        SHOP,
        "HTTPRoute team/route routes it through ListenerSet team/set",
    ),
}  # fmt: skip


@pytest.mark.parametrize("api", apis.APIS)
@pytest.mark.parametrize(("others", "subject", "words"), CASES.values(), ids=CASES)
def test_an_object_with_a_host_or_a_secret_of_the_stack_is_named(
    others: dict[str, Any], subject: str, words: str, api: str
) -> None:
    result = next(result for result in shared(deployed(api=api), **others) if words in result.detail)
    assert result.subject == subject
    kind, name = result.detail.split()[:2]
    (command,) = result.fix
    assert command.startswith(f"kubectl --namespace {name.partition('/')[0]} get {kind.lower()}")
    assert f" {name.partition('/')[2]} " in command


def test_a_gateway_of_either_api_is_printed_as_kubectl_tells_them_apart() -> None:
    others = shared(deployed(), gateways=[secure(SHOP)], k8s_gateways=[k8s_gateway(SHOP, secret="other")])
    commands = [result.fix[0].split()[4] for result in others]
    assert commands == ["gateways.networking.istio.io", "gateways.gateway.networking.k8s.io"]


@pytest.mark.parametrize(
    "others",
    [
        pytest.param({"gateways": [secure("*", "*.dev", "b.acme.dev")]}, id="other hosts, and wildcards above"),
        pytest.param({"gateways": [secure(SHOP, selector={"istio": "other"})]}, id="at other Pods"),
        pytest.param({"gateways": [secure(SHOP, selector={"app": "other"})]}, id="at other Pods, by another label"),
        pytest.param({"gateways": [annotated("")]}, id="for a Service of its own namespace"),
        pytest.param({"virtual_services": [route(SHOP, "mesh")]}, id="a route of sidecars"),
        pytest.param({"virtual_services": [route(SHOP, OWN_TLS)]}, id="a route that the stack's Gateway does not take"),
        pytest.param(
            {"virtual_services": [route("b.acme.dev", "gateway")], "gateways": [gateway("*", port=80)]},
            id="a route of another host",
        ),
        pytest.param(
            {"virtual_services": [route(SHOP, OWN_TLS, name="istio-system/more")]}, id="a route of the same namespace"
        ),
        pytest.param(
            {"ingresses": [ingress(SHOP, annotations={"kubernetes.io/ingress.class": "nginx"})]}, id="another class"
        ),
        pytest.param({"ingresses": [ingress(SHOP, ingressClassName="nginx")]}, id="another class by its field"),
        pytest.param({"ingresses": [ingress(SHOP, name="istio-system/cm-acme-http-solver")]}, id="the solver's"),
        pytest.param(
            {"k8s_gateways": [k8s_gateway(SHOP, service="other.istio-system.svc.cluster.local")]}, id="another Service"
        ),
        pytest.param({"k8s_gateways": [k8s_gateway(SHOP, name="team/other")]}, id="a Gateway outside its namespace"),
        pytest.param(
            {
                "k8s_gateways": [k8s_gateway("other.dev")],
                "listener_sets": [listener_set(SHOP), listener_set(SHOP, name="istio-system/set")],
            },
            id="a ListenerSet that the Gateway does not let in",
        ),
        pytest.param(
            {
                "k8s_gateways": [k8s_gateway("other.dev", sets="All", secret="a")],
                "listener_sets": [listener_set("b.acme.dev", secret=SECRET)],
            },
            id="a ListenerSet with a Secret of its own namespace",
        ),
        pytest.param({"http_routes": [http_route(SHOP, parent="tls-dev")]}, id="an HTTPRoute that is not let in"),
        pytest.param(
            {
                "http_routes": [http_route(SHOP, sectionName="elsewhere")],
                "k8s_gateways": [k8s_gateway("", port=80, routes="All")],
            },
            id="an HTTPRoute of another listener",
        ),
        pytest.param(
            {"http_routes": [http_route("b.acme.dev")], "k8s_gateways": [k8s_gateway("", port=80, routes="All")]},
            id="an HTTPRoute of another host",
        ),
        pytest.param({"http_routes": [http_route(SHOP, kind="Service")]}, id="an HTTPRoute of the mesh"),
        pytest.param(
            {
                "http_routes": [http_route(SHOP)],
                "k8s_gateways": [k8s_gateway("", port=80, routes=OF_ANOTHER), k8s_gateway("", routes=LABELLED)],
            },
            id="an HTTPRoute of a namespace that the selector does not name",
        ),
    ],
)
@pytest.mark.parametrize("api", apis.APIS)
def test_other_objects_are_not(others: dict[str, Any], api: str) -> None:
    assert shared(deployed(api=api), **others) == []


@pytest.mark.parametrize(("routes_from", "failures"), [(["team"], 0), (["*"], 0), (["other"], 1)], ids=str)
def test_the_namespaces_of_the_config_may_have_routes(routes_from: list[str], failures: int) -> None:
    """A Gateway that accepts routes of a namespace is not edited by hand: its own check compares it with the config."""
    environment = deployed(ingress={"routesFrom": routes_from})
    others = {"gateways": [gateway(f"team/{SHOP}", name=OWN_TLS)], "virtual_services": [route(SHOP, OWN_TLS)]}
    assert len(shared(environment, **others)) == failures


def test_the_owner_of_a_host_may_have_its_routes_on_the_stacks_gateway_alone() -> None:
    environment = deployed(hosts=[{"host": SHOP, "owner": "team"}])
    own = gateway(f"team/{SHOP}", name=OWN_TLS)
    assert shared(environment, gateways=[own], virtual_services=[route(SHOP, OWN_TLS)]) == []
    other = deployed(hosts=[{"host": SHOP, "owner": "other"}])
    assert len(shared(other, gateways=[own], virtual_services=[route(SHOP, OWN_TLS)])) == 1


def test_names_below_the_stacks_wildcard_are_its_hosts() -> None:
    environment = deployed(hosts=hosts(WILDCARD, SHOP), challenge="dns01")
    gateways = [secure("a.b.acme.dev", SHOP)]
    details = {result.subject: result.detail for result in shared(environment, gateways=gateways)}
    assert "lists a.b.acme.dev on port 443, which the stack's wildcard is for" in details[WILDCARD]
    assert f"lists {SHOP}" in details[SHOP], "an exact host is its own"


def test_without_the_pods_every_gateway_counts_that_may_be_for_them() -> None:
    maybe, surely_not = secure(SHOP, selector={"app": "any"}), secure(SHOP, selector={"istio": "other"})
    assert shared(deployed(), gateways=[maybe], pods=[])
    assert not shared(deployed(), gateways=[surely_not], pods=[])


def test_further_gateways_of_many_hosts_are_the_stacks_own() -> None:
    many = [f"h{number}.acme.dev" for number in range(70)]
    environment = deployed(hosts=hosts(*many), api="gateway", certificate={"grouping": "perHost"})
    second, third = (k8s_gateway(many[-1], name=f"istio-system/tls-dev-{number}") for number in (2, 3))
    assert shared(environment, k8s_gateways=[second]) == []
    (other,) = shared(environment, k8s_gateways=[third])
    assert "Gateway istio-system/tls-dev-3" in other.detail, "70 hosts need no third one"


def test_listeners_that_are_added_to_a_gateway_that_istio_runs_are_named() -> None:
    environment = deployed(api="gateway", ingress={"deployment": "managed", "service": "edge"})
    own = k8s_gateway(SHOP, name="istio-system/http-dev", port=80, sets="Same")
    del own["spec"]["addresses"]
    added = listener_set(SHOP, name="istio-system/added", parent="http-dev", secret="other")
    results = neighbours(environment, k8s_gateways=[own], listener_sets=[added]).judge()
    (failure,) = [result for result in results if result.state == "failed"]
    assert failure.detail.startswith(f"ListenerSet istio-system/added lists {SHOP} on port 443")


def test_nobody_else_is_said_for_each_host_and_secret() -> None:
    results = neighbours(deployed()).judge()
    assert [(result.subject, result.state) for result in results] == [(SECRET, "ok"), (SHOP, "ok")]


def attracted(environment: Environment, other: dict[str, Any]) -> list[str]:
    """The hosts whose requests a browser sends over a connection to another Gateway, in words."""
    kind = "k8s_gateways" if "addresses" in other["spec"] else "gateways"
    results = neighbours(environment, **{kind: [other]}).judge()
    return [result.detail for result in results if result.check == "coalescing"]


@pytest.mark.parametrize(
    ("other", "attracts"),
    [
        pytest.param(gateway(WILDCARD), True, id="a wildcard of any namespace"),
        pytest.param(gateway(f"team/{WILDCARD}"), True, id="for routes of a namespace"),
        pytest.param(gateway(WILDCARD, name=OWN_TLS), False, id="the stack's own: Istio gives it every route"),
        pytest.param(gateway("b.acme.dev"), False, id="another host"),
        pytest.param(k8s_gateway(WILDCARD), True, id="of the Gateway API"),
        pytest.param(gateway("*.dev"), False, id="two labels below: no certificate covers it"),
        pytest.param(gateway(WILDCARD, selector={"istio": "egress"}), False, id="at other Pods"),
    ],
)
def test_a_wildcard_of_another_gateway_attracts_requests(other: dict[str, Any], attracts: bool) -> None:
    details = attracted(deployed(hosts=hosts("a.acme.dev")), other)
    assert len(details) == attracts
    assert not attracts or f"Gateway {'/'.join(key(other))} serves *.acme.dev" in details[0]


def test_a_wildcard_of_another_gateway_of_the_stack_is_named_as_its_own() -> None:
    internal = {"name": "internal", "ingress": {"service": "internal"}, "hosts": hosts(WILDCARD, "a.acme.dev")}
    live = {"internal": {"ingressIp": IP, "dnsRecords": {WILDCARD: IP, "a.acme.dev": IP}}}
    main, other = environments(state(gateways=live), config(challenge="dns01", gateways=[internal]), "dev")
    wildcard = gateway(WILDCARD, name="istio-system/tls-dev-internal")
    (detail,) = attracted(main, wildcard)
    assert "Gateway istio-system/tls-dev-internal, also of this stack, serves *.acme.dev" in detail
    assert "let one gateway serve both" in detail
    assert attracted(other, wildcard) == [], "it is that gateway's own"
    assert shared(main, gateways=[wildcard]) == [], "no neighbour"


@pytest.mark.parametrize(
    ("group", "wildcard"),
    [
        ("networking.istio.io", gateway(WILDCARD, name="istio-system/tls-other")),
        (gateway_api.GROUP, k8s_gateway(WILDCARD)),
    ],
    ids=apis.APIS,
)
def test_without_the_right_to_read_other_namespaces_the_gateways_own_is_judged(
    group: str, wildcard: dict[str, Any]
) -> None:
    api = Api()
    api.refused = 403
    api.objects[f"/apis/{group}/v1/namespaces/istio-system/gateways"] = {"items": [wildcard]}
    try:
        results = read_neighbours(deployed(hosts=hosts("a.acme.dev")), api.client())
    finally:
        api.close()
    unread = [result.detail for result in results if result.state == "skipped"]
    assert f"not read from here: gateways.{group} of all namespaces: the API server answers 403 Forbidden" in unread
    assert len(unread) == 7, "Gateways and routes of both APIs, ListenerSets, Ingresses and their classes"
    assert [result.subject for result in results if result.check == "coalescing"] == ["a.acme.dev"]
