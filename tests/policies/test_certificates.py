"""Which CA signs, for which names, by which challenge, and into which Secret."""

from typing import Any

import pytest
from pulumi_policy import PolicyResource

from components.specs.acme import DIRECTORIES
from policies.certificates import ONE_PER_SECRET, WRITTEN_OUT
from policies.issuers import EMAIL, ENVIRONMENT, NO_REDIRECT, NO_WILDCARD
from tests.policies.support import (
    advice,
    breaks,
    certificate,
    configured,
    findings,
    gateway,
    holds,
    http,
    issuer,
    kubernetes,
)

STAGING, PROD = "letsencrypt-staging-istio", "letsencrypt-prod-istio"
OWN = "https://acme.platform.test/directory"
NOT_PRODUCTION = "is not the CA's production environment"


def signing(environment: str, server: str = "", **changes: Any) -> PolicyResource:
    """An issuer with Let's Encrypt's server of an environment, or another server."""
    return issuer(environment=environment, server=server or DIRECTORIES[environment], **changes)


def test_production_uses_the_production_issuer_and_no_other_stack_does() -> None:
    with configured(production="true"):
        holds(ENVIRONMENT, signing("prod"), certificate(issuer=PROD))
        breaks(ENVIRONMENT, signing("staging"), certificate(issuer=STAGING), saying="browsers reject its certificates")
    holds(ENVIRONMENT, signing("staging"), certificate(issuer=STAGING))
    breaks(ENVIRONMENT, signing("prod"), certificate(issuer=PROD), saying="spend the weekly limits")


def test_a_malformed_config_is_left_to_the_settings() -> None:
    with configured(production="true", acme="not: json", ingress="[]"):
        holds(ENVIRONMENT, signing("prod"), certificate(issuer=PROD))


def test_the_server_of_an_issuer_counts_and_not_its_name() -> None:
    with configured(production="true"):
        stack = (signing("prod", DIRECTORIES["staging"]), certificate(issuer=PROD))
        breaks(ENVIRONMENT, *stack, saying=NOT_PRODUCTION, times=2)
    stack = (signing("staging", DIRECTORIES["prod"]), certificate(issuer=STAGING))
    breaks(ENVIRONMENT, *stack, saying="weekly limits", times=2)


def test_an_issuer_whose_name_would_mislead_other_stacks_is_refused() -> None:
    breaks(ENVIRONMENT, signing("prod", DIRECTORIES["staging"]), saying="has the name that other stacks expect of prod")
    breaks(ENVIRONMENT, signing("staging", DIRECTORIES["prod"]), saying="but the server of prod")
    holds(ENVIRONMENT, signing("prod"), signing("staging"))
    ours = {"acme": {"server": DIRECTORIES["prod"]}}
    holds(ENVIRONMENT, kubernetes("cert-manager.io/v1:ClusterIssuer", "ours", None, spec=ours))


def test_the_config_names_the_servers_of_another_ca() -> None:
    servers = {"servers": {"prod": OWN}}
    own = (signing("prod", OWN), certificate(issuer=PROD))

    with configured(production="true", acme=servers):
        holds(ENVIRONMENT, *own)
        other = (signing("prod", "https://acme.elsewhere.test/dir"), certificate(issuer=PROD))
        breaks(ENVIRONMENT, *other, saying=f"{PROD} (https://acme.elsewhere.test/dir) is not the CA's")
        assert "acme.servers.prod" in findings(ENVIRONMENT.policy(), *other)[0], "the fix names the key"
        staging = findings(ENVIRONMENT.policy(), signing("staging"), certificate(issuer=STAGING))
        assert "acme.servers.prod" not in staging[0], "the key does not help Let's Encrypt's staging"
    with configured(acme=servers):
        breaks(ENVIRONMENT, *own, saying="spend the weekly limits")
    with configured(production="true", acme={"servers": {"staging": OWN, "prod": DIRECTORIES["prod"]}}):
        breaks(ENVIRONMENT, *own, saying=NOT_PRODUCTION)
    with configured(acme={"servers": {"staging": OWN, "prod": OWN}}):
        holds(ENVIRONMENT, signing("staging", OWN), certificate(issuer=STAGING))
        breaks(ENVIRONMENT, *own, saying="weekly limits")


PRODUCTION = [
    "https://ACME-v02.api.letsencrypt.org/directory",
    "https://acme-v02.api.letsencrypt.org./directory",
    "https://acme-v02.api.letsencrypt.org:443/directory",
    "https://someone@acme-v02.api.letsencrypt.org/directory",
    "https://acme-v02.api.letsencrypt.org/%64irectory?x=1",
    "https://acme-v02.api.letsencrypt.org/./directory",
    "http://acme-v02.api.letsencrypt.org/directory",
    "https://\uff41cme-v02.api\u3002letsencrypt.org/directory",
    "https://prod.api.letsencrypt.org/directory",
    "https://acme.PLATFORM.test:443/directory/",
]


@pytest.mark.parametrize("server", PRODUCTION)
def test_a_server_is_known_by_its_host_outside_production_and_by_its_url_in_production(server: str) -> None:
    stack = (signing("prod", server), certificate(issuer=PROD))
    with configured(acme={"servers": {"prod": OWN}}):
        breaks(ENVIRONMENT, *stack, saying="spend the weekly limits")
    with configured(production="true", acme={"servers": {"prod": OWN}}):
        breaks(ENVIRONMENT, *stack, saying=NOT_PRODUCTION)
    with configured(acme={"servers": {"prod": OWN}}):
        breaks(ENVIRONMENT, signing("staging", server), saying="the server of prod")


@pytest.mark.parametrize("server", ["https://ACME-staging-v02.api.letsencrypt.org/directory", OWN, f"{OWN}/"])
def test_the_host_of_staging_is_staging(server: str) -> None:
    with configured(acme={"servers": {"staging": OWN}}):
        holds(ENVIRONMENT, signing("staging", server), certificate(issuer=STAGING))


@pytest.mark.parametrize("server", ["https://acme.elsewhere.test/directory", "https://[", "https://10.0.0.1/"])
def test_another_server_is_an_advisory_outside_production(server: str) -> None:
    (line,) = advice(signing("staging", server), rule=ENVIRONMENT)
    assert f"has the server {server}, which acme.servers does not name" in line


def test_production_takes_no_other_server_for_the_ca() -> None:
    acme = {"server": DIRECTORIES["prod"]}
    any_server, any_ca = issuer(acme={**acme, "skipTLSVerify": True}), issuer(acme={**acme, "caBundle": "LS0t"})
    holds(ENVIRONMENT, signing("staging"))
    with configured(production="true", acme={"servers": {"prod": DIRECTORIES["prod"]}}):
        breaks(ENVIRONMENT, any_server, saying="has skipTLSVerify: any server can answer for the CA")
        breaks(ENVIRONMENT, any_ca, saying="has a caBundle, whose owner can answer for Let's Encrypt")
    with configured(production="true", acme={"servers": {"prod": OWN}}):
        holds(ENVIRONMENT, issuer(acme={"server": OWN, "caBundle": "LS0t"}))


@pytest.mark.parametrize(
    ("reference", "label"),
    [
        ({"group": "awspca.cert-manager.io"}, f"ClusterIssuer {PROD} of awspca.cert-manager.io"),
        ({"kind": "AWSPCAClusterIssuer", "group": "cert-manager.io"}, f"AWSPCAClusterIssuer {PROD}"),
    ],
    ids=str,
)
def test_an_issuer_of_another_group_or_kind_does_not_count(reference: dict[str, str], label: str) -> None:
    with configured(production="true"):
        stack = (signing("prod"), certificate(issuer=PROD, **reference))
        breaks(ENVIRONMENT, *stack, saying=f"{label} {NOT_PRODUCTION}")


def test_an_issuer_signs_in_its_own_namespace() -> None:
    misleading = signing("prod", DIRECTORIES["staging"], kind="Issuer")
    here, there = (certificate(issuer=PROD, kind=None, namespace=name) for name in ("istio-system", "shop"))

    with configured(production="true"):
        breaks(ENVIRONMENT, misleading, here, saying=NOT_PRODUCTION, times=2)
        breaks(ENVIRONMENT, misleading, there, saying="other stacks expect of prod")


@pytest.mark.parametrize("kind", ["CertificateRequest", "Order"])
def test_other_requests_to_an_issuer_are_judged_too(kind: str) -> None:
    stack = (signing("prod"), certificate(issuer=PROD, request=kind))
    breaks(ENVIRONMENT, *stack, saying=f"{kind} istio-system/certs: ClusterIssuer {PROD} is the CA's production")


def test_a_private_ca_is_no_production_issuer() -> None:
    stack = (issuer(environment="prod", selfSigned={}), certificate(issuer=PROD))
    with configured(production="true"):
        breaks(ENVIRONMENT, *stack, saying=f"ClusterIssuer {PROD} {NOT_PRODUCTION}")
    holds(ENVIRONMENT, *stack)


def test_an_issuer_of_another_stack_is_judged_by_its_name() -> None:
    with configured(production="true"):
        holds(ENVIRONMENT, certificate(issuer=PROD))
        breaks(ENVIRONMENT, certificate(issuer="self-signed"), saying="self-signed")
    holds(ENVIRONMENT, certificate(issuer="self-signed"))


@pytest.mark.parametrize("email", [None, "change-me", "you@example.com"])
def test_a_placeholder_is_no_contact(email: str | None) -> None:
    breaks(EMAIL, issuer(email=email), saying=repr(email or ""))
    holds(EMAIL, issuer(email="platform@sandbox.test"), issuer(selfSigned={}, kind="Issuer"))


def test_https_redirect_is_refused_with_http01_only() -> None:
    redirect = gateway(http(httpsRedirect=True))
    breaks(NO_REDIRECT, issuer("http01"), redirect, saying="server http has httpsRedirect")
    breaks(NO_REDIRECT, issuer("dns01"), issuer("http01", kind="Issuer"), redirect, saying="httpsRedirect")
    holds(NO_REDIRECT, issuer("dns01"), redirect)
    holds(NO_REDIRECT, issuer("http01"), gateway(http(), http(httpsRedirect=False)))


def test_a_wildcard_is_refused_with_http01_only() -> None:
    wildcard = certificate("shop.sandbox.test", "*.sandbox.test")
    spec = {"commonName": "*.sandbox.test", "issuerRef": {"kind": "ClusterIssuer", "name": STAGING}}
    for bad in (wildcard, kubernetes("cert-manager.io/v1:Certificate", spec=spec)):
        breaks(NO_WILDCARD, issuer("http01"), bad, saying="*.sandbox.test is a wildcard")
        holds(NO_WILDCARD, issuer("dns01"), bad)
        holds(NO_WILDCARD, issuer(acme={"solvers": [{"http01": {}}, {"dns01": {}}]}), bad)
        holds(NO_WILDCARD, bad)
    holds(NO_WILDCARD, issuer("http01"), certificate("shop.sandbox.test"))


def test_two_certificates_of_one_secret_are_both_refused() -> None:
    two = certificate(name="one"), certificate("api.sandbox.test", name="two")
    breaks(ONE_PER_SECRET, *two, saying="has the Secret certs, which Certificate istio-system/two fills too", times=2)


def test_certificates_with_other_secrets_namespaces_or_generated_names_hold() -> None:
    spec = {"secretName": "generated", "issuerRef": {"kind": "ClusterIssuer", "name": STAGING}}
    generated = kubernetes(
        "cert-manager.io/v1:Certificate", metadata={"generateName": "shop-", "name": None}, spec=spec
    )
    other = certificate(name="other", secret="other")
    for rule in (ONE_PER_SECRET, ENVIRONMENT, NO_WILDCARD):
        holds(rule, certificate(), certificate(namespace="shop"), other, generated)


@pytest.mark.parametrize(
    "annotation", ["cert-manager.io/issuer", "cert-manager.io/cluster-issuer", "kubernetes.io/tls-acme"]
)
@pytest.mark.parametrize(
    "type_",
    [
        "networking.k8s.io/v1:Ingress",
        "networking.k8s.io/v1:IngressPatch",
        "extensions/v1beta1:Ingress",
        "gateway.networking.k8s.io/v1:Gateway",
        "gateway.networking.k8s.io/v1:ListenerSet",
        "gateway.networking.x-k8s.io/v1alpha1:XListenerSet",
    ],
)
def test_a_certificate_by_annotation_is_refused(type_: str, annotation: str) -> None:
    annotated = kubernetes(type_, metadata={"annotations": {annotation: "true"}})
    breaks(WRITTEN_OUT, annotated, saying=f"shop/it has the annotation {annotation}")
    off = {"kubernetes.io/tls-acme": "false"}
    holds(WRITTEN_OUT, kubernetes(type_), kubernetes(type_, "off", metadata={"annotations": off}))
    holds(WRITTEN_OUT, kubernetes("core/v1:Service", metadata={"annotations": {annotation: "true"}}))
