"""One round of all checks on a stack of which nothing works, with the causes that it finds."""

from dataclasses import replace
from typing import Any

import pytest

from components.specs import apis
from tests.unit.api_server import Api
from tests.unit.components.test_diagnosis import owned
from tests.unit.tlsctl.verify.conftest import Dns
from tests.unit.tlsctl.verify.support import SECRET, SHOP, deployed
from tests.unit.tlsctl.verify.test_issuance import ISSUER, LOST, issuer, object_of
from tlsctl.verify import cluster, records, run
from tlsctl.verify.checks import CHECKS
from tlsctl.verify.results import Report
from tlsctl.verify.served import TlsServer

NEIGHBOUR = {
    "metadata": {"name": "tls-other", "namespace": "istio-system"},
    "spec": {
        "selector": {"istio": "ingressgateway"},
        "servers": [{"port": {"number": 443}, "hosts": [SHOP, "*.acme.dev"], "tls": {"credentialName": SECRET}}],
    },
}
VERSION = dict.fromkeys(
    ("major", "minor", "gitVersion", "gitCommit", "gitTreeState", "buildDate", "goVersion", "compiler", "platform"), ""
)


@pytest.fixture(params=apis.APIS)
def report(monkeypatch: pytest.MonkeyPatch, dns_: Dns, api: Api, request: pytest.FixtureRequest) -> Report:
    """Every object is missing, no port is open, and DNS leads elsewhere."""
    dns_.address = "192.0.2.99"
    monkeypatch.setattr(records, "Lookups", lambda _: dns_.lookups())
    empty: dict[str, Any] = {"items": []}
    istio = "/apis/networking.istio.io/v1/namespaces/istio-system"
    gateway_api = "/apis/gateway.networking.k8s.io"
    certificates = "/apis/cert-manager.io/v1/namespaces/istio-system"
    api.objects = {
        "/version/": VERSION,
        f"{istio}/gateways": {"items": [NEIGHBOUR]},
        f"{istio}/virtualservices": empty,
        f"{gateway_api}/v1/namespaces/istio-system/gateways": empty,
        f"{gateway_api}/v1/namespaces/istio-system/httproutes": empty,
        f"{gateway_api}/v1beta1/namespaces/shop/referencegrants": empty,
        "/apis/networking.istio.io/v1/gateways": {"items": [NEIGHBOUR]},
        "/apis/networking.istio.io/v1/virtualservices": empty,
        "/apis/networking.k8s.io/v1/ingresses": empty,
        "/apis/networking.k8s.io/v1/ingressclasses": empty,
        "/apis/cert-manager.io/v1/clusterissuers": empty,
        f"{certificates}/certificates": empty,
        f"{certificates}/certificaterequests": empty,
        "/apis/acme.cert-manager.io/v1/namespaces/istio-system/orders": empty,
        "/apis/acme.cert-manager.io/v1/namespaces/istio-system/challenges": empty,
        "/apis/security.istio.io/v1/namespaces/shop/peerauthentications": empty,
    }  # fmt: skip
    stack = replace(deployed(mtls="strict", api=request.param), ip="127.0.0.9", kubeconfig=api.kubeconfig)
    return run.look([stack], records.make_resolver("192.0.2.1"), lambda _: None)


def test_a_round_makes_every_check_and_no_other(report: Report) -> None:
    assert {result.check for result in report.results} == set(CHECKS)
    working = {result.check for result in report.results if result.state != "failed"}
    assert working <= {"cluster", "service", "caa"}, "all else fails"
    assert all(problem.fix for problem in report.problems), "every problem has a fix"
    gateways = {result.detail for result in report.results if result.check == "gateway"}
    assert gateways == {"Gateway http-dev does not exist"}


def test_the_missing_objects_explain_what_clients_see(report: Report) -> None:
    causes = {problem.check for result in report.results for problem in report.because(result)}
    assert causes <= {"gateway", "issuer", "neighbour", "record", "service"}, causes


def test_the_orders_in_the_cluster_tell_that_an_account_is_lost(api: Api) -> None:
    cert_manager, namespace = "/apis/cert-manager.io/v1", "namespaces/istio-system"
    order = owned("CertificateRequest", "request", "order", status={"state": "errored", "reason": LOST})
    items = {
        f"{cert_manager}/clusterissuers": [issuer(status="True") | {"metadata": {"name": ISSUER}}],
        f"{cert_manager}/{namespace}/certificates": [object_of("False") | {"metadata": {"name": SECRET}}],
        f"{cert_manager}/{namespace}/certificaterequests": [owned("Certificate", SECRET, "request")],
        f"/apis/acme.cert-manager.io/v1/{namespace}/orders": [order],
        f"/apis/acme.cert-manager.io/v1/{namespace}/challenges": [],
    }
    api.objects = {"/version/": VERSION} | {path: {"items": listed} for path, listed in items.items()}
    results = cluster.look(replace(deployed(), kubeconfig=api.kubeconfig)).results
    (result,) = [result for result in results if result.check == "issuer"]
    assert (result.state, "has an account that" in result.detail) == ("failed", True), "though the issuer is Ready"


@pytest.mark.parametrize(
    ("in_secret", "presented", "failed"), [("a", "b", True), ("a", "a", False), (None, "b", False), ("a", None, False)]
)
def test_another_certificate_than_that_of_the_secret_is_named(
    in_secret: str | None, presented: str | None, failed: bool
) -> None:
    fingerprints = {SHOP: presented} if presented else {}
    failures = run.other_certificates(deployed(), fingerprints, {SHOP: TlsServer("{}", in_secret)})

    assert [result.detail for result in failures.values()] == (
        [f"a certificate is served that is not in the Secret {SECRET}"] if failed else []
    )
