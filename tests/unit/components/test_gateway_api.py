"""Objects of the Gateway API: their specs, and what the components register."""

from typing import Any

import pulumi
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components import HttpGateway, TlsGateway
from components.acme_issuers import solver_spec
from components.cert_manager import chart_values
from components.inputs import InputsError
from components.specs import gateway_api
from components.specs.gateway_api_limits import connection_conflicts
from tests.unit import harness
from tests.unit.components.support import ROUTE, tls

KINDS = ("Gateway", "HTTPRoute", "ReferenceGrant")
TLS_HOLDER = gateway_api.Holder("Gateway", "tls")
HOST = {"host": "a.test", "routes": [ROUTE]}


def rules(hsts: int = 0, **host: Any) -> list[dict[str, Any]]:
    """The rules of a host's HTTPRoute."""
    made: list[dict[str, Any]] = gateway_api.route_spec([TLS_HOLDER], {**HOST, **host}, hsts)["rules"]
    return made


@given(position=st.integers(0, 2047), moved=st.integers(-63, 63))
def test_a_route_has_its_listener_before_and_after_a_few_hosts_come_or_go(position: int, moved: int) -> None:
    holders = gateway_api.tls_holders("tls", 2048, managed=False)
    later = min(max(position + moved, 0), 2047)
    own, moved_to = (holders[place // gateway_api.MAX_LISTENERS] for place in (position, later))
    for place in (position, later):
        assert {own, moved_to} <= {*gateway_api.near(holders, place)}
        assert len(gateway_api.near(holders, place)) <= 3, "and it does not name them all"


def test_a_route_of_a_host_that_is_not_known_yet_names_every_gateway() -> None:
    holders = gateway_api.tls_holders("tls", 2048, managed=False)
    assert gateway_api.near(holders, None) == holders


def test_a_gateway_is_bound_to_the_service_and_has_a_listener_for_each_host() -> None:
    listeners = gateway_api.tls_listeners([("a-certs", "a.test"), ("b-certs", "*.b.test")], ["X", "Y"], "istio-system")
    spec = gateway_api.gateway_spec("gateway", "istio-system", listeners)
    assert spec["addresses"] == [{"type": "Hostname", "value": "gateway.istio-system.svc.cluster.local"}]
    assert [(one["name"], one["hostname"]) for one in listeners] == [
        ("a.test", "a.test"), ("b.test-wildcard", "*.b.test"),
    ], "a listener's name cannot have an asterisk"  # fmt: skip
    assert [one["tls"]["certificateRefs"][0]["name"] for one in listeners] == ["a-certs", "b-certs"]
    assert {one["tls"]["options"][gateway_api.CIPHER_SUITES] for one in listeners} == {"X,Y"}
    assert {one["allowedRoutes"]["namespaces"]["from"] for one in listeners} == {"Same"}
    assert "tls" not in spec, "no client certificate is asked for"
    asking = gateway_api.gateway_spec("gateway", "istio-system", listeners, "ca")
    (reference,) = asking["tls"]["frontend"]["default"]["validation"]["caCertificateRefs"]
    assert (reference["kind"], reference["name"]) == ("Secret", "ca")


def test_the_redirect_is_for_every_listener_of_port_80() -> None:
    spec = gateway_api.redirect_spec([gateway_api.Holder("Gateway", "http")])
    assert spec["parentRefs"] == [{"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "http"}]
    assert "hostnames" not in spec, "a route without names has those of the listeners"
    (rule,) = spec["rules"]
    assert rule["matches"] == [{"path": {"type": "PathPrefix", "value": "/"}}], "an exact path precedes it"
    assert rule["filters"][0]["requestRedirect"] == {"scheme": "https", "statusCode": 301}


def test_a_route_is_for_its_listener_and_leads_to_its_service() -> None:
    spec = gateway_api.route_spec([TLS_HOLDER], HOST)
    assert [(parent["name"], parent["sectionName"]) for parent in spec["parentRefs"]] == [("tls", "a.test")]
    assert spec["hostnames"] == ["a.test"]
    (rule,) = spec["rules"]
    (backend,) = rule["backendRefs"]
    assert (backend["name"], backend["namespace"], backend["port"]) == ("shop", "shop", 80)
    assert "filters" not in rule
    assert "timeouts" not in rule


def test_paths_headers_and_timeouts_of_a_route() -> None:
    headers = [{"name": "x-a", "exact": "1", "prefix": None}, {"name": "x-b", "exact": None, "prefix": "a.b"}]
    exact, prefix = rules(
        routes=[{**ROUTE, "exact": "/a", "headers": headers}, {**ROUTE, "path": "/b", "timeout": 5}],
    )
    assert exact["matches"][0]["path"] == {"type": "Exact", "value": "/a"}
    assert exact["matches"][0]["headers"] == [
        {"type": "Exact", "name": "x-a", "value": "1"},
        {"type": "RegularExpression", "name": "x-b", "value": r"a\.b.*"},
    ], "a beginning is an expression, in which nothing of the value has a meaning"
    assert prefix["matches"][0]["path"] == {"type": "PathPrefix", "value": "/b"}
    assert prefix["timeouts"] == {"request": "5s"}


def test_headers_of_answers_are_those_of_the_host_and_of_the_route() -> None:
    (rule,) = rules(
        60, response_headers={"x-a": "5%", "x-b": "1"}, routes=[{**ROUTE, "response_headers": {"x-b": "2"}}]
    )
    (answer,) = rule["filters"]
    assert answer["responseHeaderModifier"]["set"] == [
        {"name": "strict-transport-security", "value": "max-age=60"},
        {"name": "x-a", "value": "5%%"},
        {"name": "x-b", "value": "2"},
    ], "Envoy takes a per cent sign for a variable"


def test_a_host_that_redirects_has_no_application() -> None:
    (rule,) = rules(60, redirect_to="b.test", routes=[])
    redirect, answer = rule["filters"]
    assert redirect["requestRedirect"] == {"scheme": "https", "hostname": "b.test", "statusCode": 301}
    assert answer["type"] == "ResponseHeaderModifier", "HSTS is sent with the redirect"
    assert "backendRefs" not in rule


def test_hosts_share_a_connection_where_one_certificate_is_good_for_both() -> None:
    assert list(connection_conflicts([["a.test"], ["b.test"]])) == []
    assert set(connection_conflicts([["a.test", "b.test"]])) == {
        ("a.test", "b.test"),
        ("b.test", "a.test"),
    }
    assert list(connection_conflicts([["*.a.test"], ["b.a.test"]])) == [("*.a.test", "b.a.test")]
    assert list(connection_conflicts([["*.a.test"], ["a.test"], ["c.b.a.test"]])) == []


def test_a_gateway_comes_after_its_routes_and_those_after_their_grants() -> None:
    def program() -> None:
        HttpGateway("http", {"api": "gateway", "hosts": ["shop.sandbox.test"]})
        TlsGateway("tls", tls(api="gateway"))

    registered = harness.run(program)
    kinds = {resource.urn: resource.type.rpartition(":")[2] for resource in registered}
    before = {
        resource.name: sorted(kinds[urn] for urn in resource.dependencies if kinds[urn] in KINDS)
        for resource in registered
        if kinds[resource.urn] in KINDS
    }
    assert before == {
        "http-redirect": [],
        "http-gateway": ["HTTPRoute"],
        "tls-grant-shop": [],
        "tls-shop.sandbox.test": ["ReferenceGrant"],
        "tls-gateway": ["HTTPRoute"],
    }, "created in this order, and deleted in the other one"


@pytest.mark.parametrize(("managed", "others"), [(None, "Gateway"), ({}, "ListenerSet")], ids=["existing", "managed"])
def test_hosts_beyond_the_limit_of_a_gateway_have_another_one(managed: Any, others: str) -> None:
    hosts = [f"h{number}.test" for number in range(65)]
    http_gateway = None if managed is None else "http"

    def program() -> None:
        HttpGateway("http", {"api": "gateway", "hosts": hosts, "managed": managed})
        credentials = [{"secret_name": host, "hosts": [host]} for host in hosts]
        routes = [{"host": host, "routes": [ROUTE]} for host in hosts]
        TlsGateway("tls", tls(api="gateway", credentials=credentials, hosts=routes, http_gateway=http_gateway))

    registered = harness.run(program)
    listening = [resource for resource in registered if "listeners" in resource.inputs.get("spec", {})]
    of_443, suffix = (others, "-listeners") if http_gateway else ("Gateway", "")
    assert [
        (resource.inputs["kind"], resource.inputs["metadata"]["name"], len(resource.inputs["spec"]["listeners"]))
        for resource in listening
    ] == [
        ("Gateway", "http", 64),
        (others, f"http-2{suffix}", 1),
        (of_443, f"tls{suffix}", 64),
        (of_443, f"tls-2{suffix}", 1),
    ]
    parents = [resource.inputs["spec"].get("parentRef", {}).get("name") for resource in listening]
    assert parents == ([None, "http", "http", "http"] if http_gateway else [None] * 4), "what they are added to"
    (redirect,) = [resource for resource in registered if resource.name == "http-redirect"]
    assert [(one["kind"], one["name"]) for one in redirect.inputs["spec"]["parentRefs"]] == [
        ("Gateway", "http"), (others, f"http-2{suffix}"),
    ], "each host is redirected"  # fmt: skip
    (last,) = [resource for resource in registered if resource.name == "tls-h64.test"]
    parents = [(one["kind"], one["name"], one["sectionName"]) for one in last.inputs["spec"]["parentRefs"]]
    assert parents == [(of_443, f"tls{suffix}", "h64.test"), (of_443, f"tls-2{suffix}", "h64.test")], (
        "a listener may move between them"
    )


def test_a_route_names_the_gateways_beside_that_of_its_host_alone() -> None:
    hosts = [f"h{number}.test" for number in range(200)]

    def program() -> None:
        # The order of the listeners is that of the Secrets.
        credentials = [{"secret_name": host, "hosts": [host]} for host in reversed(hosts)]
        routes = [{"host": host, "routes": [ROUTE]} for host in hosts]
        TlsGateway("tls", tls(api="gateway", credentials=credentials, hosts=routes))

    named = {
        resource.name: [parent["name"] for parent in resource.inputs["spec"]["parentRefs"]]
        for resource in harness.run(program)
        if resource.inputs.get("kind") == "HTTPRoute"
    }
    assert named["tls-h0.test"] == ["tls-3", "tls-4"]
    assert named["tls-h100.test"] == ["tls", "tls-2", "tls-3"]
    assert named["tls-h199.test"] == ["tls", "tls-2"]


def test_a_gateway_that_istio_runs_has_what_its_service_is_to_have() -> None:
    managed = {"annotations": {"a": "1"}, "labels": {"b": "2"}, "parameters": "edge", "address": "192.0.2.1"}
    args: Any = {
        "api": "gateway",
        "hosts": ["a.test"],
        "managed": managed,
        "service": "edge",
        "selector": {"istio": "edge"},
    }
    registered = harness.run(lambda: HttpGateway("http", args))
    (gateway,) = [resource.inputs for resource in registered if resource.inputs.get("kind") == "Gateway"]
    assert gateway["metadata"]["annotations"]["gateway.istio.io/name-override"] == "edge"
    infrastructure = gateway["spec"]["infrastructure"]
    assert infrastructure["labels"] == {"b": "2", "istio": "edge"}
    assert infrastructure["annotations"] == {"a": "1"}, "and none of the Gateway's own"
    assert infrastructure["parametersRef"]["name"] == "edge"
    assert gateway["spec"]["addresses"] == [{"type": "IPAddress", "value": "192.0.2.1"}]


@pytest.mark.parametrize("api", ["istio", "gateway"])
def test_port_80_of_an_owned_host_takes_routes_of_its_own_namespace_alone(api: Any) -> None:
    hosts = ["owned.test", "shop.test"]

    def program() -> None:
        HttpGateway("http", {"api": api, "hosts": hosts, "owned_hosts": hosts[:1], "routes_from": ["team"]})

    (spec,) = (one.inputs["spec"] for one in harness.run(program) if one.inputs.get("kind") == "Gateway")
    if api == "istio":
        assert spec["servers"][0]["hosts"] == ["./owned.test", "./shop.test", "team/shop.test"]
    else:
        accepted = [listener["allowedRoutes"]["namespaces"]["from"] for listener in spec["listeners"]]
        assert accepted == ["Same", "Selector"], "the stack redirects it, and solvers answer its challenges"


@pytest.mark.parametrize(
    ("routes_from", "accepted"),
    [
        ([], {"from": "Same"}),
        (["*"], {"from": "All"}),
        (["shop"], {"from": "Selector", "selector": {"matchExpressions": [
            {"key": "kubernetes.io/metadata.name", "operator": "In", "values": ["istio-system", "shop"]}]}}),
    ],
)  # fmt: skip
def test_a_listener_accepts_routes_of_the_namespaces_that_are_listed(routes_from: list[str], accepted: Any) -> None:
    listeners = [
        *gateway_api.http_listeners(["a.test"], "istio-system", routes_from),
        *gateway_api.tls_listeners([("a", "a.test")], ["X"], "istio-system", routes_from),
    ]
    assert [listener["allowedRoutes"]["namespaces"] for listener in listeners] == [accepted, accepted]


def test_a_listener_of_a_host_with_an_owner_accepts_the_owners_routes_alone() -> None:
    (plain,) = gateway_api.http_listeners(["a.test"], "istio-system", ["shop"], ["a.test"])
    (secure,) = gateway_api.tls_listeners([("a", "a.test")], ["X"], "istio-system", ["shop"], [("a.test", "team")])
    assert plain["allowedRoutes"]["namespaces"] == {"from": "Same"}, "the redirect's and the solvers'"
    (named,) = secure["allowedRoutes"]["namespaces"]["selector"]["matchExpressions"]
    assert named == {"key": "kubernetes.io/metadata.name", "operator": "In", "values": ["team"]}


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"client_ca": {"secret_name": "ca"}, "http_gateway": "http"}, "client_ca cannot be set for a ListenerSet"),
        ({"min_version": "1.3"}, "min_version: '1.3' cannot be set for a listener"),
        ({"hosts": [{**HOST, "maintenance": True}]}, r"hosts\[0\].maintenance has no counterpart"),
        ({"hosts": [{**HOST, "routes": [{**ROUTE, "retries": 1}]}]}, r"hosts\[0\].routes\[0\].retries is only in"),
        ({"hosts": [{**HOST, "routes": [{**ROUTE, "rewrite": "/a"}]}]}, r"routes\[0\].rewrite: replaces the path /"),
        ({"hosts": [{**HOST, "routes": [{**ROUTE, "regex": "/(a)", "rewrite": r"/\1"}]}]}, "rewrite has groups"),
        ({"hosts": [{**HOST, "routes": [ROUTE, {**ROUTE, "regex": "/a"}]}]}, r"routes\[1\].regex is tried after"),
        ({"credentials": [{"secret_name": "a", "hosts": ["a.test", "b.test"]}]}, "a.test and b.test share"),
    ],
)
def test_what_the_api_cannot_say_is_refused(changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(InputsError, match=problem):
        harness.run(lambda: TlsGateway("tls", tls(api="gateway", **changes)))


@pytest.mark.parametrize(
    ("route", "match", "replaced"),
    [
        ({"path": "/a"}, {"type": "PathPrefix", "value": "/a"},
         {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/b"}),
        ({"exact": "/a"}, {"type": "Exact", "value": "/a"}, {"type": "ReplaceFullPath", "replaceFullPath": "/b"}),
        ({"regex": "/.*"}, {"type": "RegularExpression", "value": "/.*"},
         {"type": "ReplaceFullPath", "replaceFullPath": "/b"}),
    ],
)  # fmt: skip
def test_a_rewrite_replaces_what_the_route_matches(route: Any, match: Any, replaced: Any) -> None:
    served = {"host": "a.test", "routes": [{**ROUTE, **route, "rewrite": "/b"}]}
    (rule,) = gateway_api.route_spec([gateway_api.Holder("Gateway", "tls")], served)["rules"]
    assert rule["matches"] == [{"path": match}]
    assert rule["filters"] == [{"type": "URLRewrite", "urlRewrite": {"path": replaced}}]


def test_pages_of_other_origins_may_request_what_the_route_says() -> None:
    cors = {"allow_origins": ["https://a.test"], "allow_headers": ["x-a"], "allow_credentials": True, "max_age": 60}
    served = {"host": "a.test", "routes": [{**ROUTE, "cors": cors}]}
    (rule,) = gateway_api.route_spec([gateway_api.Holder("Gateway", "tls")], served)["rules"]
    allowed = {"allowOrigins": ["https://a.test"], "allowHeaders": ["x-a"], "allowCredentials": True, "maxAge": 60}
    assert rule["filters"] == [{"type": "CORS", "cors": allowed}]


def test_a_route_may_lead_to_its_canary_in_another_namespace() -> None:
    canary = {"service": "next", "namespace": "labs", "port": 80, "weight": 5}
    hosts = [{**HOST, "routes": [{**ROUTE, "canary": canary}]}]
    registered = harness.run(lambda: TlsGateway("tls", tls(api="gateway", hosts=hosts)))
    granted = {
        one.name: one.inputs["spec"]["to"][0]["name"]
        for one in registered
        if one.inputs.get("kind") == "ReferenceGrant"
    }
    assert granted == {"tls-grant-shop": "shop", "tls-grant-labs": "next"}
    (route,) = [one.inputs["spec"] for one in registered if one.inputs.get("kind") == "HTTPRoute"]
    backends = route["rules"][0]["backendRefs"]
    assert [(one["name"], one["namespace"], one["weight"]) for one in backends] == [
        ("shop", "shop", 95), ("next", "labs", 5),
    ]  # fmt: skip


def test_a_mirror_in_another_namespace_is_granted_and_gets_its_share() -> None:
    mirror = {"service": "next", "namespace": "labs", "port": 80, "percent": 5}
    hosts = [{**HOST, "routes": [{**ROUTE, "mirror": mirror}]}]
    registered = harness.run(lambda: TlsGateway("tls", tls(api="gateway", hosts=hosts)))
    assert registered.named("tls-grant-labs").inputs["spec"]["to"][0]["name"] == "next"
    (route,) = [one.inputs["spec"] for one in registered if one.inputs.get("kind") == "HTTPRoute"]
    (copies,) = [one for one in route["rules"][0]["filters"] if one["type"] == "RequestMirror"]
    backend = {"group": "", "kind": "Service", "name": "next", "namespace": "labs", "port": 80}
    assert copies["requestMirror"] == {"backendRef": backend, "percent": 5}


def test_the_namespaces_of_the_applications_have_to_be_known() -> None:
    def program() -> None:
        TlsGateway("tls", tls(api="gateway", hosts=[{**HOST, "routes": pulumi.Output.from_input([ROUTE])}]))

    with pytest.raises(InputsError, match=r"hosts\[0\].routes is an Output"):
        harness.run(program)


def test_cert_manager_reads_the_api_and_answers_challenges_in_it() -> None:
    assert "gatewayAPI" not in chart_values("cert-manager", {})["config"]
    values = chart_values("cert-manager", {"config": {"kubernetesAPIQPS": 1}}, gateway_api=True)
    assert (values["config"]["gatewayAPI"], values["config"]["kubernetesAPIQPS"]) == ({"enabled": True}, 1)
    assert values["podAnnotations"] != chart_values("cert-manager", {}).get("podAnnotations"), "another Pod reads it"
    solver = solver_spec({"challenge": "http01", "api": "gateway", "wait_instead_of_self_check": None})
    assert solver == {"http01": {"gatewayHTTPRoute": {"serviceType": "ClusterIP"}}}
