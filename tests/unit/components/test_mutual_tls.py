"""Mutual TLS: in the mesh, and with clients at the gateway."""

import base64
import datetime
from typing import Any

import pulumi
import pytest

from components.inputs import InputsError
from components.mutual_tls import MutualTls
from components.specs import client_ca
from components.tls_gateway import TlsGateway
from tests.unit.certificates import CA, certificate, pem
from tests.unit.components.support import tls
from tests.unit.harness import GATEWAY, run
from tests.unit.tlsctl.verify.support import SHOP, deployed
from tlsctl.verify.istio import judge_mutual_tls

PEER_AUTHENTICATION = "kubernetes:security.istio.io/v1:PeerAuthentication"
SECRET = "kubernetes:core/v1:Secret"

SERVER = pem(certificate(begin=datetime.datetime.now(datetime.UTC)))
LONG_AGO = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
TWO = [{"secret_name": "certs", "hosts": ["a.test"]}, {"secret_name": "more", "hosts": ["b.test"]}]


class TestMesh:
    def test_a_namespace_has_one_of_the_name_that_nobody_can_use_twice(self) -> None:
        made = run(lambda: MutualTls("mtls", {"mode": "strict", "namespaces": ["shop", "api"]})).of(PEER_AUTHENTICATION)

        assert [policy.inputs["metadata"] for policy in made] == [
            {"name": "default", "namespace": "shop"},
            {"name": "default", "namespace": "api"},
        ]
        assert [policy.inputs["spec"] for policy in made] == [{"mtls": {"mode": "STRICT"}}] * 2, "without a selector"

    @pytest.mark.parametrize("late", [False, True])
    @pytest.mark.parametrize(
        ("args", "problem"),
        [
            ({"mode": "off", "namespaces": ["shop"]}, "mode: 'off' is not one of permissive, strict"),
            ({"mode": "strict", "namespaces": ["istio-system"]}, r"namespaces\[0\] is the gateway's own namespace"),
            (
                {"mode": "strict", "namespaces": ["shop", "istio-system"], "gateway_namespace": "gateways"},
                r"namespaces\[1\] is the mesh's root namespace",
            ),
            ({"mode": "strict", "namespaces": ["shop", "shop"]}, r"namespaces\[1\] is the same namespace"),
        ],
    )
    def test_what_would_catch_the_solver_is_refused(self, args: Any, problem: str, late: bool) -> None:
        args = dict(args)
        mode = args.pop("mode")

        def program() -> None:
            args["mode"] = pulumi.Output.from_input(mode) if late else mode
            MutualTls("mtls", args)

        with pytest.raises(InputsError, match=problem):
            run(program)


class TestClients:
    def test_every_server_asks_for_a_certificate_of_the_ca_in_a_secret_of_its_own(self) -> None:
        authority = {"secret_name": "certs-cacert", "certificates": CA}
        made = run(lambda: TlsGateway("tls", tls(credentials=TWO, client_ca=authority)))

        (secret,) = made.of(SECRET)
        assert secret.inputs["metadata"] == {"name": "certs-cacert", "namespace": "istio-system"}
        assert base64.b64decode(secret.inputs["data"]["value"]["ca.crt"]).decode() == CA
        gateway = made.of(GATEWAY)[0]
        assert secret.urn in gateway.dependencies, "without its CA, the gateway has nothing to compare with"
        for server in gateway.inputs["spec"]["servers"]:
            assert (server["tls"]["mode"], server["tls"]["caCertCredentialName"]) == ("MUTUAL", "certs-cacert")

    def test_a_secret_that_is_there_is_named_so_that_istiod_takes_it_for_a_ca(self) -> None:
        made = run(lambda: TlsGateway("tls", tls(client_ca={"secret_name": "corp"})))

        assert made.of(SECRET) == [], "nothing is made"
        (server, *_) = made.of(GATEWAY)[0].inputs["spec"]["servers"]
        assert server["tls"]["caCertCredentialName"] == "corp-cacert", (
            "istiod looks for corp where there is none of this name"
        )

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ("corp", "is not PEM"),
            ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", "is not PEM"),
            ("-----BEGIN CERTIFICATE-----\né\n-----END CERTIFICATE-----", "is not PEM"),
            (SERVER, "is not a CA's"),
            (CA + SERVER, "is not a CA's"),
            (pem(certificate(begin=LONG_AGO, authority=True)), "has expired"),
            (CA + "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", "has a private key"),
        ],
    )
    def test_what_cannot_be_a_ca_of_clients_is_refused(self, text: str, reason: str) -> None:
        with pytest.raises(ValueError, match=reason):
            client_ca.certificates(text)

    def test_the_config_names_a_secret_or_brings_the_ca(self) -> None:
        assert deployed(tls={"clientCa": "corp"}).settings.client_ca_secret == "corp"
        assert deployed(tls={"clientCa": CA}).settings.client_ca_secret == "istio-ingressgateway-certs-cacert"


def peer_authentication(name: str, mode: str, created: str, **spec: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "shop", "creationTimestamp": created}
    return {"metadata": metadata, "spec": {"mtls": {"mode": mode}, **spec}}


OURS = peer_authentication("default", "STRICT", "2026-02-01T00:00:00Z")


@pytest.mark.parametrize(
    ("policies", "state", "words"),
    [
        pytest.param([OURS], "ok", "strict in shop", id="as configured"),
        pytest.param([], "failed", "shop: there is no PeerAuthentication default", id="deleted"),
        pytest.param(
            [peer_authentication("default", "PERMISSIVE", "2026-02-01T00:00:00Z")],
            "failed",
            "default says PERMISSIVE, the config STRICT",
            id="edited",
        ),
        pytest.param(
            [OURS, peer_authentication("team", "PERMISSIVE", "2026-01-01T00:00:00Z")],
            "failed",
            "team is older, and Istio reads only that one",
            id="another one was first",
        ),
        pytest.param(
            [OURS, peer_authentication("team", "DISABLE", "2026-03-01T00:00:00Z")], "ok", "", id="a later one"
        ),
        pytest.param(
            [OURS, peer_authentication("a", "DISABLE", "2026-01-01T00:00:00Z", selector={"matchLabels": {"a": "b"}})],
            "ok",
            "",
            id="one of some Pods",
        ),
    ],
)
def test_verify_sees_which_peer_authentication_istio_reads(policies: Any, state: str, words: str) -> None:
    hosts = [{"host": SHOP, "service": "shop", "namespace": "shop", "port": 80}]
    result = judge_mutual_tls(
        deployed(hosts=hosts, mtls="strict"), {"shop": {policy["metadata"]["name"]: policy for policy in policies}}
    )
    assert (result.state, words in result.detail) == (state, True), result.detail
