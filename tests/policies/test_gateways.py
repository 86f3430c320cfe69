"""Port 443: versions, cipher suites and modes of TLS, and a certificate behind every name."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pulumi_policy.proxy import UNKNOWN_STRING_VALUE

from components.specs import istio
from components.specs.names import covers
from components.specs.tls import CIPHER_SUITES
from policies import gateways
from policies.findings import Rule
from policies.plain_http import resolve
from tests.policies.support import advice, breaks, certificate, configured, findings, gateway, holds, http, https

LABEL = st.from_regex(r"[a-z0-9]{1,8}", fullmatch=True)
EVERY_SERVER = (gateways.TLS_VERSION, gateways.CIPHER_SUITES, gateways.MODE, gateways.CERTIFICATE)


@pytest.mark.parametrize("version", [None, "TLS_AUTO", "TLSV1_0", "TLSV1_1"])
@pytest.mark.parametrize("api", ["v1", "v1beta1", "v1alpha3"])
def test_less_than_tls_1_2_is_refused_in_every_version_of_the_api(version: str | None, api: str) -> None:
    server = https(minProtocolVersion=version)
    breaks(gateways.TLS_VERSION, gateway(server, version=api), saying=f"minProtocolVersion is {version or 'not set'}")


@pytest.mark.parametrize("mode", ["SIMPLE", "MUTUAL", "OPTIONAL_MUTUAL", None])
@pytest.mark.parametrize("protocol", ["HTTPS", "https", "TLS"])
def test_every_mode_in_which_the_gateway_ends_tls_has_versions_and_suites(mode: str | None, protocol: str) -> None:
    weak = https(protocol=protocol, mode=mode, minProtocolVersion="TLSV1_1", cipherSuites=["AES128-SHA"])
    breaks(gateways.TLS_VERSION, gateway(weak), saying="Gateway istio-system/tls, server https: minProtocolVersion")
    breaks(gateways.CIPHER_SUITES, gateway(weak), saying="cipher suite AES128-SHA is not one of Mozilla's")


def test_a_maximum_below_tls_1_2_is_refused() -> None:
    breaks(gateways.TLS_VERSION, gateway(https(maxProtocolVersion="TLSV1_1")), saying="maxProtocolVersion is TLSV1_1")
    holds(gateways.TLS_VERSION, gateway(https(maxProtocolVersion="TLSV1_3"), https(maxProtocolVersion="TLS_AUTO")))


def test_tls_1_2_and_1_3_hold_and_plain_or_passed_through_servers_have_no_version() -> None:
    holds(gateways.TLS_VERSION, gateway(https(), https(minProtocolVersion="TLSV1_3")))
    holds(gateways.TLS_VERSION, gateway(http(), https(mode="PASSTHROUGH", minProtocolVersion=None)))


@pytest.mark.parametrize(
    ("port", "called"),
    [
        ({"number": 443.0, "name": "https"}, "server https"),
        ({"number": 443.0}, "server 443"),
        ({}, "server number 2"),
        ({"name": UNKNOWN_STRING_VALUE}, "server number 2"),
    ],
    ids=str,
)
def test_a_server_is_called_by_its_ports_name_or_number(port: dict[str, Any], called: str) -> None:
    server = {**https(minProtocolVersion=None), "port": {"protocol": "HTTPS", **port}}
    breaks(gateways.TLS_VERSION, gateway(http(), server), saying=f"Gateway istio-system/tls, {called}: minProtocol")


def test_every_suite_that_is_not_mozillas_is_named() -> None:
    suites = [*CIPHER_SUITES, "ECDHE-RSA-AES128-SHA", "AES256-GCM-SHA384"]
    breaks(gateways.CIPHER_SUITES, gateway(https(cipherSuites=suites)), saying="ECDHE-RSA-AES128-SHA", times=2)


def test_mozillas_suites_and_istios_default_hold() -> None:
    holds(gateways.CIPHER_SUITES, gateway(https(), https(cipherSuites=list(CIPHER_SUITES)), http()))


@pytest.mark.parametrize("mode", ["PASSTHROUGH", "AUTO_PASSTHROUGH", "ISTIO_MUTUAL"])
def test_a_mode_that_leaves_tls_to_someone_else_is_refused(mode: str) -> None:
    breaks(gateways.MODE, gateway(https(mode=mode)), saying=f"has the TLS mode {mode}")


def test_tls_without_a_mode_or_without_settings_is_refused() -> None:
    breaks(gateways.MODE, gateway(https(mode=None)), saying="has no TLS mode, which to Istio is PASSTHROUGH")
    breaks(gateways.MODE, gateway(http(protocol="https")), saying="has protocol HTTPS and no TLS settings")


@pytest.mark.parametrize("mode", ["SIMPLE", "MUTUAL", "OPTIONAL_MUTUAL"])
def test_modes_in_which_the_gateway_presents_its_certificate_hold(mode: str) -> None:
    holds(gateways.MODE, gateway(https(mode=mode), http(), http(httpsRedirect=True)))


def test_a_server_whose_secret_a_certificate_fills_for_every_host_holds() -> None:
    hosts = ("shop.sandbox.test", "istio-system/api.sandbox.test", "*.apps.sandbox.test", "a.apps.sandbox.test")
    filled = certificate("shop.sandbox.test", "API.sandbox.test", "*.apps.sandbox.test")

    holds(gateways.CERTIFICATE, filled, gateway(http(), https(*hosts)))


def test_several_credentials_hold_where_each_is_filled_for_every_host() -> None:
    several = gateway(https(credentialName=None, credentialNames=["ecdsa", "rsa"]))
    ecdsa, rsa = certificate(secret="ecdsa", name="ecdsa"), certificate(secret="rsa", name="rsa")

    holds(gateways.CERTIFICATE, ecdsa, rsa, several)
    breaks(gateways.CERTIFICATE, ecdsa, several, saying="no Certificate of the stack fills the Secret rsa")
    other = certificate("api.sandbox.test", secret="rsa", name="rsa")
    breaks(gateways.CERTIFICATE, ecdsa, other, several, saying="is not in the certificate of Secret rsa")


def test_a_server_without_a_credential_is_refused() -> None:
    bare = https(credentialName=None)
    breaks(gateways.CERTIFICATE, certificate(), gateway(bare), saying="server https has no credentialName")
    breaks(gateways.CERTIFICATE, certificate(), gateway({**bare, "tls": {}}), saying="no credentialName")


def test_a_secret_that_nothing_fills_is_refused() -> None:
    other = certificate(secret="others")
    breaks(gateways.CERTIFICATE, other, gateway(https()), saying="no Certificate of the stack fills the Secret certs")


def test_a_secret_in_another_namespace_is_refused() -> None:
    elsewhere = certificate(namespace="shop")
    breaks(gateways.CERTIFICATE, elsewhere, gateway(https()), saying="in namespace shop, and the gateway in istio-")


@pytest.mark.parametrize("host", ["api.sandbox.test", "*", "*.sandbox.test", "a.shop.sandbox.test", "sandbox.test"])
def test_a_host_that_its_certificate_lacks_is_refused(host: str) -> None:
    server = https("shop.sandbox.test", host)
    breaks(gateways.CERTIFICATE, certificate("shop.sandbox.test"), gateway(server), saying=f"{host} is not in the")


@pytest.mark.parametrize("rule", EVERY_SERVER, ids=lambda rule: rule.name)
def test_gateways_for_other_pods_are_left_to_their_team_and_named(rule: Rule) -> None:
    worst = https(mode="SIMPLE", minProtocolVersion="TLSV1_0", cipherSuites=["NULL-SHA"], credentialName=None)
    egress = gateway(worst, https(mode="ISTIO_MUTUAL"), selector={"istio": "egressgateway"})

    with configured(production="true"):
        assert len(advice(egress)) == 1, "one advice, not one for each policy"
        assert advice(egress)[0].startswith("Gateway istio-system/tls is for other Pods"), "it says what is not judged"
        assert findings(rule.policy(), egress) == [], "and no problem"


@pytest.mark.parametrize(
    "selector", [{}, {"app": "istio-ingressgateway"}, {"istio": "ingressgateway", "app": "other"}], ids=str
)
def test_a_selector_that_may_be_for_the_ingress_gateway_does_not_hide_a_gateway(selector: dict[str, str]) -> None:
    hidden = gateway(https(mode="PASSTHROUGH"), selector=selector)
    breaks(gateways.MODE, hidden, saying="has the TLS mode PASSTHROUGH")


def test_the_config_says_which_pods_are_the_ingress_gateways() -> None:
    with configured(ingress={"selector": {"istio": "public"}}):
        breaks(gateways.MODE, gateway(https(mode="PASSTHROUGH"), selector={"istio": "public"}), saying="PASSTHROUGH")


@given(LABEL, LABEL, LABEL)
def test_a_wildcard_covers_exactly_one_label(one: str, two: str, domain: str) -> None:
    wildcard = f"*.{domain}.test"

    assert covers(wildcard, f"{one}.{domain}.test"), "one label"
    assert covers(wildcard, wildcard), "and itself"
    assert not covers(wildcard, f"{one}.{two}.{domain}.test"), "not two"
    assert not covers(wildcard, f"{domain}.test"), "nor none"
    assert not covers(f"{one}.{domain}.test", wildcard), "and a full name no wildcard"


@given(LABEL, LABEL, LABEL)
def test_a_gateway_is_meant_by_every_form_of_its_name(name: str, place: str, own: str) -> None:
    for form in (f"{place}/{name}", f"{name}.{place}", f"{name}.{place}.svc.cluster.local"):
        assert resolve(form, own) == (place, name), f"{form} is in a namespace"
    for form in (name, f"./{name}"):
        assert resolve(form, own) == (own, name), f"{form} is in the VirtualService's own"


def test_the_gateways_of_the_stacks_other_ingress_gateways_are_judged() -> None:
    internal = gateway(https(mode="PASSTHROUGH"), selector={"istio": "internal"})
    others = [{"name": "internal", "ingress": {"service": "internal", "selector": {"istio": "internal"}}}]
    assert len(advice(internal, rule=gateways.MODE)) == 1, "it is nobody's that the config knows"
    with configured(gateways=others):
        breaks(gateways.MODE, internal, saying="PASSTHROUGH")
        breaks(gateways.MODE, gateway(https(mode="PASSTHROUGH"), selector=dict(istio.SELECTOR)), saying="PASSTHROUGH")
    with configured(gateways="nonsense"):
        breaks(gateways.MODE, gateway(https(mode="PASSTHROUGH"), selector=dict(istio.SELECTOR)), saying="PASSTHROUGH")
