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
        http(protocol="TCP", number=443),
        http(protocol="HTTPS", number=443),
        http(protocol=None),
        http("*"),
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


def test_a_gateway_without_tls_counts_beside_others() -> None:
    service = virtual_service("mesh", "istio-system/tls", "plain.istio-system")
    breaks(NO_PLAIN_HTTP, PLAIN, TLS, service, saying="served without TLS")


@pytest.mark.parametrize(
    "spec",
    [
        {"http": [REDIRECT, ROUTE]},
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


KIND = "networking.istio.io/v1:VirtualService"
MIXED = {"apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "metadata": {"name": "one"}, "spec": SPEC}
UNNAMED = {"generateName": "shop-", "name": None}
FORMS: dict[str, tuple[PolicyResource, str]] = {
    "named route": (virtual_service(NAME, http=[REDIRECT, {**ROUTE, "name": "checkout"}]), "http route checkout is"),
    "mixed list": (kubernetes("core/v1:List", items=[{"apiVersion": "v1", "kind": "ConfigMap"}, MIXED]), "Service one"),
    "generated name": (kubernetes(KIND, metadata=UNNAMED, spec=SPEC), "VirtualService shop/shop-: http route 1"),
    "kind in the properties": (resource("kubernetes:core/v1:ConfigMap", MIXED), "VirtualService one"),
}


@pytest.mark.parametrize(("service", "saying"), FORMS.values(), ids=FORMS)
def test_every_form_of_an_object_is_judged(service: PolicyResource, saying: str) -> None:
    breaks(NO_PLAIN_HTTP, PLAIN, service, saying=saying)


def test_every_object_of_a_list_is_judged() -> None:
    items = [{"metadata": {"name": name, "namespace": "shop"}, "spec": SPEC} for name in ("one", "two")]
    breaks(NO_PLAIN_HTTP, PLAIN, kubernetes(f"{KIND}List", items=items), saying="shop/one", times=2)


def test_an_object_without_a_namespace_is_in_the_default_one() -> None:
    plain = gateway(http(), name="plain", namespace="")
    breaks(NO_PLAIN_HTTP, plain, virtual_service("default/plain"), saying="Gateway plain")


def test_malformed_objects_and_those_of_other_providers_hold() -> None:
    malformed = {"hosts": "*", "gateways": NAME, "http": "route", "tcp": "route"}
    holds(NO_PLAIN_HTTP, PLAIN, kubernetes(KIND, spec=malformed))
    holds(NO_PLAIN_HTTP, PLAIN, resource("random:index/x:X", {**MIXED, "spec": {**SPEC, "tcp": [{}]}}))


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
