"""Unknown values: the rules that need them are skipped and reported, and everything else is judged."""

from typing import Any

import pytest
from pulumi_policy import EnforcementLevel, PolicyResource
from pulumi_policy.proxy import UNKNOWN_ARRAY_VALUE, UNKNOWN_NUMBER_VALUE, UNKNOWN_OBJECT_VALUE, UNKNOWN_STRING_VALUE

from policies import RULES
from policies.cert_manager import PROTECT, SOURCE, VERSION
from policies.certificates import ONE_PER_SECRET, WRITTEN_OUT
from policies.findings import JUDGED, Rule, unjudged_policy
from policies.gateways import CERTIFICATE, CIPHER_SUITES, MODE, NO_PLAIN_HTTP, TLS_VERSION
from policies.issuers import EMAIL, ENVIRONMENT, NO_REDIRECT, NO_WILDCARD
from policies.neighbours import GRANTS, ROUTES_FROM
from policies.other_kinds import OTHER_WAYS, WHOLE
from policies.private_keys import NO_PRIVATE_KEY
from policies.records import TTL, ZONE
from tests.policies.support import (
    advice,
    api_class,
    api_gateway,
    api_route,
    breaks,
    certificate,
    configured,
    findings,
    gateway,
    holds,
    http,
    https,
    ingress,
    issuer,
    kubernetes,
    record,
    release,
    virtual_service,
    zone,
)

UNKNOWN = UNKNOWN_STRING_VALUE
PROD = "letsencrypt-prod-istio"
PLAIN = "istio-system/plain"


SERVER = "Gateway istio-system/tls, server https: spec.servers.0.tls"
CERTS, ISSUER = "Certificate istio-system/certs", "ClusterIssuer letsencrypt-staging-istio"
GATEWAYS = "networking.istio.io/v1:Gateway"
NO_SOLVERS = issuer(acme={"solvers": UNKNOWN_ARRAY_VALUE})
NO_SERVERS = kubernetes(GATEWAYS, "plain", "istio-system", spec={"servers": UNKNOWN_ARRAY_VALUE})
ANNOTATED = ingress(**{"cert-manager.io/issuer": UNKNOWN})
SECRET = kubernetes("core/v1:Secret", data=UNKNOWN_OBJECT_VALUE)
GRANT = {"from": [{"namespace": "edge"}], "to": UNKNOWN_ARRAY_VALUE}
UNKNOWN_GRANT = kubernetes("gateway.networking.k8s.io/v1beta1:ReferenceGrant", spec=GRANT)
INGRESSES = kubernetes("networking.k8s.io/v1:IngressList", items=UNKNOWN_ARRAY_VALUE)
NO_NAMES = kubernetes("cert-manager.io/v1:Certificate", spec={"dnsNames": UNKNOWN_ARRAY_VALUE})
TWO_SERVERS = gateway(https(mode=UNKNOWN), https(mode="PASSTHROUGH"))
NO_REPOSITORY = release(repositoryOpts=UNKNOWN_OBJECT_VALUE, values={"imageRegistry": "x.test"})
IN_PLAIN, IN_SHARED = virtual_service(PLAIN), certificate(secret=UNKNOWN, name="it")

CASES: list[tuple[Rule[Any], str, list[PolicyResource]]] = [
    (NO_PLAIN_HTTP, "VirtualService shop/it: spec.servers of Gateway istio-system/plain", [NO_SERVERS, IN_PLAIN]),
    (NO_PLAIN_HTTP, "VirtualService shop/it: spec.gateways.0", [virtual_service(UNKNOWN)]),
    (NO_PLAIN_HTTP, "VirtualService shop/it: metadata.name of Gateway", [gateway(http(), name=UNKNOWN), IN_PLAIN]),
    (OTHER_WAYS, "Ingress shop/it: spec.ingressClassName", [ingress(UNKNOWN)]),
    (OTHER_WAYS, "IngressList-it: items", [INGRESSES]),
    (NO_PLAIN_HTTP, "shop/route: spec.gatewayClassName of Gateway shop/api", [api_gateway(UNKNOWN), api_route()]),
    (OTHER_WAYS, "Gateway shop/api: spec.gatewayClassName", [api_gateway(UNKNOWN)]),
    (GRANTS, "ReferenceGrant shop/it: spec.to", [UNKNOWN_GRANT]),
    (OTHER_WAYS, "spec.controllerName of GatewayClass ours", [api_gateway("ours"), api_class("ours", UNKNOWN)]),
    (MODE, "spec.servers.0.tls.mode", [TWO_SERVERS]),
    (TLS_VERSION, f"{SERVER}.minProtocolVersion", [gateway(https(minProtocolVersion=UNKNOWN))]),
    (CIPHER_SUITES, f"{SERVER}.cipherSuites.0", [gateway(https(cipherSuites=[UNKNOWN]))]),
    (CERTIFICATE, f"{SERVER}.credentialName", [gateway(https(credentialName=UNKNOWN))]),
    (CERTIFICATE, f"server https: spec.secretName of {CERTS}", [certificate(secret=UNKNOWN), gateway(https())]),
    (ONE_PER_SECRET, "Certificate istio-system/it: spec.secretName", [IN_SHARED]),
    (WRITTEN_OUT, "Ingress shop/it: metadata.annotations.", [ANNOTATED]),
    (ENVIRONMENT, f"{CERTS}: spec.issuerRef.name", [certificate(issuer=UNKNOWN)]),
    (ENVIRONMENT, f"{CERTS}: spec.acme.server of {ISSUER}", [issuer(server=UNKNOWN), certificate()]),
    (EMAIL, f"{ISSUER}: spec.acme.email", [issuer(email=UNKNOWN)]),
    (NO_REDIRECT, f"server http: spec.acme.solvers of {ISSUER}", [NO_SOLVERS, gateway(http(httpsRedirect=True))]),
    (NO_WILDCARD, "Certificate shop/it: spec.dnsNames", [issuer(), NO_NAMES, certificate("*.sandbox.test")]),
    (NO_WILDCARD, f"{CERTS}: spec.acme.solvers of {ISSUER}", [NO_SOLVERS, certificate("*.sandbox.test")]),
    (ZONE, "record it.sandbox.test.: managedZone", [record("it.sandbox.test.", zone=UNKNOWN)]),
    (ZONE, "name of managed zone it", [zone(UNKNOWN), record()]),
    (TTL, "record it.sandbox.test.: ttl", [record("it.sandbox.test.", ttl=UNKNOWN_NUMBER_VALUE)]),
    (TTL, "record it.sandbox.test.: type", [record("it.sandbox.test.", type_=UNKNOWN)]),
    (NO_PRIVATE_KEY, "Secret-it: data", [SECRET]),
    (SOURCE, "Release it: chart", [release(chart=UNKNOWN)]),
    (SOURCE, "Release it: repositoryOpts", [NO_REPOSITORY]),
    (SOURCE, "Release it: values.image.tag", [release(values={"image": {"tag": UNKNOWN}})]),
    (VERSION, "Release it: version", [release(UNKNOWN)]),
]
"""A rule, how it reports a value that a preview does not know, and the resources with the value."""


@pytest.mark.parametrize(("rule", "reported", "stack"), CASES, ids=[case[1] for case in CASES])
def test_an_unknown_value_is_an_advisory(rule: Rule[Any], reported: str, stack: list[PolicyResource]) -> None:
    assert not any("not known" in problem for problem in findings(rule.policy(), *stack)), "the preview goes on"

    lines = advice(*stack, rule=rule)
    assert len(lines) == len(set(lines)), "an unknown value is reported once"
    assert any(reported in line for line in lines), "with object and path"
    for line in lines:
        assert line.endswith(f" is not known in this preview ({rule.name})"), "with the reason and the rule"


def test_in_production_a_preview_fails_for_an_unknown_value() -> None:
    with configured(production="true"):
        for rule, stack in ((EMAIL, issuer(email=UNKNOWN)), (ZONE, record(zone=UNKNOWN))):
            breaks(rule, stack, saying="is not known in this preview\n    write the value out in the program")
            assert advice(stack, rule=rule) == [], "no advisory repeats it"
        assert findings(NO_PRIVATE_KEY.policy(), SECRET) == [], "nearly every Secret has them, and `up` judges it"
        assert advice(SECRET, rule=NO_PRIVATE_KEY)


@pytest.mark.parametrize(
    ("rule", "stack"),
    [
        (NO_PLAIN_HTTP, [virtual_service(UNKNOWN), gateway(http(), name="plain"), virtual_service(PLAIN, tcp=[{}])]),
        (OTHER_WAYS, [INGRESSES, ingress("istio", "bad")]),
        (MODE, [TWO_SERVERS]),
        (CERTIFICATE, [IN_SHARED, gateway(https(credentialName=None))]),
        (ONE_PER_SECRET, [IN_SHARED, certificate(name="one"), certificate(name="two")]),
        (ENVIRONMENT, [certificate(issuer=UNKNOWN), certificate(issuer=PROD, name="bad")]),
        (ZONE, [record(zone=UNKNOWN), record(zone="stray"), record(zone="another")]),
        (SOURCE, [NO_REPOSITORY]),
    ],
    ids=lambda value: value.name if isinstance(value, Rule) else "",
)
def test_an_unknown_value_hides_no_problem(rule: Rule[Any], stack: list[PolicyResource]) -> None:
    assert findings(rule.policy(), *stack)


def test_an_unknown_value_does_not_matter_if_another_object_decides() -> None:
    stack = [NO_SOLVERS, issuer(kind="Issuer"), gateway(http(httpsRedirect=True))]
    assert findings(NO_REDIRECT.policy(), *stack)
    assert advice(*stack, rule=NO_REDIRECT) == []


def test_a_value_that_several_rules_need_is_reported_once() -> None:
    assert advice(gateway(https(mode=UNKNOWN))) == [
        "Gateway istio-system/tls, server https: spec.servers.0.tls.mode is not known in this preview"
        " (tls-ends-at-the-gateway, tls-1.2-or-later, strong-cipher-suites, https-server-has-certificate)"
    ]


def test_a_value_that_decides_nothing_may_be_unknown() -> None:
    with configured(production="true"):
        for rule, other in ((NO_REDIRECT, gateway(http())), (NO_WILDCARD, certificate())):
            holds(rule, NO_SOLVERS, other)


def test_every_rule_that_reads_a_value_has_a_case() -> None:
    assert {rule.name for rule in RULES} - {rule.name for rule, _, _ in CASES} == {
        WHOLE.name,
        PROTECT.name,
        ROUTES_FROM.name,
    }


def test_protection_is_judged_beside_an_unknown_release() -> None:
    with configured(production="true"):
        namespace = kubernetes("core/v1:Namespace", "x", None)
        problems = findings(PROTECT.policy(), release(chart=UNKNOWN), issuer(), namespace)

    assert [problem.splitlines()[0] for problem in problems] == [
        "ClusterIssuer letsencrypt-staging-istio is not protected",
        "Namespace x cannot be judged: chart of Release it is not known in this preview",
        "Release it cannot be judged: chart is not known in this preview",
    ]


def test_unjudged_values_are_an_advisory() -> None:
    policy = unjudged_policy(RULES)
    assert (policy.name, policy.enforcement_level) == (JUDGED, EnforcementLevel.ADVISORY)
    assert (
        advice(
            gateway(http()), certificate(), issuer(email="platform@sandbox.test", selfSigned={}), record(), release()
        )
        == []
    )
