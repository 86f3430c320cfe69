"""Unknown values: the rules that need them are skipped and reported, and everything else is judged."""

from dataclasses import dataclass
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
from policies.other_kinds import OTHER_WAYS, WHOLE
from policies.private_keys import NO_PRIVATE_KEY
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
    """A value that a preview does not know, and a problem beside it."""

    rule: Rule[Any]
    reported: str
    """How the unknown value is reported; empty if the rule does not need it."""
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
every_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


@every_case
def test_an_unknown_value_is_reported_and_hides_no_problem(case: Case) -> None:
    problems = findings(case.rule.policy(), *case.unknown, *case.bad)
    assert bool(problems) is bool(case.bad), "the problem beside the unknown value is found"
    assert not any("not known" in problem for problem in problems), "and the preview fails for nothing else"

    reported = advice(*case.unknown, *case.bad, rule=case.rule)
    assert bool(reported) is bool(case.reported), "the unknown value is reported if the rule needs it"
    assert len(reported) == len(set(reported)), "and only once"
    assert any(case.reported in line for line in reported) is bool(case.reported), "with object and path"
    for line in reported:
        assert line.endswith(f" ({case.rule.name})"), "with the rule"
        assert "is not known in this preview" in line, "and the reason"


@every_case
def test_in_production_a_preview_fails_for_an_unknown_value(case: Case) -> None:
    # Nearly every Secret contains unknown values; `up` judges it soon enough.
    fails = bool(case.reported) and case.rule is not NO_PRIVATE_KEY
    with configured(production="true"):
        problems = [line for line in findings(case.rule.policy(), *case.unknown, *case.bad) if "cannot be" in line]
        assert bool(problems) is fails
        for problem in problems:
            assert "is not known in this preview" in problem
            assert "\n    pulumi up --target URN" in problem, "the fix makes the value known"

        advised = any("not known" in line for line in advice(*case.unknown, *case.bad, rule=case.rule))
        assert advised is (case.rule is NO_PRIVATE_KEY), "no advisory repeats it"


def test_a_value_that_several_rules_need_is_reported_once() -> None:
    assert advice(gateway(https(mode=UNKNOWN))) == [
        "Gateway istio-system/tls, server https: spec.servers.0.tls.mode is not known in this preview"
        " (tls-ends-at-the-gateway, tls-1.2-or-later, strong-cipher-suites, https-server-has-certificate)"
    ]


def test_a_value_that_decides_nothing_may_be_unknown() -> None:
    unknown = issuer(acme={"solvers": UNKNOWN_ARRAY_VALUE})
    with configured(production="true"):
        for rule, other in ((NO_REDIRECT, gateway(http())), (NO_WILDCARD, certificate())):
            holds(rule, unknown, other)


def test_every_rule_that_reads_a_value_has_a_case() -> None:
    # WHOLE only reads types; the test below covers PROTECT.
    assert {rule.name for rule in RULES} - {case.rule.name for case in CASES.values()} == {WHOLE.name, PROTECT.name}


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
    assert advice(gateway(http()), certificate(), issuer(), record(), release()) == []
