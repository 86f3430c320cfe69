"""What becomes of Gateways and HTTPRoutes of the Gateway API that were made by hand, or by ingress2gateway."""

from dataclasses import replace
from typing import Any

import pytest

from tests.unit.tlsctl.adopt.objects import (
    CERTIFICATE,
    ISTIO,
    SHOP,
    api_gateway,
    api_route,
    certificate,
    commands,
    gateway,
    hosts,
    in_gateway_api,
    notes,
    obj,
    record,
    redirect,
)
from tests.unit.tlsctl.adopt.test_decisions import CLOSE, accepted
from tlsctl.adopt.decisions import Decision, decide

API, BLOG = "api.acme.dev", "blog.acme.dev"
K8S = "gateway.networking.k8s.io"
DELETE = f"kubectl --namespace {ISTIO} delete"


def decided(*gateways: Any, challenge: str | None = None, **changed: Any) -> Decision:
    """The decision on a cluster that was set up by hand in the Gateway API, with these changes."""
    return decide(in_gateway_api(*gateways, **changed), "prod", challenge)


def test_what_was_set_up_by_hand_becomes_a_config_in_the_same_api() -> None:
    decision = decided(http_routes=[redirect(section=f"{SHOP}-http"), api_route(section=f"{SHOP}-https")])
    assert decision.config == {
        "acme": {"issuer": "prod", "email": "platform@acme.dev", "createIssuers": True},
        "api": "gateway",
        "hosts": [{"host": SHOP, "service": "shop", "namespace": "shop", "port": 80}],
        "dns": {"zone": "acme", "ttl": 60},
        "certManager": {"install": False},
        "certificate": {"algorithm": "RSA", "size": 2048},
    }
    assert accepted(decision).api == "gateway"
    assert "enableGatewayAPI" in decision.before_notes[0].what, "cert-manager is that of a manifest"
    assert commands(decision) == [
        f"kubectl --namespace {ISTIO} patch gateways.{K8S} shop-gateway --type json --patch"
        ' \'[{"op":"remove","path":"/spec/listeners/1/hostname"}]\'',
        "sleep 60",
        f"{DELETE} gateways.{K8S} shop-gateway",
        f"{DELETE} httproutes.{K8S} redirect",
        f"{DELETE} httproutes.{K8S} shop",
    ]


def test_several_hosts_have_a_certificate_each() -> None:
    by_hand = api_gateway("shop-gateway", SHOP, API)
    shared = certificate(CERTIFICATE, SHOP, API)
    decision = decided(by_hand, http_routes=[api_route(), api_route("api", API)], certificates=[shared])
    assert decision.config["certificate"]["grouping"] == "perHost"
    assert {host.host for host in accepted(decision).hosts} == {SHOP, API}
    assert f"Certificate {ISTIO}/{CERTIFICATE} is replaced by one for each host" in notes(decision)
    assert f"{DELETE} certificates.cert-manager.io {CERTIFICATE}" in commands(decision)


def test_paths_come_in_the_order_in_which_the_api_compares_them() -> None:
    def at(name: str, path: str, type_: str = "PathPrefix") -> dict[str, Any]:
        return api_route(name, match={"path": {"type": type_, "value": path}})

    parts = [at("root", "/"), at("cart", "/cart/"), at("again", "/cart"), at("one", "/c", "Exact")]
    routes = decided(http_routes=parts).config["hosts"][0]["routes"]
    assert [(route.get("path"), route.get("exact")) for route in routes] == [(None, "/c"), ("/cart", None), ("/", None)]


HEADER = {"type": "ResponseHeaderModifier", "responseHeaderModifier": {}}
REWRITE = {"type": "URLRewrite", "urlRewrite": {"hostname": "x.test"}}
TWO = [{"name": "shop", "port": 80}, {"name": "api", "port": 80}]
ELSEWHERE = {"type": "RequestRedirect", "requestRedirect": {"scheme": "https", "hostname": "x.test"}}


@pytest.mark.parametrize(
    ("route", "reason"),
    [
        (api_route(filters=[REWRITE]), "has a rule with the filters URLRewrite"),
        (api_route(filters=[HEADER]), "has a rule with the filters ResponseHeaderModifier"),
        (api_route(filters=[ELSEWHERE]), "has a rule with the filters RequestRedirect"),
        (api_route(backendRefs=TWO), "has a rule with 2 backends"),
        (api_route(backendRefs=[{"kind": "Backend", "name": "x"}]), "leads to a Backend"),
        (api_route(timeouts={"request": "5s"}), "has a rule with timeouts"),
        (api_route(match={"headers": []}), "has a match by headers"),
        (
            api_route(match={"path": {"type": "RegularExpression", "value": "/.*"}}),
            "has a match by a path of the type Reg",
        ),
    ],
    ids=str,
)
def test_a_route_that_the_config_cannot_express_stays_and_is_named(route: Any, reason: str) -> None:
    decision = decided(http_routes=[route])
    assert hosts(decision) == []
    assert f"HTTPRoute {ISTIO}/shop {reason}" in notes(decision)
    assert commands(decision)[0].startswith(f"kubectl --namespace {ISTIO} edit gateways.{K8S} shop-gateway")


def test_strict_transport_security_is_taken_over() -> None:
    header = {"name": "Strict-Transport-Security", "value": "max-age=600"}
    filters = [{"type": "ResponseHeaderModifier", "responseHeaderModifier": {"set": [header]}}]
    assert decided(http_routes=[api_route(filters=filters)]).config["tls"] == {"hsts": 600}


def test_a_host_that_would_share_connections_with_a_wildcard_stays() -> None:
    wildcard = api_gateway("shop-gateway", "*.acme.dev", SHOP)
    decision = decided(wildcard, challenge="dns01", http_routes=[api_route("all", "*.acme.dev"), api_route()])
    assert len(hosts(decision)) == 1
    assert accepted(decision), "the program accepts the rest"
    assert "shares connections of browsers with" in notes(decision)


@pytest.mark.parametrize(("routes", "listed"), [("All", ["*"]), ("Same", None)])
def test_the_stacks_listeners_accept_routes_as_those_beside_them(routes: str, listed: list[str] | None) -> None:
    decision = decided(api_gateway(routes=routes), http_routes=[api_route(namespace="shop", on="shop-gateway")])
    assert hosts(decision) == [], "the Gateway of this name is in another namespace"
    own = {**api_route(namespace="shop"), "kind": "HTTPRoute"}
    own["spec"]["parentRefs"][0]["namespace"] = ISTIO
    decision = decided(api_gateway(routes=routes), http_routes=[own])
    assert hosts(decision) == ([SHOP] if listed else []), "a listener of its own namespace's routes has no others"
    assert decision.config.get("ingress", {}).get("routesFrom") == (listed if hosts(decision) else None)
    assert (commands(decision)[-2:] == CLOSE) is bool(listed)


def test_a_route_of_the_name_that_the_stack_uses_is_copied_before_it_is_taken_over() -> None:
    (copied,) = decided(http_routes=[api_route(SHOP)]).before
    assert (copied["kind"], copied["apiVersion"]) == ("HTTPRoute", f"{K8S}/v1")
    assert [parent["name"] for parent in copied["spec"]["parentRefs"]] == ["shop-gateway", "tls-prod"]


def test_a_gateway_of_its_own_is_deleted_when_the_records_have_moved() -> None:
    """As ingress2gateway prints it: beside the application, and Istio runs Pods and a load balancer for it."""
    own = api_gateway("nginx", namespace="shop", own_pods=True)
    grant = obj("ReferenceGrant", "to-api", {"from": [{"kind": "HTTPRoute", "namespace": "shop"}]}, "api")
    moved: dict[str, Any] = {
        "http_routes": [api_route(namespace="shop", on="nginx")],
        "record_sets": [record(address="198.51.100.7")],
        "certificates": [{**certificate(), "metadata": {"name": CERTIFICATE, "namespace": "shop"}}],
        "grants": [grant],
    }
    assert "HTTP-01 would prove it there" in notes(decided(own, **moved))
    decision = decided(own, challenge="dns01", **moved)
    assert (decision.elsewhere, decision.config["api"]) == ([SHOP], "gateway")
    assert commands(decision) == [
        "sleep 60",
        f"kubectl --namespace shop delete gateways.{K8S} nginx",
        f"kubectl --namespace shop delete httproutes.{K8S} shop",
        f"kubectl --namespace api delete referencegrants.{K8S} to-api",
        f"kubectl --namespace shop delete certificates.cert-manager.io {CERTIFICATE}",
        f"kubectl --namespace shop delete secret {CERTIFICATE}",
    ]


def test_a_gateway_of_the_other_api_is_named_and_stays() -> None:
    decision = decide(in_gateway_api(api_gateway(), api_gateway("two", BLOG)), "prod")
    assert decision.config["api"] == "gateway"
    mixed = in_gateway_api(api_gateway())
    decision = decide(replace(mixed, gateways=[gateway("older")]), "prod")
    assert "api" not in decision.config, "of as many in each, Istio's own"
    assert f"Gateway {ISTIO}/shop-gateway is of the other API than most" in notes(decision)


def test_an_issuer_with_a_solver_of_the_gateway_api_proves_by_http01() -> None:
    by_route = [{"http01": {"gatewayHTTPRoute": {"parentRefs": [{"name": "shop-gateway"}]}}}]
    cluster = in_gateway_api()
    cluster.issuers[0]["spec"]["acme"]["solvers"] = by_route
    decision = decide(cluster, "prod")
    assert "challenge" not in decision.config
    assert "has a solver of" not in notes(decision)
