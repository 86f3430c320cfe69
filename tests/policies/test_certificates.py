"""Who signs, for which names, how they are proven, and into which Secret."""

from typing import Any

import pytest
from pulumi_policy import PolicyResource

from components.specs.acme import DIRECTORIES
from policies import challenges, issuers
from policies.certificates import ONE_PER_SECRET, WRITTEN_OUT
from tests.policies.support import (
    breaks,
    certificate,
    configured,
    findings,
    gateway,
    holds,
    http,
    issuer,
    kubernetes,
    resource,
)

STAGING, PROD = "letsencrypt-staging-istio", "letsencrypt-prod-istio"
OWN = "https://acme.platform.test/directory"


def signing(environment: str, server: str = "", **changes: Any) -> PolicyResource:
    """An issuer of Let's Encrypt's environment, unless it is of another server."""
    return issuer(environment=environment, server=server or DIRECTORIES[environment], **changes)


def test_production_signs_with_the_production_issuer_and_no_other_stack_does() -> None:
    with configured(production="true"):
        holds(issuers.ENVIRONMENT, signing("prod"), certificate(issuer=PROD))
        breaks(issuers.ENVIRONMENT, signing("staging"), certificate(issuer=STAGING), saying="browsers reject its")
    for other in ({}, {"production": "false"}, {"production": ""}):
        with configured(**other):
            holds(issuers.ENVIRONMENT, signing("staging"), certificate(issuer=STAGING))
            breaks(issuers.ENVIRONMENT, signing("prod"), certificate(issuer=PROD), saying="spend the weekly limits")


@pytest.mark.parametrize("value", ["true", "True", "1", "yes", "on"])
def test_production_is_what_the_settings_read_as_true(value: str) -> None:
    with configured(production=value):
        breaks(issuers.ENVIRONMENT, certificate(issuer=STAGING), saying="browsers reject")


@pytest.mark.parametrize("stack", ["prod", "production", "prod-eu"])
def test_a_stacks_name_makes_it_no_production(stack: str) -> None:
    named = resource("kubernetes:cert-manager.io/v1:Certificate", certificate(issuer=STAGING).props, stack=stack)
    holds(issuers.ENVIRONMENT, named)


def test_the_server_of_an_issuer_counts_and_not_its_name() -> None:
    staging_called_prod = signing("prod", DIRECTORIES["staging"])
    prod_called_staging = signing("staging", DIRECTORIES["prod"])

    with configured(production="true"):
        stack = (staging_called_prod, certificate(issuer=PROD))
        breaks(issuers.ENVIRONMENT, *stack, saying="is not the CA's production environment", times=2)
    breaks(issuers.ENVIRONMENT, prod_called_staging, certificate(issuer=STAGING), saying="weekly limits", times=2)


def test_an_issuer_that_other_stacks_would_misjudge_is_refused_where_it_is_made() -> None:
    breaks(
        issuers.ENVIRONMENT,
        signing("prod", DIRECTORIES["staging"]),
        saying="has the name that other stacks expect of prod",
    )
    breaks(issuers.ENVIRONMENT, signing("staging", DIRECTORIES["prod"]), saying="the server of prod")
    holds(issuers.ENVIRONMENT, signing("prod"), signing("staging"), signing("prod", OWN))
    ours = {"acme": {"server": DIRECTORIES["prod"]}}
    holds(issuers.ENVIRONMENT, kubernetes("cert-manager.io/v1:ClusterIssuer", "ours", None, spec=ours))


def test_a_server_of_ones_own_is_what_the_config_says() -> None:
    servers = {"servers": {"prod": OWN}}
    own = (signing("prod", OWN), certificate(issuer=PROD))

    with configured(production="true", acme=servers):
        holds(issuers.ENVIRONMENT, *own)
        other = (signing("prod", "https://acme.elsewhere.test/dir"), certificate(issuer=PROD))
        breaks(issuers.ENVIRONMENT, *other, saying=f"{PROD} (https://acme.elsewhere.test/dir) is not the CA's")
        assert "acme.servers.prod" in findings(issuers.ENVIRONMENT.policy(), *other)[0], "the fix is the config"
        staging = findings(issuers.ENVIRONMENT.policy(), signing("staging"), certificate(issuer=STAGING))
        assert "acme.servers.prod" not in staging[0], "which makes Let's Encrypt's staging no better"
    with configured(acme=servers):
        breaks(issuers.ENVIRONMENT, *own, saying="spend the weekly limits")
    with configured(production="true", acme={"servers": {"staging": OWN, "prod": DIRECTORIES["prod"]}}):
        breaks(issuers.ENVIRONMENT, *own, saying="is not the CA's production environment")


def test_one_server_that_plays_both_environments_is_told_by_the_issuers_name() -> None:
    both = {"servers": {"staging": OWN, "prod": OWN}}
    with configured(acme=both):
        holds(issuers.ENVIRONMENT, signing("staging", OWN), certificate(issuer=STAGING))
        breaks(issuers.ENVIRONMENT, signing("prod", OWN), certificate(issuer=PROD), saying="weekly limits")


def test_a_config_that_is_no_json_is_left_to_the_settings() -> None:
    with configured(production="true", acme="not: json", ingress="[]"):
        holds(issuers.ENVIRONMENT, signing("prod"), certificate(issuer=PROD))


@pytest.mark.parametrize(
    ("reference", "called"),
    [
        ({"group": "awspca.cert-manager.io"}, f"ClusterIssuer {PROD} of awspca.cert-manager.io"),
        ({"kind": "AWSPCAClusterIssuer"}, f"AWSPCAClusterIssuer {PROD}"),
        ({"kind": "AWSPCAClusterIssuer", "group": "cert-manager.io"}, f"AWSPCAClusterIssuer {PROD}"),
    ],
    ids=str,
)
def test_an_issuer_of_another_group_or_kind_is_not_the_one_of_that_name(reference: dict[str, str], called: str) -> None:
    with configured(production="true"):
        stack = (signing("prod"), certificate(issuer=PROD, **reference))
        breaks(issuers.ENVIRONMENT, *stack, saying=f"{called} is not the CA's production environment")


@pytest.mark.parametrize("kind", ["Issuer", None])
def test_a_namespaced_issuer_signs_in_its_own_namespace(kind: str | None) -> None:
    misled = signing("prod", DIRECTORIES["staging"], kind="Issuer")
    here, there = (certificate(issuer=PROD, kind=kind, namespace=each) for each in ("istio-system", "shop"))

    with configured(production="true"):
        breaks(issuers.ENVIRONMENT, misled, here, saying="is not the CA's production environment", times=2)
        breaks(issuers.ENVIRONMENT, misled, there, saying="has the name that other stacks expect of prod", times=1)


@pytest.mark.parametrize("kind", ["CertificateRequest", "Order"])
def test_what_asks_an_issuer_without_a_certificate_is_judged_too(kind: str) -> None:
    stack = (signing("prod"), certificate(issuer=PROD, request=kind))
    breaks(
        issuers.ENVIRONMENT, *stack, saying=f"{kind} istio-system/certs: ClusterIssuer {PROD} is the CA's production"
    )


@pytest.mark.parametrize(
    "spec", [{"selfSigned": {}}, {"ca": {"secretName": "ca"}}, {"vault": {"path": "pki"}}], ids=str
)
def test_an_authority_of_ones_own_is_no_production_issuer(spec: dict[str, Any]) -> None:
    stack = (issuer(environment="prod", **spec), certificate(issuer=PROD))
    with configured(production="true"):
        breaks(issuers.ENVIRONMENT, *stack, saying=f"ClusterIssuer {PROD} is not the CA's production environment")
    holds(issuers.ENVIRONMENT, *stack)


def test_an_issuer_of_another_stack_is_judged_by_its_name() -> None:
    with configured(production="true"):
        holds(issuers.ENVIRONMENT, certificate(issuer=PROD))
        breaks(issuers.ENVIRONMENT, certificate(issuer="self-signed"), saying="self-signed")
    holds(issuers.ENVIRONMENT, certificate(issuer="self-signed"))


@pytest.mark.parametrize("email", ["", None, "change-me", "you@example.com", "platform@your-domain.com"])
def test_a_placeholder_is_no_contact(email: str | None) -> None:
    breaks(issuers.EMAIL, issuer(email=email), saying=repr(email or ""))


def test_a_real_address_is_a_contact_and_other_issuers_have_none() -> None:
    holds(issuers.EMAIL, issuer(email="platform@sandbox.test"), issuer(selfSigned={}, kind="Issuer"))


def test_https_redirect_is_refused_with_http01_and_harmless_with_dns01() -> None:
    redirecting = gateway(http(httpsRedirect=True))
    breaks(challenges.NO_REDIRECT, issuer("http01"), redirecting, saying="server http has httpsRedirect")
    breaks(
        challenges.NO_REDIRECT, issuer("dns01"), issuer("http01", kind="Issuer"), redirecting, saying="httpsRedirect"
    )
    holds(challenges.NO_REDIRECT, issuer("dns01"), redirecting)
    holds(challenges.NO_REDIRECT, issuer("http01"), gateway(http(), http(httpsRedirect=False)))


def test_a_wildcard_is_refused_with_http01_and_proven_by_dns01() -> None:
    wildcard = certificate("shop.sandbox.test", "*.sandbox.test")
    breaks(challenges.NO_WILDCARD, issuer("http01"), wildcard, saying="*.sandbox.test is a wildcard")
    holds(challenges.NO_WILDCARD, issuer("dns01"), wildcard)
    holds(challenges.NO_WILDCARD, issuer(acme={"solvers": [{"http01": {}}, {"dns01": {}}]}), wildcard)
    holds(challenges.NO_WILDCARD, issuer("http01"), certificate("shop.sandbox.test"))
    holds(challenges.NO_WILDCARD, wildcard)


def test_a_wildcard_as_the_common_name_is_one_of_the_names() -> None:
    common = kubernetes(
        "cert-manager.io/v1:Certificate",
        spec={"commonName": "*.sandbox.test", "issuerRef": {"kind": "ClusterIssuer", "name": STAGING}},
    )
    breaks(challenges.NO_WILDCARD, issuer("http01"), common, saying="*.sandbox.test is a wildcard")


def test_two_certificates_of_one_secret_are_refused_both() -> None:
    two = certificate(name="one"), certificate("api.sandbox.test", name="two")
    breaks(ONE_PER_SECRET, *two, saying="has the Secret certs, which Certificate istio-system/two fills too", times=2)


def test_secrets_of_other_names_and_namespaces_and_generated_names_hold() -> None:
    made_up = {"generateName": "shop-", "name": None}
    spec = {"secretName": "made-up", "issuerRef": {"kind": "ClusterIssuer", "name": STAGING}}
    unnamed = kubernetes("cert-manager.io/v1:Certificate", metadata=made_up, spec=spec)
    other = certificate(name="other", secret="other")
    for rule in (ONE_PER_SECRET, issuers.ENVIRONMENT, challenges.NO_WILDCARD):
        holds(rule, certificate(), certificate(namespace="shop"), other, unnamed)


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


def test_other_annotations_and_other_kinds_hold() -> None:
    holds(
        WRITTEN_OUT,
        kubernetes("networking.k8s.io/v1:Ingress", metadata={"annotations": {"kubernetes.io/tls-acme": "false"}}),
    )
    holds(WRITTEN_OUT, kubernetes("networking.k8s.io/v1:Ingress"))
    holds(WRITTEN_OUT, kubernetes("core/v1:Service", metadata={"annotations": {"cert-manager.io/issuer": PROD}}))
