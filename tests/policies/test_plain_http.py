"""No application over plain HTTP, whatever the kind, the protocol and the way that a Gateway is named."""

from typing import Any

import pytest
from pulumi_policy import PolicyResource

from components.specs.istio import http_gateway_spec, redirect_spec
from policies.plain_http import NO_PLAIN_HTTP
from tests.policies.support import (
    advice,
    breaks,
    findings,
    gateway,
    holds,
    http,
    https,
    kubernetes,
    resource,
    virtual_service,
)

PLAIN = gateway(http(), name="plain")
TLS = gateway(https(), name="tls")
REDIRECT = {"redirect": {"scheme": "https", "redirectCode": 301}}
ROUTE = {"route": [{"destination": {"host": "shop"}}]}


@pytest.mark.parametrize(
    "server",
    [
        http(),
        http(protocol="http"),
        http(protocol="HTTP2"),
        http(protocol="GRPC", number=8080),
        http(protocol="GRPC-WEB", number=9000),
        http(protocol="TCP", number=443),
        http(protocol="MONGO", number=27017),
        http(protocol="HTTPS", number=443),
        http(protocol=None),
        http("*"),
        http("*.sandbox.test"),
        http("*/shop.sandbox.test"),
        http("shop/*.test"),
        http(httpsRedirect=False),
        http(protocol="TCP", httpsRedirect=True),
    ],
    ids=str,
)
def test_an_application_on_a_server_without_tls_is_refused(server: dict[str, Any]) -> None:
    service = virtual_service("istio-system/plain")
    breaks(
        NO_PLAIN_HTTP,
        service,
        gateway(https(), server, name="plain"),
        saying="VirtualService shop/it: http route 1 is served without TLS by server http of Gateway istio-system/pl",
    )


@pytest.mark.parametrize(
    "names",
    [
        ("istio-system/plain",),
        ("plain.istio-system",),
        ("plain.istio-system.svc.cluster.local",),
        ("mesh", "istio-system/plain"),
        ("istio-system/tls", "istio-system/plain"),
        ("istio-system/plain", "istio-system/tls", "mesh"),
    ],
    ids=str,
)
def test_it_is_refused_by_whichever_name_and_beside_whichever_gateways(names: tuple[str, ...]) -> None:
    breaks(NO_PLAIN_HTTP, PLAIN, TLS, virtual_service(*names), saying="served without TLS")


@pytest.mark.parametrize("name", ["plain", "./plain"])
def test_a_short_name_is_a_gateway_of_the_virtual_services_own_namespace(name: str) -> None:
    own = gateway(http("./*"), name="plain", namespace="shop")
    breaks(NO_PLAIN_HTTP, own, virtual_service(name), saying="Gateway shop/plain")


@pytest.mark.parametrize(
    "spec",
    [
        {"http": [REDIRECT, ROUTE]},
        {"http": [{"directResponse": {"status": 200.0, "body": {"string": "hello"}}}]},
        {"http": [{"delegate": {"name": "shop", "namespace": "shop"}}]},
        {"http": [{"redirect": {"uri": "/elsewhere"}}]},
        {"http": [{"redirect": {"scheme": "http", "authority": "other.sandbox.test"}}]},
        {"http": [{**REDIRECT, **ROUTE}]},
        {"http": [{**REDIRECT, "directResponse": {"status": 200.0}}]},
        {"http": [{**REDIRECT, "delegate": {"name": "shop", "namespace": "shop"}}]},
        {"http": [{**REDIRECT, "mirror": {"host": "shop"}}]},
        {"http": [{**REDIRECT, "mirrors": [{"destination": {"host": "shop"}}]}]},
        {"http": [{**ROUTE, "match": [{"port": 443.0}]}]},
        {"http": [{**ROUTE, "match": [{"gateways": ["istio-system/tls"]}, {"uri": {"prefix": "/"}}]}]},
        {"http": [{**ROUTE, "match": [{"gateways": ["plain.istio-system"]}]}]},
        {"tcp": [ROUTE]},
    ],
    ids=str,
)
def test_whatever_is_no_redirect_to_https_is_an_application(spec: dict[str, Any]) -> None:
    service = virtual_service("istio-system/plain", "istio-system/tls", **spec)
    breaks(NO_PLAIN_HTTP, PLAIN, TLS, service, saying="served without TLS")


def test_a_route_is_called_by_its_name_where_it_has_one() -> None:
    named = virtual_service("istio-system/plain", http=[REDIRECT, {**ROUTE, "name": "checkout"}])
    breaks(NO_PLAIN_HTTP, PLAIN, named, saying="http route checkout is served without TLS")


def test_a_list_of_virtual_services_is_judged_one_by_one() -> None:
    spec = {"hosts": ["*"], "gateways": ["istio-system/plain"], "http": [ROUTE]}
    items = [{"metadata": {"name": name, "namespace": "shop"}, "spec": spec} for name in ("one", "two")]
    listed = kubernetes("networking.istio.io/v1:VirtualServiceList", items=items)
    breaks(NO_PLAIN_HTTP, PLAIN, listed, saying="VirtualService shop/one", times=2)


def test_a_list_of_several_kinds_is_judged_one_by_one() -> None:
    spec = {"hosts": ["*"], "gateways": ["istio-system/plain"], "http": [ROUTE]}
    item = {"apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "metadata": {"name": "one"}, "spec": spec}
    mixed = kubernetes("core/v1:List", items=[{"apiVersion": "v1", "kind": "ConfigMap"}, item])
    breaks(NO_PLAIN_HTTP, PLAIN, mixed, saying="VirtualService one: http route 1")


def test_objects_without_a_namespace_are_in_the_default_one() -> None:
    plain = gateway(http(), name="plain", namespace="")
    breaks(NO_PLAIN_HTTP, plain, virtual_service("default/plain"), saying="Gateway plain")


def test_an_object_without_a_name_is_called_by_what_the_name_begins_with() -> None:
    spec = {"hosts": ["*"], "gateways": ["istio-system/plain"], "http": [ROUTE]}
    made_up = {"generateName": "shop-", "name": None}
    unnamed = kubernetes("networking.istio.io/v1:VirtualService", metadata=made_up, spec=spec)
    breaks(NO_PLAIN_HTTP, PLAIN, unnamed, saying="VirtualService shop/shop-: http route 1")


def test_a_text_where_a_list_belongs_is_left_to_the_api_server() -> None:
    spec = {"hosts": "*", "gateways": "istio-system/plain", "http": "route", "tcp": "route"}
    holds(NO_PLAIN_HTTP, PLAIN, kubernetes("networking.istio.io/v1:VirtualService", spec=spec))


def test_resources_of_other_providers_are_no_objects() -> None:
    props = {"metadata": {"name": "it"}, "spec": {"hosts": ["*"], "gateways": ["istio-system/plain"], "tcp": [{}]}}
    other = {"apiVersion": "networking.istio.io/v1", "kind": "VirtualService", **props}
    holds(NO_PLAIN_HTTP, PLAIN, resource("random:index/x:X", other))


def test_a_patch_is_no_gateway_that_routes_are_on() -> None:
    patch = kubernetes("networking.istio.io/v1:GatewayPatch", "plain", "istio-system", spec={"servers": [http()]})
    assert findings(NO_PLAIN_HTTP.policy(), patch, virtual_service("istio-system/plain")) == []


def test_a_kind_that_only_the_properties_name_is_judged() -> None:
    spec = {"hosts": ["*"], "gateways": ["istio-system/plain"], "http": [ROUTE]}
    disguised = kubernetes("core/v1:ConfigMap", apiVersion="networking.istio.io/v1", kind="VirtualService", spec=spec)
    breaks(NO_PLAIN_HTTP, PLAIN, disguised, saying="VirtualService shop/it")


def test_redirects_of_the_program_hold() -> None:
    hosts = ["shop.sandbox.test"]
    plain = kubernetes("networking.istio.io/v1:Gateway", "http-dev", "istio-system", spec=http_gateway_spec({}, hosts))
    redirect = kubernetes(
        "networking.istio.io/v1:VirtualService", "http-dev", "istio-system", spec=redirect_spec("http-dev", hosts)
    )
    holds(NO_PLAIN_HTTP, plain, redirect)


@pytest.mark.parametrize(
    ("server", "service"),
    [
        (https(), virtual_service("istio-system/plain")),
        (https(protocol="TLS", mode="MUTUAL"), virtual_service("istio-system/plain", tcp=[ROUTE])),
        (http(httpsRedirect=True), virtual_service("istio-system/plain")),
        (http("api.sandbox.test"), virtual_service("istio-system/plain")),
        (http(protocol="HTTP2", httpsRedirect=True), virtual_service("istio-system/plain")),
        (http(protocol="GRPC", httpsRedirect=True), virtual_service("istio-system/plain")),
        (http(protocol="GRPC-WEB", httpsRedirect=True), virtual_service("istio-system/plain")),
        (http("*.sandbox.test"), virtual_service("istio-system/plain", host="sandbox.test")),
        (http(), virtual_service("istio-system/plain", host="*.apps.sandbox.test")),
        (http("other/*"), virtual_service("istio-system/plain")),
        (http("./*"), virtual_service("istio-system/plain")),
        (http(), virtual_service("mesh")),
        (http(), virtual_service()),
        (
            http(),
            virtual_service(
                "istio-system/plain",
                "istio-system/tls",
                http=[
                    {**REDIRECT, "match": [{"gateways": ["istio-system/plain"]}]},
                    {**ROUTE, "match": [{"gateways": ["istio-system/tls"]}]},
                ],
            ),
        ),
    ],
    ids=[
        "TLS",
        "TCP over TLS",
        "httpsRedirect",
        "httpsRedirect of HTTP2",
        "httpsRedirect of GRPC",
        "httpsRedirect of GRPC-WEB",
        "another host",
        "a wildcard that the host is not under",
        "a host that is not under the wildcard",
        "another namespace's hosts",
        "the Gateway's own namespace's hosts",
        "mesh alone",
        "no Gateway",
        "each route for its Gateway",
    ],
)
def test_what_is_not_served_without_tls_holds(server: dict[str, Any], service: PolicyResource) -> None:
    holds(NO_PLAIN_HTTP, gateway(server, name="plain"), TLS, service)


def test_a_gateway_of_another_team_is_no_problem_and_is_named() -> None:
    service = virtual_service("platform/shared")

    assert findings(NO_PLAIN_HTTP.policy(), service) == [], "nobody here knows what it is"
    assert advice(service) == [
        "VirtualService shop/it is on the Gateway platform/shared, which is not of this stack (no-plain-http)"
    ]
    holds(NO_PLAIN_HTTP, virtual_service("platform/shared", http=[REDIRECT]))


def test_a_gateway_for_other_pods_may_be_plain() -> None:
    egress = gateway(http(), name="egress", selector={"istio": "egressgateway"})
    assert findings(NO_PLAIN_HTTP.policy(), egress, virtual_service("istio-system/egress")) == []


@pytest.mark.parametrize(
    "type_",
    [
        "yaml:ConfigGroup",
        "yaml:ConfigFile",
        "yaml/v2:ConfigGroup",
        "yaml/v2:ConfigFile",
        "kustomize:Directory",
        "kustomize/v2:Directory",
        "helm.sh/v3:Chart",
        "helm.sh/v4:Chart",
    ],
)
def test_what_a_group_of_yaml_makes_is_judged_as_a_resource_of_its_own(type_: str) -> None:
    group = kubernetes(type_, files=["shop.yaml"])
    breaks(NO_PLAIN_HTTP, group, PLAIN, virtual_service("istio-system/plain"), saying="served without TLS")
