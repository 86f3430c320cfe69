"""Each policy, both ways, as the function on resources that it is."""

import base64
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st
from pulumi_policy import Policy, PolicyResource
from pulumi_policy.proxy import UNKNOWN_STRING_VALUE, UnknownValueError

from components.rules.acme import DIRECTORIES
from components.rules.cert_manager import VERSION
from components.rules.names import covers
from policies import cert_manager, challenges, gateways, issuers, private_keys, protection, records
from tests.policies.support import certificate, findings, gateway, http, https, issuer, record, release, resource

STAGING, PROD = "letsencrypt-staging-istio", "letsencrypt-prod-istio"
LABEL = st.from_regex(r"[a-z0-9]{1,8}", fullmatch=True)


def holds(policy: Policy, *resources: PolicyResource) -> None:
    found = findings(policy, *resources)
    assert not found, "nothing is wrong with this"


def breaks(policy: Policy, *resources: PolicyResource, saying: str, times: int = 1) -> None:
    found = findings(policy, *resources)
    assert len(found) == times, f"{policy.name} was to report it {times} times, and reported {found}"
    assert saying in found[0], "the finding names what is wrong"
    assert policy.remediation_steps, f"{policy.name} says how it is mended"
    for line in policy.remediation_steps.splitlines():
        assert f"\n    {line}" in found[0], "the remediation is printed with the finding"


def test_production_signs_with_the_production_issuer_and_no_other_stack_does() -> None:
    for stack in ("prod", "production", "prod-eu", "shop.prod"):
        holds(issuers.ENVIRONMENT, certificate(issuer=PROD, stack=stack))
        breaks(issuers.ENVIRONMENT, certificate(issuer=STAGING, stack=stack), saying="not the production issuer")
    for stack in ("dev", "sandbox", "product-team", "nonprod"):
        holds(issuers.ENVIRONMENT, certificate(issuer=STAGING, stack=stack))
        breaks(issuers.ENVIRONMENT, certificate(issuer=PROD, stack=stack), saying="is the production issuer")


def test_the_directory_of_an_issuer_counts_for_more_than_its_name() -> None:
    staging_called_prod = issuer(environment="prod", server=DIRECTORIES["staging"])
    prod_called_staging = issuer(environment="staging", server=DIRECTORIES["prod"])

    breaks(
        issuers.ENVIRONMENT,
        staging_called_prod,
        certificate(issuer=PROD, stack="prod"),
        saying="not the production issuer",
    )
    breaks(issuers.ENVIRONMENT, prod_called_staging, certificate(issuer=STAGING), saying="is the production issuer")


def test_another_authority_is_no_production_issuer() -> None:
    breaks(issuers.ENVIRONMENT, certificate(issuer="self-signed", stack="prod"), saying="self-signed")
    holds(issuers.ENVIRONMENT, certificate(issuer="self-signed"))


@pytest.mark.parametrize("email", ["", "change-me", "you@example.com", "platform@your-domain.com"])
def test_a_placeholder_is_no_contact(email: str) -> None:
    breaks(issuers.EMAIL, issuer(email=email), saying=repr(email))


def test_a_real_address_is_a_contact_and_other_issuers_have_none() -> None:
    holds(issuers.EMAIL, issuer(email="platform@sandbox.test"))
    self_signed = {"metadata": {"name": "self"}, "spec": {"selfSigned": {}}}
    holds(issuers.EMAIL, resource("kubernetes:cert-manager.io/v1:Issuer", self_signed))


@pytest.mark.parametrize("version", [None, "TLS_AUTO", "TLSV1_0", "TLSV1_1"])
@pytest.mark.parametrize("api", ["v1", "v1beta1", "v1alpha3"])
def test_less_than_tls_1_2_is_refused_in_every_version_of_the_api(version: str | None, api: str) -> None:
    server = https(minProtocolVersion=version)
    breaks(gateways.TLS_VERSION, gateway(server, version=api), saying=f"minProtocolVersion is {version or 'not set'}")


def test_tls_1_2_and_1_3_hold_and_plain_or_passed_through_servers_have_no_version() -> None:
    holds(gateways.TLS_VERSION, gateway(https(), https(minProtocolVersion="TLSV1_3")))
    holds(gateways.TLS_VERSION, gateway(http(), https(mode="PASSTHROUGH", minProtocolVersion=None)))


def test_a_server_whose_secret_a_certificate_fills_for_every_host_holds() -> None:
    hosts = ("shop.sandbox.test", "istio-system/api.sandbox.test", "*.apps.sandbox.test", "a.apps.sandbox.test")
    filled = certificate("shop.sandbox.test", "API.sandbox.test", "*.apps.sandbox.test")

    holds(gateways.CERTIFICATE, filled, gateway(http(), https(*hosts)))


def test_a_server_without_a_credential_is_refused() -> None:
    bare = https(credentialName=None)
    breaks(gateways.CERTIFICATE, certificate(), gateway(bare), saying="Server https has no credentialName")
    bare["tls"] = {}
    breaks(gateways.CERTIFICATE, certificate(), gateway(bare), saying="no credentialName")


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


@given(LABEL, LABEL, LABEL)
def test_a_wildcard_covers_exactly_one_label(one: str, two: str, domain: str) -> None:
    wildcard = f"*.{domain}.test"

    assert covers(wildcard, f"{one}.{domain}.test"), "one label"
    assert covers(wildcard, wildcard), "and itself"
    assert not covers(wildcard, f"{one}.{two}.{domain}.test"), "not two"
    assert not covers(wildcard, f"{domain}.test"), "nor none"
    assert not covers(f"{one}.{domain}.test", wildcard), "and a full name no wildcard"


def test_https_redirect_is_refused_with_http01_and_harmless_with_dns01() -> None:
    redirecting = gateway(http(httpsRedirect=True))
    breaks(challenges.NO_REDIRECT, issuer("http01"), redirecting, saying="Server http has httpsRedirect")
    holds(challenges.NO_REDIRECT, issuer("dns01"), redirecting)
    holds(challenges.NO_REDIRECT, issuer("http01"), gateway(http(), http(httpsRedirect=False)))


def test_a_wildcard_is_refused_with_http01_and_proven_by_dns01() -> None:
    wildcard = certificate("shop.sandbox.test", "*.sandbox.test")
    breaks(challenges.NO_WILDCARD, issuer("http01"), wildcard, saying="*.sandbox.test: a wildcard")
    holds(challenges.NO_WILDCARD, issuer("dns01"), wildcard)
    holds(challenges.NO_WILDCARD, issuer("http01"), certificate("shop.sandbox.test"))
    holds(challenges.NO_WILDCARD, wildcard)


def test_records_of_one_zone_and_domain_hold() -> None:
    holds(records.ZONE)
    holds(records.ZONE, record("sandbox.test."), record("shop.sandbox.test."), record("*.apps.sandbox.test."))


def test_a_record_in_another_zone_is_refused() -> None:
    breaks(records.ZONE, record(), record(zone="stray"), saying="in the managed zone stray")


def test_a_record_outside_the_domain_of_its_zone_is_refused() -> None:
    zone = resource("gcp:dns/managedZone:ManagedZone", {"name": "sandbox", "dnsName": "sandbox.test."})
    for name in ("shop.elsewhere.test.", "notsandbox.test."):
        breaks(records.ZONE, zone, record(), record(name), saying=f"{name} lies outside sandbox.test.")
    holds(records.ZONE, zone, record("Shop.Sandbox.test."), record("sandbox.test."))


def test_records_without_a_domain_in_common_are_refused_where_the_zone_is_only_named() -> None:
    breaks(records.ZONE, record(), record("shop.elsewhere.test."), saying="have no domain in common")


@pytest.mark.parametrize(("ttl", "saying"), [(301, "301 s"), (86400, "86400 s"), (None, "no TTL")])
def test_a_ttl_above_300_seconds_or_none_is_refused(ttl: float | None, saying: str) -> None:
    breaks(records.TTL, record(ttl=ttl), saying=saying)


def test_a_ttl_up_to_300_seconds_holds() -> None:
    holds(records.TTL, record(ttl=300), record(ttl=5))


def pem() -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def secret(**props: Any) -> PolicyResource:
    return resource("kubernetes:core/v1:Secret", {"metadata": {"name": "account"}, **props}, name="account")


@pytest.mark.parametrize("header", ["PRIVATE KEY", "EC PRIVATE KEY", "RSA PRIVATE KEY", "ENCRYPTED PRIVATE KEY"])
def test_a_private_key_is_refused_wherever_it_is(header: str) -> None:
    key = pem().replace("PRIVATE KEY", header)
    encoded = base64.b64encode(key.encode()).decode()

    breaks(
        private_keys.NO_PRIVATE_KEY, secret(data={"tls.key": encoded}), saying="account: data.tls.key is a private key"
    )
    breaks(private_keys.NO_PRIVATE_KEY, secret(stringData={"key": key}), saying="stringData.key")
    listed = resource("kubernetes:helm.sh/v3:Release", {"values": {"extra": [{"key": key}]}})
    breaks(private_keys.NO_PRIVATE_KEY, listed, saying="values.extra.0.key")


def test_an_account_key_in_its_json_form_is_refused() -> None:
    jwk = '{"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA", "d": "AA"}'
    breaks(private_keys.NO_PRIVATE_KEY, secret(stringData={"private_key.json": jwk}), saying="private_key.json")
    holds(private_keys.NO_PRIVATE_KEY, secret(stringData={"key.json": jwk.replace(', "d": "AA"', "")}))


def test_certificates_other_secrets_and_unknown_values_are_no_private_keys() -> None:
    public = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"
    holds(
        private_keys.NO_PRIVATE_KEY,
        secret(data={"ca.crt": base64.b64encode(public.encode()).decode(), "n": "no base64!"}),
    )
    holds(private_keys.NO_PRIVATE_KEY, secret(stringData={"token": UNKNOWN_STRING_VALUE}))
    beside = secret(stringData={"a": UNKNOWN_STRING_VALUE, "b": pem()})
    breaks(private_keys.NO_PRIVATE_KEY, beside, saying="stringData.b")


@pytest.mark.parametrize("version", ["v1.11.5", "v1.19.5", "v1.20.2", "1.20.2", "v1.21.0", "1.21.1", "~1.21", None])
def test_a_cert_manager_with_known_advisories_or_not_pinned_is_refused(version: str | None) -> None:
    for chart in ("oci://quay.io/jetstack/charts/cert-manager", "cert-manager", "/charts/cert-manager"):
        breaks(cert_manager.VERSION, release(version, chart), saying=version or "no version")


def test_a_secure_cert_manager_holds_and_other_charts_are_not_judged() -> None:
    holds(cert_manager.VERSION, *map(release, ("v1.19.6", "v1.20.3", "1.21.2", VERSION)))
    holds(cert_manager.VERSION, release("0.1.0", chart="oci://quay.io/jetstack/charts/trust-manager"))


@pytest.mark.parametrize(
    "type_",
    ["kubernetes:core/v1:Namespace", "kubernetes:helm.sh/v3:Release", "kubernetes:cert-manager.io/v1:ClusterIssuer"],
)
def test_production_protects_what_hurts_when_deleted(type_: str) -> None:
    breaks(protection.PROTECT, resource(type_, {}, stack="prod"), saying="it is not protected")
    holds(protection.PROTECT, resource(type_, {}, stack="prod", protect=True), resource(type_, {}, stack="dev"))


def test_what_can_be_made_again_needs_no_protection() -> None:
    holds(protection.PROTECT, certificate(stack="prod"))


def test_a_value_that_is_not_known_yet_is_left_to_the_engine_to_say() -> None:
    unknown = https(credentialName=UNKNOWN_STRING_VALUE)
    with pytest.raises(UnknownValueError):
        findings(gateways.CERTIFICATE, certificate(), gateway(unknown))
