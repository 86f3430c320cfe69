"""Why something is not Ready: the reading of cert-manager's objects, and the moment that it may still take."""

from typing import Any

import pytest

from components.kube import diagnosis
from components.kube.conditions import CONTROLLER
from components.kube.credentials import Credentials
from components.kube.issuance import UNANSWERED, chain_of_problems, problems_of
from components.problem import Problem, text
from tests.unit.api_server import Api

ISSUER = "letsencrypt-staging-istio"
UNKNOWN_HOST = {
    "type": "Accepted", "status": "False", "reason": "NoMatchingListenerHostname", "message": "no hostnames matched"
}  # fmt: skip
PATH = f"/apis/cert-manager.io/v1/clusterissuers/{ISSUER}"


def owned(kind: str, owner: str, name: str, **rest: Any) -> dict[str, Any]:
    return {
        "metadata": {
            "name": name,
            "ownerReferences": [{"kind": kind, "name": owner}],
            "creationTimestamp": rest.pop("at", "2026-01-01T00:00:00Z"),
        },
        **rest,
    }


def not_ready(message: str) -> dict[str, Any]:
    return {"conditions": [{"type": "Ready", "status": "False", "message": message}]}


class TestDiagnosis:
    ACME = "urn:ietf:params:acme:error:dns: no such name"

    def test_it_ends_with_the_acme_servers_words(self) -> None:
        problems = chain_of_problems(
            "certs",
            [{"metadata": {"name": "certs"}, "status": not_ready("Issuing certificate")}],
            [
                owned("Certificate", "certs", "certs-1", at="2025-01-01T00:00:00Z", status=not_ready("old")),
                owned("Certificate", "certs", "certs-2", status=not_ready("Waiting on the order")),
                owned("Certificate", "other", "other-1", at="2027-01-01T00:00:00Z", status=not_ready("other")),
            ],
            [owned("CertificateRequest", "certs-2", "certs-2-1", status={"state": "invalid"})],
            [
                owned(
                    "Order",
                    "certs-2-1",
                    "certs-2-1-1",
                    spec={"dnsName": "shop.sandbox.test"},
                    status={"state": "invalid", "reason": self.ACME},
                )
            ],
        )

        assert text(problems).splitlines() == [
            "Certificate: Issuing certificate",
            "CertificateRequest: Waiting on the order",
            "Order: invalid: no reason given",
            f"Challenge for shop.sandbox.test: invalid: {self.ACME}",
        ], "down the newest request of this Certificate"

    def test_an_order_that_the_acme_server_has_not_answered_is_reported(self) -> None:
        requests = [owned("Certificate", "certs", "certs-1", status={})]
        orders = [owned("CertificateRequest", "certs-1", "certs-1-1", status={})]

        assert chain_of_problems("certs", [], requests, orders, []) == [UNANSWERED], "its reason is in a log alone"

    @pytest.mark.parametrize(
        ("parents", "words"),
        [
            pytest.param([], "is not accepted: Istio does not know Gateway http-dev", id="no Gateway"),
            pytest.param(
                [{"controllerName": CONTROLLER, "conditions": [UNKNOWN_HOST]}],
                "is not accepted: no hostnames matched (NoMatchingListenerHostname)",
                id="no listener",
            ),
        ],
    )
    def test_a_challenges_route_that_istio_does_not_serve_is_named(
        self, api: Api, parents: list[Any], words: str
    ) -> None:
        route = {"spec": {"parentRefs": [{"name": "http-dev"}]}, "status": {"parents": parents}}
        pending = {"state": "pending", "reason": "wrong status code '404'"}
        by_route = {"dnsName": "shop.sandbox.test", "solver": {"http01": {"gatewayHTTPRoute": {}}}}
        listed = {
            "cert-manager.io": {"certificaterequests": owned("Certificate", "certs", "certs-1")},
            "acme.cert-manager.io": {
                "orders": owned("CertificateRequest", "certs-1", "order", status={"state": "pending"}),
                "challenges": owned("Order", "order", "challenge", spec=by_route, status=pending),
            },
        }
        api.objects = {
            f"/apis/{group}/v1/namespaces/gateways/{plural}": {"items": [obj]}
            for group, kinds in listed.items()
            for plural, obj in kinds.items()
        }
        certificate = {"metadata": {"name": "certs", "namespace": "gateways"}}
        api.objects["/apis/cert-manager.io/v1/namespaces/gateways/certificates/certs"] = certificate
        connected = api.client()
        (unread,) = problems_of(connected, "Certificate", "gateways", "certs") or []
        solver = owned("Challenge", "challenge", "cm-acme-http-solver-1", **route)
        api.objects["/apis/gateway.networking.k8s.io/v1/namespaces/gateways/httproutes"] = {"items": [solver]}
        *_, named = problems_of(connected, "Certificate", "gateways", "certs") or []

        assert unread.where == "Challenge for shop.sandbox.test", "the rest is explained all the same"
        assert (named.where, named.what) == ("HTTPRoute cm-acme-http-solver-1", words)

    @pytest.mark.parametrize(
        ("kind", "namespace", "path"),
        [("ClusterIssuer", None, "clusterissuers"), ("Issuer", "gateways", "namespaces/gateways/issuers")],
    )
    def test_an_issuers_reason_is_its_condition(self, api: Api, kind: str, namespace: str | None, path: str) -> None:
        api.objects[f"/apis/cert-manager.io/v1/{path}/{ISSUER}"] = {
            "status": not_ready("x509: certificate signed by unknown authority")
        }
        connected = api.client()
        problems = problems_of(connected, kind, namespace, ISSUER)

        assert problems == [Problem(kind, "x509: certificate signed by unknown authority")]

    @pytest.mark.parametrize("refused", [404, 403], ids=["no issuer", "no right to read it"])
    @pytest.mark.parametrize(
        ("kind", "path"), [("ClusterIssuer", "clusterissuers"), ("Issuer", "namespaces/gateways/issuers")]
    )
    def test_a_page_of_the_ca_is_known_by_the_server_of_the_issuer(
        self, api: Api, kind: str, path: str, refused: int
    ) -> None:
        page = "https://acme.corp.test/sfe/v1/unpause?jwt=a"
        certificate = {"name": "certs", "namespace": "gateways"}
        api.objects = {
            "/apis/cert-manager.io/v1/namespaces/gateways/certificates/certs": {
                "metadata": certificate,
                "spec": {"issuerRef": {"kind": kind, "name": ISSUER}},
            },
            "/apis/cert-manager.io/v1/namespaces/gateways/certificaterequests": {
                "items": [owned("Certificate", "certs", "certs-1")]
            },
            "/apis/acme.cert-manager.io/v1/namespaces/gateways/orders": {
                "items": [owned("CertificateRequest", "certs-1", "o", status={"state": "errored", "reason": page})]
            },
            "/apis/acme.cert-manager.io/v1/namespaces/gateways/challenges": {"items": []},
        }
        api.refused = refused
        connected = api.client()
        (unknown,) = problems_of(connected, "Certificate", "gateways", "certs") or []
        server = {"spec": {"acme": {"server": "https://acme.corp.test/dir"}}}
        api.objects[f"/apis/cert-manager.io/v1/{path}/{ISSUER}"] = server
        (known,) = problems_of(connected, "Certificate", "gateways", "certs") or []

        assert unknown.fix == (), "the rest is explained all the same"
        assert page in known.fix[0]

    def test_an_issuer_that_is_ready_or_missing_has_no_problem(self, api: Api) -> None:
        assert problems_of(api.client(), "ClusterIssuer", None, ISSUER) is None, "the refused creation says why"

        api.objects[PATH] = {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}
        assert problems_of(api.client(), "ClusterIssuer", None, ISSUER) is None, "something else has failed"


class TestAMoment:
    """A wait with a short bound can end before cert-manager has written anything."""

    def test_words_that_come_a_little_later_are_waited_for(self, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
        api.objects[PATH] = {"status": {}}

        def pause(_: float) -> None:
            api.objects[PATH] = {"status": not_ready("x509: certificate signed by unknown authority")}

        monkeypatch.setattr("components.kube.diagnosis.time.sleep", pause)
        problems = diagnosis.wait_for_reason(Credentials(api.kubeconfig), "ClusterIssuer", None, ISSUER)

        assert problems == [Problem("ClusterIssuer", "x509: certificate signed by unknown authority")]

    def test_silence_is_said_within_a_bound_with_where_to_look(self, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
        api.objects[PATH] = {"status": {}}
        monkeypatch.setattr("components.kube.diagnosis.PATIENCE", 0.0)

        (problem,) = diagnosis.wait_for_reason(Credentials(api.kubeconfig), "ClusterIssuer", None, ISSUER)

        assert "has not said anything about it yet" in problem.what
        assert problem.fix[0] == f"kubectl describe clusterissuer {ISSUER}"
