"""What holds for a gateway and its routes in Istio's API and in the Gateway API alike."""

from typing import Any

import pytest
from pulumi_policy import PolicyResource
from pulumi_policy.proxy import UNKNOWN_STRING_VALUE

from policies import gateways, neighbours
from policies.findings import Rule
from policies.other_kinds import OTHER_WAYS
from tests.policies.support import (
    advice,
    api_gateway,
    api_https,
    api_route,
    breaks,
    certificate,
    configured,
    findings,
    gateway,
    holds,
    http,
    https,
    kubernetes,
    listener,
    listener_set,
    virtual_service,
)

SYSTEM = "istio-system"
CIPHERS = "gateway.istio.io/tls-cipher-suites"
TO_HTTPS = {"type": "RequestRedirect", "requestRedirect": {"scheme": "https", "statusCode": 301.0}}
BACKENDS = [{"name": "shop", "port": 80.0}]


class Istio:
    """Gateways and VirtualServices."""

    label = "server http"
    missing = "has no credentialName"
    plain = staticmethod(http)
    encrypted = staticmethod(https)

    @staticmethod
    def secret(name: Any) -> dict[str, Any]:
        return {"credentialName": name}

    @staticmethod
    def suites(*suites: str) -> dict[str, Any]:
        return {"cipherSuites": list(suites)}

    @staticmethod
    def gateway(*listeners: Any, name: str = "web") -> PolicyResource:
        return gateway(*listeners, name=name)

    @staticmethod
    def route(application: bool = True, on: str = "web") -> PolicyResource:
        redirect: dict[str, Any] = {"http": [{"redirect": {"scheme": "https", "redirectCode": 301.0}}]}
        return virtual_service(f"{SYSTEM}/{on}", **({} if application else redirect))

    @staticmethod
    def accepting(namespace: str) -> dict[str, Any]:
        """A listener that takes the routes of a namespace."""
        return https(f"{namespace}/shop.sandbox.test")


class GatewayApi:
    """Gateways and HTTPRoutes of the Gateway API."""

    label = "listener web"
    missing = "has no certificateRefs"
    plain = staticmethod(listener)
    encrypted = staticmethod(api_https)

    @staticmethod
    def secret(name: Any) -> dict[str, Any]:
        return {"certificateRefs": [{"name": name}] if name else None}

    @staticmethod
    def suites(*suites: str) -> dict[str, Any]:
        return {"options": {CIPHERS: ", ".join(suites)}}

    @staticmethod
    def gateway(*listeners: Any, name: str = "web") -> PolicyResource:
        return api_gateway(namespace=SYSTEM, listeners=listeners, name=name)

    @staticmethod
    def route(application: bool = True, on: str = "web") -> PolicyResource:
        rule = {"backendRefs": BACKENDS} if application else {"filters": [TO_HTTPS]}
        return api_route(name=on, namespace=SYSTEM, rules=[rule])

    @staticmethod
    def accepting(namespace: str) -> dict[str, Any]:
        """A listener that takes the routes of a namespace."""
        selector = {"matchLabels": {"kubernetes.io/metadata.name": namespace}}
        accepted: dict[str, Any] = {"from": "Selector", "selector": selector}
        if namespace in (".", "*"):
            accepted = {"from": "Same" if namespace == "." else "All"}
        return listener("shop.sandbox.test", "HTTPS", accepted)


class ListenerSets(GatewayApi):
    """ListenerSets and HTTPRoutes of the Gateway API."""

    @staticmethod
    def gateway(*listeners: Any, name: str = "web") -> PolicyResource:
        return listener_set(*listeners, name=name)

    @staticmethod
    def route(application: bool = True, on: str = "web") -> PolicyResource:
        rule = {"backendRefs": BACKENDS} if application else {"filters": [TO_HTTPS]}
        return api_route(name=on, namespace=SYSTEM, kind="ListenerSet", rules=[rule])


Api = type[Istio] | type[GatewayApi]
pytestmark = pytest.mark.parametrize(
    "api", [Istio, GatewayApi, ListenerSets], ids=["istio", "gateway", "listener sets"]
)


def test_an_application_is_served_over_tls_and_a_redirect_without(api: Api) -> None:
    plain, encrypted = api.gateway(api.plain()), api.gateway(api.encrypted())
    breaks(gateways.NO_PLAIN_HTTP, plain, api.route(), saying=f"is served without TLS by {api.label} of")
    breaks(gateways.NO_PLAIN_HTTP, api.gateway(api.encrypted(), api.plain()), api.route(), saying="without TLS")
    holds(gateways.NO_PLAIN_HTTP, plain, api.route(application=False))
    holds(gateways.NO_PLAIN_HTTP, encrypted, api.route())
    holds(gateways.NO_PLAIN_HTTP, api.gateway(api.plain("api.sandbox.test")), api.route())
    for resource in (plain, encrypted, api.route()):
        holds(OTHER_WAYS, plain, encrypted, resource)


def test_a_route_on_a_gateway_of_another_stack_is_an_advisory(api: Api) -> None:
    assert findings(gateways.NO_PLAIN_HTTP.policy(), api.route()) == []
    (line,) = advice(api.route())
    assert "istio-system/web, which is not of this stack (no-plain-http)" in line
    holds(gateways.NO_PLAIN_HTTP, api.route(application=False))


def test_a_weak_listener_is_refused(api: Api) -> None:
    cases: list[tuple[Rule[Any], dict[str, Any], str]] = [
        (
            gateways.CIPHER_SUITES,
            api.suites("ECDHE-RSA-AES128-GCM-SHA256", "AES128-SHA"),
            "the cipher suite AES128-SHA",
        ),
        (gateways.CERTIFICATE, api.secret(None), api.missing),
        (gateways.CERTIFICATE, api.secret("other"), "no Certificate of the stack fills the Secret other"),
        (gateways.CERTIFICATE, api.secret("far"), "in namespace shop, and the gateway in istio-system"),
        (gateways.CERTIFICATE, api.secret("api"), "shop.sandbox.test is not in the certificate of Secret api"),
    ]
    others = [certificate("api.sandbox.test", secret="api", name="api"), certificate(secret="far", namespace="shop")]
    for rule, tls, saying in cases:
        breaks(rule, certificate(), *others, api.gateway(api.encrypted(**tls)), saying=saying)
        holds(rule, certificate(), *others, api.gateway(api.plain(), api.encrypted()))


def test_a_listener_that_may_not_end_tls_is_refused(api: Api) -> None:
    for server, saying in (
        (api.encrypted(mode="PASSTHROUGH" if api is Istio else "Passthrough"), "has the TLS mode P"),
        (api.plain(protocol="HTTPS"), "has protocol HTTPS and no TLS settings"),
    ):
        breaks(gateways.MODE, api.gateway(server), saying=saying)
    holds(gateways.MODE, api.gateway(api.plain(), api.encrypted()))


def test_in_production_only_listed_namespaces_have_routes(api: Api) -> None:
    own, every, other = (api.gateway(api.accepting(namespace)) for namespace in (".", "*", "shop"))
    owned = {"host": "shop.sandbox.test"}
    holds(neighbours.ROUTES_FROM, own, every, other)
    with configured(production="true"):
        holds(neighbours.ROUTES_FROM, own)
        breaks(neighbours.ROUTES_FROM, every, saying="shop.sandbox.test takes routes from every namespace")
        breaks(neighbours.ROUTES_FROM, other, saying="takes routes from shop, which ingress.routesFrom does not list")
    with configured(production="true", ingress={"routesFrom": ["shop"]}):
        holds(neighbours.ROUTES_FROM, other)
        breaks(neighbours.ROUTES_FROM, every, saying="every namespace")
    with configured(production="true", ingress={"routesFrom": ["*"]}):
        holds(neighbours.ROUTES_FROM, every)
    with configured(production="true", ingress={"routesFrom": ["*"]}, hosts=[{**owned, "owner": "shop"}]):
        holds(neighbours.ROUTES_FROM, other)
        breaks(neighbours.ROUTES_FROM, every, saying="from every namespace, although its owner is shop")
    with configured(production="true", hosts=[{**owned, "owner": "team"}]):
        breaks(neighbours.ROUTES_FROM, other, saying="from shop, although its owner is team")


@pytest.mark.parametrize("rule", [gateways.MODE, gateways.TLS_VERSION, gateways.CIPHER_SUITES, gateways.CERTIFICATE])
def test_an_unknown_mode_hides_no_other_listener(api: Api, rule: Rule[Any]) -> None:
    unknown = api.gateway(api.encrypted(mode=UNKNOWN_STRING_VALUE), api.plain(protocol="HTTPS"))
    (line,) = advice(unknown, rule=rule)
    assert ".tls.mode is not known in this preview" in line
    assert bool(findings(gateways.MODE.policy(), unknown)), "the other listener is judged"


def test_an_unknown_secret_is_an_advisory(api: Api) -> None:
    (line,) = advice(api.gateway(api.encrypted(**api.secret(UNKNOWN_STRING_VALUE))), rule=gateways.CERTIFICATE)
    assert "is not known in this preview" in line


def test_an_extension_in_the_gateways_namespace_is_refused(api: Api) -> None:
    edge = kubernetes("extensions.istio.io/v1alpha1:WasmPlugin", "it", "edge", spec={})
    with configured(ingress={"namespace": "elsewhere"}):
        holds(OTHER_WAYS, edge)
        there = gateway(https(), namespace="edge") if api is Istio else api_gateway(namespace="edge")
        breaks(OTHER_WAYS, there, edge, saying="WasmPlugin edge/it has changes for the gateway itself")
