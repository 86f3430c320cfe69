"""A value that a preview does not know: it costs one resource its judgement, and that is said."""

from dataclasses import dataclass
from typing import Any

import pytest
from pulumi_policy import EnforcementLevel, PolicyResource
from pulumi_policy.proxy import UNKNOWN_ARRAY_VALUE, UNKNOWN_NUMBER_VALUE, UNKNOWN_OBJECT_VALUE, UNKNOWN_STRING_VALUE

from policies import RULES
from policies.cert_manager import SOURCE, VERSION
from policies.certificates import ONE_PER_SECRET, WRITTEN_OUT
from policies.challenges import NO_REDIRECT, NO_WILDCARD
from policies.findings import JUDGED, Rule, unjudged_policy
from policies.gateways import CERTIFICATE, CIPHER_SUITES, MODE, TLS_VERSION
from policies.issuers import EMAIL, ENVIRONMENT
from policies.other_kinds import OTHER_WAYS, WHOLE
from policies.plain_http import NO_PLAIN_HTTP
from policies.private_keys import NO_PRIVATE_KEY
from policies.protection import PROTECT
from policies.records import TTL, ZONE
from tests.policies.support import (
    advice,
    api_class,
    api_gateway,
    api_route,
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
    pem,
    record,
    release,
    virtual_service,
    zone,
)

UNKNOWN = UNKNOWN_STRING_VALUE
PROD = "letsencrypt-prod-istio"
PLAIN = "istio-system/plain"
LONG = [record("bad.sandbox.test.", ttl=86400.0)]
FOREIGN = [release(chart="oci://x.test/cert-manager")]


def unknown_gateway() -> PolicyResource:
    return kubernetes("networking.istio.io/v1:Gateway", "plain", "istio-system", spec={"servers": UNKNOWN_ARRAY_VALUE})


def passing_through(name: str) -> PolicyResource:
    return gateway(https(mode="PASSTHROUGH"), name=name)


def annotated(value: Any, name: str = "it") -> PolicyResource:
    return ingress(name=name, **{"cert-manager.io/issuer": value})


@dataclass(frozen=True)
class Case:
    """A value that a preview does not know, and something wrong beside it."""

    rule: Rule[Any]
    said: str
    """What is said of it; empty where the rest is enough to judge by."""
    unknown: list[PolicyResource]
    bad: list[PolicyResource]


BESIDE = [
    gateway(http(), name="bad"),
    virtual_service("istio-system/bad", tcp=[{}], name="bad"),
]

CASES = {
    "a Gateway's servers": Case(
        NO_PLAIN_HTTP,
        "VirtualService shop/it: spec.servers of Gateway istio-system/plain",
        [unknown_gateway(), virtual_service(PLAIN)],
        BESIDE,
    ),
    "a VirtualService's Gateway": Case(
        NO_PLAIN_HTTP, "VirtualService shop/it: spec.gateways.0", [virtual_service(UNKNOWN)], BESIDE
    ),
    "a Gateway's name": Case(
        NO_PLAIN_HTTP,
        f"VirtualService shop/it: metadata.name of Gateway Gateway-{UNKNOWN}",
        [gateway(http(), name=UNKNOWN), virtual_service(PLAIN)],
        BESIDE,
    ),
    "an Ingress's class": Case(
        OTHER_WAYS, "Ingress shop/it: spec.ingressClassName", [ingress(UNKNOWN)], [ingress("istio", "bad")]
    ),
    "a list of Ingresses": Case(
        OTHER_WAYS,
        "IngressList-it: items",
        [kubernetes("networking.k8s.io/v1:IngressList", items=UNKNOWN_ARRAY_VALUE)],
        [ingress("istio", "bad")],
    ),
    "a server's mode": Case(MODE, "spec.servers.0.tls.mode", [gateway(https(mode=UNKNOWN))], [passing_through("bad")]),
    "a server's mode beside another server": Case(
        MODE, "spec.servers.0.tls.mode", [], [gateway(https(mode=UNKNOWN), https(mode="PASSTHROUGH"))]
    ),
    "a server's version": Case(
        TLS_VERSION,
        "Gateway istio-system/tls, server https: spec.servers.0.tls.minProtocolVersion",
        [gateway(https(minProtocolVersion=UNKNOWN))],
        [gateway(https(minProtocolVersion=None), name="bad")],
    ),
    "a server's suites": Case(
        CIPHER_SUITES,
        "Gateway istio-system/tls, server https: spec.servers.0.tls.cipherSuites.0",
        [gateway(https(cipherSuites=[UNKNOWN]))],
        [gateway(https(cipherSuites=["NULL-SHA"]), name="bad")],
    ),
    "a server's credential": Case(
        CERTIFICATE,
        "Gateway istio-system/tls, server https: spec.servers.0.tls.credentialName",
        [gateway(https(credentialName=UNKNOWN))],
        [gateway(https(credentialName=None), name="bad")],
    ),
    "a Certificate's Secret": Case(
        CERTIFICATE,
        "Gateway istio-system/tls, server https: spec.secretName of Certificate istio-system/certs",
        [certificate(secret=UNKNOWN), gateway(https())],
        [gateway(https(credentialName=None), name="bad")],
    ),
    "one of several Secrets": Case(
        ONE_PER_SECRET,
        "Certificate istio-system/it: spec.secretName",
        [certificate(secret=UNKNOWN, name="it")],
        [certificate(name="bad"), certificate(name="worse")],
    ),
    "an annotation": Case(
        WRITTEN_OUT, "Ingress shop/it: metadata.annotations.", [annotated(UNKNOWN)], [annotated(PROD, "bad")]
    ),
    "who signs": Case(
        ENVIRONMENT,
        "Certificate istio-system/certs: spec.issuerRef.name",
        [certificate(issuer=UNKNOWN)],
        [certificate(issuer=PROD, name="bad")],
    ),
    "the server of who signs": Case(
        ENVIRONMENT,
        "Certificate istio-system/certs: spec.acme.server of ClusterIssuer letsencrypt-staging-istio",
        [issuer(server=UNKNOWN), certificate()],
        [certificate(issuer=PROD, name="bad")],
    ),
    "a contact": Case(
        EMAIL,
        "ClusterIssuer letsencrypt-staging-istio: spec.acme.email",
        [issuer(email=UNKNOWN)],
        [issuer(email="", kind="Issuer")],
    ),
    "an issuer's solvers": Case(
        NO_REDIRECT,
        "Gateway istio-system/tls, server http: spec.acme.solvers of ClusterIssuer letsencrypt-staging-istio",
        [issuer(acme={"solvers": UNKNOWN_ARRAY_VALUE}), gateway(http(httpsRedirect=True))],
        [],
    ),
    "an issuer's solvers beside another issuer": Case(
        NO_REDIRECT,
        "",
        [issuer(acme={"solvers": UNKNOWN_ARRAY_VALUE})],
        [issuer(kind="Issuer"), gateway(http(httpsRedirect=True))],
    ),
    "a Certificate's names": Case(
        NO_WILDCARD,
        "Certificate shop/it: spec.dnsNames",
        [issuer(), kubernetes("cert-manager.io/v1:Certificate", spec={"dnsNames": UNKNOWN_ARRAY_VALUE})],
        [certificate("*.sandbox.test")],
    ),
    "a record's zone": Case(
        ZONE,
        "record it.sandbox.test.: managedZone",
        [record("it.sandbox.test.", zone=UNKNOWN)],
        [record(), record(zone="stray")],
    ),
    "the solvers of who signs": Case(
        NO_WILDCARD,
        "Certificate istio-system/certs: spec.acme.solvers of ClusterIssuer letsencrypt-staging-istio",
        [issuer(acme={"solvers": UNKNOWN_ARRAY_VALUE}), certificate("*.sandbox.test")],
        [],
    ),
    "the class of a Gateway of the Gateway API": Case(
        OTHER_WAYS,
        "HTTPRoute shop/route: spec.gatewayClassName of Gateway shop/api",
        [api_gateway(UNKNOWN), api_route()],
        [ingress("istio", "bad")],
    ),
    "the controller of its class": Case(
        OTHER_WAYS,
        "Gateway shop/api: spec.controllerName of GatewayClass ours",
        [api_gateway("ours"), api_class("ours", UNKNOWN)],
        [ingress("istio", "bad")],
    ),
    "a zone's name": Case(
        ZONE,
        "record shop.sandbox.test.: name of managed zone it",
        [zone(UNKNOWN), record()],
        [record(zone="stray")],
    ),
    "a TTL": Case(TTL, "record it.sandbox.test.: ttl", [record("it.sandbox.test.", ttl=UNKNOWN_NUMBER_VALUE)], LONG),
    "a kind of record": Case(TTL, "record it.sandbox.test.: type", [record("it.sandbox.test.", type_=UNKNOWN)], LONG),
    "a Secret's data": Case(
        NO_PRIVATE_KEY,
        "Secret-it: data",
        [kubernetes("core/v1:Secret", data=UNKNOWN_OBJECT_VALUE)],
        [kubernetes("core/v1:Secret", "bad", stringData={"key": pem()})],
    ),
    "a chart": Case(SOURCE, "Release it: chart", [release(chart=UNKNOWN)], FOREIGN),
    "where a chart is from": Case(
        SOURCE,
        "Release it: repositoryOpts",
        [],
        [release(repositoryOpts=UNKNOWN_OBJECT_VALUE, values={"imageRegistry": "x.test"})],
    ),
    "an image": Case(SOURCE, "Release it: values.image.tag", [release(values={"image": {"tag": UNKNOWN}})], FOREIGN),
    "a version": Case(VERSION, "Release it: version", [release(UNKNOWN)], [release("v1.11.5")]),
}
EACH = pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))


@EACH
def test_one_unknown_value_leaves_the_policy_on_and_is_said(case: Case) -> None:
    found = findings(case.rule.policy(), *case.unknown, *case.bad)
    assert bool(found) is bool(case.bad), "what is wrong beside the value that is not known is found"
    assert not any("not known" in each for each in found), "and the preview fails for nothing else"

    told = advice(*case.unknown, *case.bad, rule=case.rule)
    assert bool(told) is bool(case.said), "it is said where what is known is not enough"
    assert len(told) == len(set(told)), "and said once"
    assert any(case.said in each for each in told) is bool(case.said), "the object and the value are named"
    for each in told:
        assert each.endswith(f" ({case.rule.name})"), "the policy that could not judge it is named"
        assert "is not known in this preview" in each, "and why"


def test_what_several_policies_miss_is_said_once() -> None:
    assert advice(gateway(https(mode=UNKNOWN))) == [
        "Gateway istio-system/tls, server https: spec.servers.0.tls.mode is not known in this preview"
        " (tls-ends-at-the-gateway, tls-1.2-or-later, strong-cipher-suites, https-server-has-certificate)"
    ]


@EACH
def test_in_production_a_preview_fails_for_what_it_cannot_judge(case: Case) -> None:
    # Nearly every Secret is made of something that is not known yet: its up is soon enough.
    fails = bool(case.said) and case.rule is not NO_PRIVATE_KEY
    with configured(production="true"):
        found = findings(case.rule.policy(), *case.unknown, *case.bad)
        told = [each for each in found if "cannot be judged: " in each and "is not known in this preview" in each]
        assert bool(told) is fails, "what an up would know is a problem"
        for each in told:
            assert "\n    pulumi up --target URN" in each, "and the fix makes it known"

        advised = any("not known" in each for each in advice(*case.unknown, *case.bad, rule=case.rule))
        assert advised is (case.rule is NO_PRIVATE_KEY), "and no advice says it again"


def test_a_value_that_decides_nothing_may_be_unknown() -> None:
    unknown = issuer(acme={"solvers": UNKNOWN_ARRAY_VALUE})
    with configured(production="true"):
        for rule, other in ((NO_REDIRECT, gateway(http())), (NO_WILDCARD, certificate())):
            holds(rule, unknown, other)


def test_every_policy_that_reads_a_value_has_a_case() -> None:
    # One looks at a resource's type alone; the other one at what is known before any value is.
    assert {rule.name for rule in RULES} - {case.rule.name for case in CASES.values()} == {WHOLE.name, PROTECT.name}


def test_what_is_known_to_hurt_is_found_beside_an_unknown_release() -> None:
    with configured(production="true"):
        found = findings(PROTECT.policy(), release(chart=UNKNOWN), issuer(), kubernetes("core/v1:Namespace", "x", None))

    assert [each.splitlines()[0] for each in found] == [
        "ClusterIssuer letsencrypt-staging-istio is not protected",
        "Namespace x cannot be judged: chart of Release it is not known in this preview",
        "Release it cannot be judged: chart is not known in this preview",
    ]


def test_what_is_unjudged_is_an_advice() -> None:
    policy = unjudged_policy(RULES)
    assert (policy.name, policy.enforcement_level) == (JUDGED, EnforcementLevel.ADVISORY), "no preview fails for it"
    assert advice(gateway(http()), certificate(), issuer(), record(), release()) == [], "nothing is left unjudged here"
