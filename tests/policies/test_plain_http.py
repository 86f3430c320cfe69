"""No application over plain HTTP, whatever the kind, the protocol and the name of the gateway."""

from typing import Any

import pytest
from pulumi_policy import PolicyResource

from policies.gateways import NO_PLAIN_HTTP
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

NAME = "istio-system/plain"
PLAIN = gateway(http(), name="plain")
TLS = gateway(https(), name="tls")
REDIRECT = {"redirect": {"scheme": "https", "redirectCode": 301}}
ROUTE = {"route": [{"destination": {"host": "shop"}}]}
SPEC = {"hosts": ["*"], "gateways": [NAME], "http": [ROUTE]}


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
    problem = "VirtualService shop/it: http route 1 is served without TLS by server http of Gateway istio-system/plain"
    breaks(NO_PLAIN_HTTP, virtual_service(NAME), gateway(https(), server, name="plain"), saying=problem)


@pytest.mark.parametrize(
    "names",
    [
        (NAME,),
        ("plain.istio-system",),
        ("plain.istio-system.svc.cluster.local",),
        ("mesh", NAME),
        ("istio-system/tls", NAME),
        (NAME, "istio-system/tls", "mesh"),
    ],
    ids=str,
)
def test_every_name_of_a_gateway_and_other_gateways_beside_it_count(names: tuple[str, ...]) -> None:
    breaks(NO_PLAIN_HTTP, PLAIN, TLS, virtual_service(*names), saying="served without TLS")


@pytest.mark.parametrize("name", ["plain", "./plain"])
def test_a_short_name_means_a_gateway_in_the_same_namespace(name: str) -> None:
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
def test_everything_but_a_redirect_to_https_is_an_application(spec: dict[str, Any]) -> None:
    breaks(NO_PLAIN_HTTP, PLAIN, TLS, virtual_service(NAME, "istio-system/tls", **spec), saying="served without TLS")


def items(*names: str) -> list[dict[str, Any]]:
    return [{"metadata": {"name": name, "namespace": "shop"}, "spec": SPEC} for name in names]


MIXED = {"apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "metadata": {"name": "one"}, "spec": SPEC}
FORMS: dict[str, tuple[PolicyResource, str, int]] = {
    "named route": (
        virtual_service(NAME, http=[REDIRECT, {**ROUTE, "name": "checkout"}]),
        "http route checkout is served without TLS",
        1,
    ),
    "list": (kubernetes("networking.istio.io/v1:VirtualServiceList", items=items("one", "two")), "shop/one", 2),
    "mixed list": (
        kubernetes("core/v1:List", items=[{"apiVersion": "v1", "kind": "ConfigMap"}, MIXED]),
        "VirtualService one: http route 1",
        1,
    ),
    "generated name": (
        kubernetes(
            "networking.istio.io/v1:VirtualService", metadata={"generateName": "shop-", "name": None}, spec=SPEC
        ),
        "VirtualService shop/shop-: http route 1",
        1,
    ),
    "kind in the properties": (
        kubernetes("core/v1:ConfigMap", apiVersion="networking.istio.io/v1", kind="VirtualService", spec=SPEC),
        "VirtualService shop/it",
        1,
    ),
}


@pytest.mark.parametrize(("service", "saying", "times"), FORMS.values(), ids=FORMS)
def test_every_form_of_an_object_is_judged(service: PolicyResource, saying: str, times: int) -> None:
    breaks(NO_PLAIN_HTTP, PLAIN, service, saying=saying, times=times)


def test_an_object_without_a_namespace_is_in_the_default_one() -> None:
    plain = gateway(http(), name="plain", namespace="")
    breaks(NO_PLAIN_HTTP, plain, virtual_service("default/plain"), saying="Gateway plain")


def test_malformed_objects_and_those_of_other_providers_hold() -> None:
    malformed = {"hosts": "*", "gateways": NAME, "http": "route", "tcp": "route"}
    holds(NO_PLAIN_HTTP, PLAIN, kubernetes("networking.istio.io/v1:VirtualService", spec=malformed))
    holds(NO_PLAIN_HTTP, PLAIN, resource("random:index/x:X", {**MIXED, "spec": {**SPEC, "tcp": [{}]}}))


def test_patched_gateways_and_those_of_other_pods_do_not_count() -> None:
    patch = kubernetes("networking.istio.io/v1:GatewayPatch", "plain", "istio-system", spec={"servers": [http()]})
    egress = gateway(http(), name="plain", selector={"istio": "egressgateway"})
    for other in (patch, egress):
        assert findings(NO_PLAIN_HTTP.policy(), other, virtual_service(NAME)) == []


PER_GATEWAY = [
    {**REDIRECT, "match": [{"gateways": [NAME]}]},
    {**ROUTE, "match": [{"gateways": ["istio-system/tls"]}]},
]
ENCRYPTED: dict[str, tuple[dict[str, Any], PolicyResource]] = {
    "TLS": (https(), virtual_service(NAME)),
    "TCP over TLS": (https(protocol="TLS", mode="MUTUAL"), virtual_service(NAME, tcp=[ROUTE])),
    **{
        f"httpsRedirect of {protocol}": (http(protocol=protocol, httpsRedirect=True), virtual_service(NAME))
        for protocol in ("HTTP", "HTTP2", "GRPC", "GRPC-WEB")
    },
    "another host": (http("api.sandbox.test"), virtual_service(NAME)),
    "a host above the wildcard": (http("*.sandbox.test"), virtual_service(NAME, host="sandbox.test")),
    "a host beside the wildcard": (http(), virtual_service(NAME, host="*.apps.sandbox.test")),
    "hosts of another namespace": (http("other/*"), virtual_service(NAME)),
    "hosts of the Gateway's namespace": (http("./*"), virtual_service(NAME)),
    "only the mesh": (http(), virtual_service("mesh")),
    "no Gateway": (http(), virtual_service()),
    "a route for each Gateway": (http(), virtual_service(NAME, "istio-system/tls", http=PER_GATEWAY)),
}


@pytest.mark.parametrize(("server", "service"), ENCRYPTED.values(), ids=ENCRYPTED)
def test_routes_that_are_not_served_without_tls_hold(server: dict[str, Any], service: PolicyResource) -> None:
    holds(NO_PLAIN_HTTP, gateway(server, name="plain"), TLS, service)


def test_a_gateway_of_another_team_is_reported_as_an_advisory() -> None:
    service = virtual_service("platform/shared")

    assert findings(NO_PLAIN_HTTP.policy(), service) == [], "nothing is known about the Gateway"
    assert advice(service) == [
        "VirtualService shop/it is on the Gateway platform/shared, which is not of this stack (no-plain-http)"
    ]
    holds(NO_PLAIN_HTTP, virtual_service("platform/shared", http=[REDIRECT]))


@pytest.mark.parametrize(
    "type_",
    [
        "yaml:ConfigGroup",
        "yaml/v2:ConfigFile",
        "kustomize:Directory",
        "kustomize/v2:Directory",
        "helm.sh/v3:Chart",
        "helm.sh/v4:Chart",
    ],
)
def test_the_objects_of_a_group_are_judged_as_resources_of_their_own(type_: str) -> None:
    breaks(NO_PLAIN_HTTP, kubernetes(type_, files=["shop.yaml"]), PLAIN, virtual_service(NAME), saying="without TLS")
