"""Port 443: versions, cipher suites and modes of TLS, and a certificate for every host."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pulumi_policy.proxy import UNKNOWN_STRING_VALUE

from components.specs import istio
from components.specs.tls import CIPHER_SUITES
from policies import gateways
from policies.findings import Rule
from tests.policies.support import (
    advice,
    breaks,
    certificate,
    configured,
    findings,
    gateway,
    holds,
    http,
    https,
    kubernetes,
    virtual_service,
)

LABEL = st.from_regex(r"[a-z0-9]{1,8}", fullmatch=True)
RULES = (gateways.TLS_VERSION, gateways.CIPHER_SUITES, gateways.MODE, gateways.CERTIFICATE)
PASSTHROUGH = https(mode="PASSTHROUGH")

SERVERS: list[tuple[Rule[Any], dict[str, Any], str]] = [
    (gateways.TLS_VERSION, https(minProtocolVersion=None), "server https: minProtocolVersion is not set"),
    (gateways.TLS_VERSION, https(minProtocolVersion="TLS_AUTO"), "minProtocolVersion is TLS_AUTO"),
    (gateways.TLS_VERSION, https(maxProtocolVersion="TLSV1_1"), "maxProtocolVersion is TLSV1_1"),
    (gateways.MODE, https(mode="ISTIO_MUTUAL"), "has the TLS mode ISTIO_MUTUAL"),
    (gateways.MODE, https(mode=None), "has no TLS mode, which to Istio is PASSTHROUGH"),
    (gateways.MODE, http(protocol="https"), "has protocol HTTPS and no TLS settings"),
    (gateways.CERTIFICATE, https(credentialName=None), "server https has no credentialName"),
    (gateways.CERTIFICATE, https(credentialName="other"), "no Certificate of the stack fills the Secret other"),
    (gateways.CERTIFICATE, https(credentialName="far"), "in namespace shop, and the gateway in istio-system"),
    (gateways.CERTIFICATE, https(credentialNames=["certs", "other"]), "fills the Secret other"),
    (gateways.CERTIFICATE, https(credentialNames=["certs", "api"]), "is not in the certificate of Secret api"),
    (gateways.CERTIFICATE, https("shop.sandbox.test", "*.sandbox.test"), "*.sandbox.test is not in the"),
]


@pytest.mark.parametrize(("rule", "server", "saying"), SERVERS, ids=[row[2] for row in SERVERS])
def test_a_weak_server_is_refused(rule: Rule[Any], server: dict[str, Any], saying: str) -> None:
    api = certificate("api.sandbox.test", secret="api", name="api")
    far = certificate(secret="far", name="far", namespace="shop")
    breaks(rule, certificate(), api, far, gateway(server), saying=saying)


@pytest.mark.parametrize("selector", [{}, {"app": "istio"}, {"istio": "ingressgateway", "app": "other"}], ids=str)
def test_gateways_that_may_be_for_the_ingress_pods_are_judged(selector: dict[str, str]) -> None:
    breaks(gateways.MODE, gateway(PASSTHROUGH, selector=selector), saying="PASSTHROUGH")


def test_a_gateway_that_names_its_service_is_judged_whatever_its_selector() -> None:
    bound = {
        "annotations": {"internal.istio.io/gateway-service": "istio-ingressgateway.istio-system.svc.cluster.local"}
    }
    spec = {"selector": {"istio": "egressgateway"}, "servers": [PASSTHROUGH]}
    by_service = kubernetes("networking.istio.io/v1:Gateway", "bound", "istio-system", metadata=bound, spec=spec)
    breaks(gateways.MODE, by_service, saying="PASSTHROUGH")
    plain = {**spec, "servers": [http()]}
    by_service = kubernetes("networking.istio.io/v1:Gateway", "bound", "istio-system", metadata=bound, spec=plain)
    breaks(gateways.NO_PLAIN_HTTP, by_service, virtual_service("istio-system/bound"), saying="without TLS")


@pytest.mark.parametrize("mode", ["SIMPLE", "MUTUAL", "OPTIONAL_MUTUAL", None])
@pytest.mark.parametrize("protocol", ["https", "TLS"])
def test_versions_and_suites_count_in_every_mode_that_terminates_tls(mode: str | None, protocol: str) -> None:
    weak = https(protocol=protocol, mode=mode, minProtocolVersion="TLSV1_1", cipherSuites=["AES128-SHA"])
    breaks(gateways.TLS_VERSION, gateway(weak), saying="Gateway istio-system/tls, server https: minProtocolVersion")
    breaks(gateways.CIPHER_SUITES, gateway(weak), saying="cipher suite AES128-SHA is not one of Mozilla's")
    if mode:
        holds(gateways.MODE, gateway(weak))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_secure_servers_hold(rule: Rule[Any]) -> None:
    hosts = ("shop.sandbox.test", "istio-system/api.sandbox.test", "*.apps.sandbox.test", "a.apps.sandbox.test")
    holds(
        rule,
        certificate("shop.sandbox.test", "API.sandbox.test", "*.apps.sandbox.test"),
        certificate(secret="rsa", name="rsa"),
        gateway(http(), http(httpsRedirect=True), https(*hosts), https(cipherSuites=list(CIPHER_SUITES))),
        gateway(https(minProtocolVersion="TLSV1_3", maxProtocolVersion="TLSV1_3"), name="newest"),
        gateway(https(maxProtocolVersion="TLS_AUTO"), name="no-maximum"),
        gateway(https(credentialName=None, credentialNames=["certs", "rsa"]), name="two"),
    )


@pytest.mark.parametrize(
    ("port", "label"), [({"number": 443.0}, "server 443"), ({"name": UNKNOWN_STRING_VALUE}, "server number 2")], ids=str
)
def test_a_finding_names_a_server_without_a_name_by_number_or_position(port: dict[str, Any], label: str) -> None:
    server = {**https(minProtocolVersion=None), "port": {"protocol": "HTTPS", **port}}
    breaks(gateways.TLS_VERSION, gateway(http(), server), saying=f"Gateway istio-system/tls, {label}: minProtocol")


def test_gateways_for_other_pods_are_reported_once_and_not_judged() -> None:
    worst = https(mode="SIMPLE", minProtocolVersion="TLSV1_0", cipherSuites=["NULL-SHA"], credentialName=None)
    egress = gateway(worst, https(mode="ISTIO_MUTUAL"), selector={"istio": "egressgateway"})

    with configured(production="true"):
        assert len(advice(egress)) == 1, "one advisory, not one for each policy"
        assert advice(egress)[0].startswith("Gateway istio-system/tls is for other Pods")
        assert [findings(rule.policy(), egress) for rule in RULES] == [[]] * 4, "and no problem"


def test_the_config_names_the_ingress_gateways() -> None:
    public, internal = (gateway(PASSTHROUGH, selector={"istio": name}) for name in ("public", "internal"))
    assert len(advice(public, rule=gateways.MODE)) == 1, "without config it is another team's"
    with configured(ingress={"selector": {"istio": "public"}}):
        breaks(gateways.MODE, public, saying="PASSTHROUGH")
    default = gateway(PASSTHROUGH, selector=dict(istio.SELECTOR))
    with configured(gateways=[{"name": "internal", "ingress": {"selector": {"istio": "internal"}}}]):
        breaks(gateways.MODE, internal, saying="PASSTHROUGH")
        breaks(gateways.MODE, default, saying="PASSTHROUGH")
    with configured(gateways="nonsense"):
        breaks(gateways.MODE, default, saying="PASSTHROUGH")


@given(LABEL, LABEL, LABEL)
def test_every_form_of_a_gateways_name_means_the_gateway(name: str, namespace: str, own: str) -> None:
    for form in (f"{namespace}/{name}", f"{name}.{namespace}", f"{name}.{namespace}.svc.cluster.local"):
        assert istio.resolve_gateway(form, own) == (namespace, name), form
    for form in (name, f"./{name}"):
        assert istio.resolve_gateway(form, own) == (own, name), form
