"""What only the Gateway API has: Istio's options of a listener, references to other namespaces, and their grants."""

from typing import Any

import pytest
from pulumi_policy import PolicyResource

from policies import gateways, neighbours
from policies.findings import Rule
from policies.gateways import NO_PLAIN_HTTP
from policies.other_kinds import OTHER_WAYS
from tests.policies.support import (
    api_gateway,
    api_https,
    api_route,
    breaks,
    certificate,
    configured,
    holds,
    kubernetes,
    listener,
)

OPTION = "gateway.istio.io/tls-terminate-mode"
TO_HTTPS = {"type": "RequestRedirect", "requestRedirect": {"scheme": "https", "statusCode": 301.0}}
MIRROR = {"type": "RequestMirror", "requestMirror": {"backendRef": {"name": "shop"}}}
LABELS = {"matchLabels": {"team": "shop"}}


def selecting(**expression: Any) -> dict[str, Any]:
    """Which routes a listener accepts: those of the namespaces with a name."""
    names = {"key": "kubernetes.io/metadata.name", "operator": "In", "values": ["istio-system", "shop"], **expression}
    return {"from": "Selector", "selector": {"matchExpressions": [names]}}


LISTENERS: dict[str, tuple[Rule[Any], dict[str, Any], str]] = {
    "Istio's own certificate": (
        gateways.MODE,
        api_https(options={OPTION: "ISTIO_SIMPLE"}),
        "has the TLS mode ISTIO_SIMPLE",
    ),
    "workloads of the mesh": (
        gateways.MODE,
        api_https(options={OPTION: "ISTIO_MUTUAL"}),
        "has the TLS mode ISTIO_MUTUAL",
    ),
    "an option of a later Istio": (
        gateways.TLS_VERSION,
        api_https(options={"gateway.istio.io/tls-min-version": "1.0"}),
        "listener web has the option gateway.istio.io/tls-min-version, which no policy judges",
    ),
    "a Secret of another namespace": (
        gateways.CERTIFICATE,
        api_https(certificateRefs=[{"name": "certs", "namespace": "shop"}]),
        "the Secret certs is in namespace shop, and the gateway in istio-system",
    ),
    "no Secret": (
        gateways.CERTIFICATE,
        api_https(certificateRefs=[{"kind": "ConfigMap", "name": "certs"}]),
        "has no certificateRefs",
    ),
    "every host": (gateways.CERTIFICATE, api_https(None), "* is not in the certificate of Secret certs"),
}


@pytest.mark.parametrize(("rule", "server", "saying"), LISTENERS.values(), ids=LISTENERS)
def test_a_listener_is_judged_as_istio_reads_it(rule: Rule[Any], server: dict[str, Any], saying: str) -> None:
    breaks(rule, certificate(), api_gateway(namespace="istio-system", listeners=[server]), saying=saying)


@pytest.mark.parametrize("option", ["MUTUAL", "OPTIONAL_MUTUAL", "none that Istio knows"])
def test_modes_that_present_the_listeners_certificate_hold(option: str) -> None:
    server = api_https(options={OPTION: option, "networking.gke.io/pre-shared-certs": "x"}, mode=None)
    for rule in (gateways.MODE, gateways.TLS_VERSION, gateways.CIPHER_SUITES, gateways.CERTIFICATE):
        holds(rule, certificate(), api_gateway(namespace="istio-system", listeners=[server]))


RULES: dict[str, dict[str, Any]] = {
    "nothing": {},
    "a Service": {"backendRefs": [{"name": "shop"}]},
    "a redirect to another host": {"filters": [{"type": "RequestRedirect", "requestRedirect": {"hostname": "x.test"}}]},
    "a redirect and a mirror": {"filters": [TO_HTTPS, MIRROR]},
    "a redirect and a Service": {"filters": [TO_HTTPS], "backendRefs": [{"name": "shop"}]},
}


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_everything_but_a_redirect_to_https_is_an_application(rule: dict[str, Any]) -> None:
    route = api_route(rules=[{"filters": [TO_HTTPS]}, rule])
    breaks(NO_PLAIN_HTTP, api_gateway(listeners=[listener()]), route, saying="HTTPRoute shop/route: rule 2 is served")


ATTACHED: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "every host": ({"host": None}, {}),
    "a wildcard": ({"host": "*.sandbox.test"}, {}),
    "by its name": ({}, {"sectionName": "web"}),
    "by its port": ({}, {"port": 80.0}),
    "by a label that anyone may give": ({"routes": {"from": "Selector", "selector": LABELS}}, {}),
    "by the namespaces' names": ({"routes": selecting()}, {}),
    "by other namespaces' names": ({"routes": selecting(operator="NotIn", values=["other"])}, {}),
    "without a selector": ({"routes": {"from": "Selector"}}, {}),
}


@pytest.mark.parametrize(("server", "parent"), ATTACHED.values(), ids=ATTACHED)
def test_a_route_is_judged_at_each_listener_that_takes_it(server: dict[str, Any], parent: dict[str, Any]) -> None:
    edge = api_gateway(namespace="edge", listeners=[listener(**server)])
    breaks(NO_PLAIN_HTTP, edge, api_route(namespace="edge", **parent), saying="without TLS by listener web")


ELSEWHERE: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "another listener": ({}, {"sectionName": "other"}),
    "another port": ({}, {"port": 443.0}),
    "another host": ({"host": "api.sandbox.test"}, {}),
    "the Gateway's namespace": ({"routes": {"from": "Same"}}, {}),
    "the default": ({"routes": {}}, {}),
    "other namespaces": ({"routes": selecting(values=["api"])}, {}),
}


@pytest.mark.parametrize(("server", "parent"), ELSEWHERE.values(), ids=ELSEWHERE)
def test_a_route_that_no_listener_without_tls_takes_holds(server: dict[str, Any], parent: dict[str, Any]) -> None:
    edge = api_gateway(namespace="edge", listeners=[listener(**server)])
    holds(NO_PLAIN_HTTP, edge, api_route(namespace="edge", **parent))


def test_labels_of_namespaces_count_as_every_namespace_in_production() -> None:
    labelled = api_https(routes={"from": "Selector", "selector": LABELS})
    with configured(production="true"):
        breaks(neighbours.ROUTES_FROM, api_gateway(listeners=[labelled]), saying="takes routes from every namespace")


@pytest.mark.parametrize("namespaces", ["All", "Selector"])
def test_a_gateway_that_takes_listeners_of_other_namespaces_is_refused(namespaces: str) -> None:
    accepting = api_gateway(allowedListeners={"namespaces": {"from": namespaces}})
    breaks(OTHER_WAYS, accepting, saying="has allowedListeners for ListenerSets of other namespaces")
    for own in ("None", "Same"):
        holds(OTHER_WAYS, api_gateway(allowedListeners={"namespaces": {"from": own}}))


def grant(to: dict[str, Any], namespace: str = "edge", version: str = "v1beta1") -> PolicyResource:
    """A ReferenceGrant in the namespace shop."""
    spec = {"from": [{"group": "gateway.networking.k8s.io", "kind": "Gateway", "namespace": namespace}], "to": [to]}
    return kubernetes(f"gateway.networking.k8s.io/{version}:ReferenceGrant", "it", spec=spec)


@pytest.mark.parametrize("version", ["v1beta1", "v1"])
def test_a_wide_grant_is_refused(version: str) -> None:
    for to, saying in (
        (
            {"group": "", "kind": "Secret"},
            "ReferenceGrant shop/it is too wide: a Gateway of edge may present every Secret",
        ),
        ({"group": "", "kind": "Secret", "name": "certs"}, "may present the Secret certs"),
        ({"group": "", "kind": "Service"}, "may lead to every Service of its namespace"),
    ):
        breaks(neighbours.GRANTS, grant(to, version=version), saying=saying)
        holds(neighbours.GRANTS, grant(to, namespace="shop", version=version))
    holds(neighbours.GRANTS, grant({"group": "", "kind": "Service", "name": "shop"}, version=version))
