"""Rules between the keys of a config."""

from typing import Any

import pytest

from components.problem import ProblemsError
from config.models import Settings
from tests.unit.config.support import HOST, INSIDE, INTERNAL, TO, WIKI, acme, settings

HMAC_KEY = "c2VjcmV0IGtleSBzZWNyZXQga2V5"
DIGEST = f"sha256:{'a' * 64}"


def hosts(*changes: dict[str, Any]) -> dict[str, Any]:
    return {"hosts": [{"host": "a.sandbox.test", **change} for change in changes]}


def account(**keys: str) -> dict[str, Any]:
    return {"acme": acme(externalAccount={"prod": {"keyId": "kid", **keys}})}


CONTRADICTIONS = [
    pytest.param({"gke": {"cluster": "a", "location": "b"}}, "kubeconfig", "contradicts gke",
                 "config rm kubeconfig", id="two clusters"),
    pytest.param(account(keySecret=HMAC_KEY), "acme.externalAccount.prod.keySecret", "in plain text",
                 "--secret --path acme.externalAccount.prod.keySecret", id="an HMAC key in plain text"),
    pytest.param(account(), "acme.externalAccount.prod.keySecret", "not set",
                 "--secret --path acme.externalAccount.prod.keySecret", id="no HMAC key"),
    pytest.param(account(keySecret=HMAC_KEY, secretName="a"), "acme.externalAccount.prod.keySecret",
                 "contradicts secretName", "config rm --path acme.externalAccount.prod.keySecret",
                 id="two HMAC keys"),
    pytest.param({"acme": acme(waitInsteadOfSelfCheck=30), "certManager": {"version": "v1.20.3"}},
                 "certManager.version", "does not know acme.waitInsteadOfSelfCheck", "certManager.version v1.21.2",
                 id="a wait before 1.21.2"),
    pytest.param({"certManager": {"version": "v1.20.3", "values": {"featureGates": "ACMEUseARI=true"}}},
                 "certManager.version", "does not renew by ARI", "certManager.version v1.21.2",
                 id="ARI before 1.21.2"),
    pytest.param({"certManager": {"digest": DIGEST, "chart": "./chart"}}, "certManager.chart",
                 "has no digest that can be compared", "config rm --path certManager.digest",
                 id="a digest of a folder"),
    pytest.param({"certManager": {"keyring": "ring.gpg", "chart": "./chart"}}, "certManager.chart",
                 "cannot be signed", "config rm --path certManager.keyring", id="a signature of a folder"),
    pytest.param({"challenge": "dns01", "acme": acme(issuerKind="Issuer")}, "acme.issuerKind",
                 '"Issuer" cannot prove names by dns01', "acme.issuerKind ClusterIssuer", id="Issuer, dns01"),
    pytest.param({"acme": acme(issuerKind="Issuer"), "hosts": [{**HOST, "challenge": "dns01"}]}, "acme.issuerKind",
                 '"Issuer" cannot prove names by dns01', "acme.issuerKind ClusterIssuer",
                 id="Issuer, one host with dns01"),
    pytest.param({"acme": acme(issuerKind="Issuer", dnsNames=["b.sandbox.test"])}, "acme.dnsNames",
                 '["b.sandbox.test"] has no effect', "config rm --path acme.dnsNames", id="Issuer, dnsNames"),
    pytest.param({"acme": acme(issuerKind="Issuer", dnsZones=["b.sandbox.test"])}, "acme.dnsZones",
                 '["b.sandbox.test"] has no effect', "config rm --path acme.dnsZones", id="Issuer, dnsZones"),
    pytest.param({"reserveHosts": True, "ingress": {"routesFrom": ["*"]}}, "ingress.routesFrom",
                 '["*"] contradicts reserveHosts', "config rm --path ingress.routesFrom", id="hosts reserved for all"),
    pytest.param({"ingress": {"address": "promote"}}, "ingress.region", "not set", "ingress.region REGION",
                 id="no region of the address"),
    pytest.param({"ingress": {"address": "promote", "family": "ipv6", "region": "europe-west1"}},
                 "ingress.address", "has no effect on an IPv6 address", "ingress.address ephemeral",
                 id="an IPv6 address to promote"),
    pytest.param({"dns": {"zone": "a", "caa": True}, "acme": acme(servers={"prod": "https://ca.test/dir"})},
                 "dns.caaIdentities", "not set", "'dns.caaIdentities[0]' CA-DOMAIN", id="CAA of an unknown CA"),
    pytest.param({"dns": {"zone": "a", "workloadIdentity": True}}, "dns.workloadIdentity",
                 "has no effect without dns01", "rm --path dns.workloadIdentity, or pulumi config set challenge dns01",
                 id="workloadIdentity without dns01"),
    pytest.param({"dns": {"zone": "a", "challengeZone": {"zone": "b"}}}, "dns.challengeZone",
                 "has no effect without dns01", "rm --path dns.challengeZone, or pulumi config set challenge dns01",
                 id="challengeZone without dns01"),
    pytest.param({"dns": {"zone": "a", "zones": [{"zone": "b", "domain": "shop.sandbox.test"},
                                                 {"zone": "c", "domain": "Shop.sandbox.test."}]}},
                 "dns.zones[1].domain", "is dns.zones[0].domain as well", "rm --path 'dns.zones[1]'",
                 id="a domain of two zones"),
    pytest.param({"dns": {"zone": "a", "zones": [{"zone": "b", "domain": "b.test"}]}}, "dns.zones[0].domain",
                 "has none of the hosts", "rm --path 'dns.zones[0]'", id="a zone without hosts"),
    pytest.param({"certificate": {"algorithm": "RSA", "size": 256}}, "certificate.size",
                 "256 is not a size of RSA keys", "certificate.size 2048", id="key size"),
    pytest.param({"tls": {"hsts": 300}}, "tls.hsts", "lock browsers out", "tls.hsts 0", id="HSTS on staging"),
    pytest.param({"mtls": "strict", "hosts": [{**HOST, "namespace": "istio-system"}]}, "mtls",
                 "the gateway's own namespace, where the ACME solver runs", "config set mtls permissive",
                 id="strict where the solver runs"),
    pytest.param({"mtls": "strict", "ingress": {"namespace": "gateways"},
                  "hosts": [{**HOST, "namespace": "istio-system"}]}, "mtls", "the mesh's root namespace",
                 "config set mtls permissive", id="strict for the whole mesh"),
    pytest.param({"hosts": [HOST, {**HOST, "host": "SHOP.sandbox.test."}]}, "hosts[1].host",
                 "same name as hosts[0].host", "'hosts[1]'", id="duplicate host, written differently"),
    pytest.param({"hosts": [{**HOST, "host": "*.sandbox.test"}]}, "hosts[0].host", "is a wildcard",
                 "config set challenge dns01", id="wildcard with HTTP-01"),
    pytest.param({"challenge": "dns01", "hosts": [{**HOST, "host": "*.sandbox.test", "challenge": "http01"}]},
                 "hosts[0].host", "is a wildcard", "'hosts[0].challenge' dns01",
                 id="wildcard with HTTP-01 of its own"),
    pytest.param(hosts({}), "hosts[0].service", "not set", "'hosts[0].service' NAME", id="no destination"),
    pytest.param(hosts({"service": "a", "port": 1}), "hosts[0].namespace", "not set", "'hosts[0].namespace' NAME",
                 id="half of a destination"),
    pytest.param(hosts({**TO, "routes": [TO]}), "hosts[0].service", "contradicts",
                 "config rm --path 'hosts[0].service'", id="two kinds of destination"),
    pytest.param(hosts({**TO, "redirectTo": "b.sandbox.test"}), "hosts[0].service", "contradicts redirectTo",
                 "config rm --path 'hosts[0].service'", id="a redirect with a destination"),
    pytest.param(hosts({"redirectTo": "A.sandbox.test."}), "hosts[0].redirectTo", "redirect loop",
                 "config rm --path 'hosts[0].redirectTo'", id="a redirect to itself"),
    pytest.param({"challenge": "dns01", **hosts({"redirectTo": "b.sandbox.test"},
                  {"host": "*.sandbox.test", "redirectTo": "a.sandbox.test"})}, "hosts[1].redirectTo",
                 "redirect loop", "config rm --path 'hosts[1].redirectTo'", id="a loop over a wildcard"),
    pytest.param(hosts({"routes": [{**TO, "headers": [{"name": name, "exact": "1"}]} for name in ("X-A", "x-a")]}),
                 "hosts[0].routes[1].path", "path of an earlier route", "'hosts[0].routes[1]'",
                 id="duplicate path and headers"),
    pytest.param(hosts({**TO, "owner": "team"}), "hosts[0].service", "contradicts owner",
                 "config rm --path 'hosts[0].service', or pulumi config rm --path 'hosts[0].owner'",
                 id="an owner with a destination"),
    pytest.param(hosts({"owner": "team", "maintenance": True}), "hosts[0].maintenance", "contradicts owner",
                 "config rm --path 'hosts[0].maintenance'", id="an owner in maintenance"),
    pytest.param({"challenge": "dns01", **hosts({**TO}, {"host": "*.sandbox.test", "owner": "team"})},
                 "hosts[0].owner", "is not team, which could serve a.sandbox.test through its *.sandbox.test",
                 "'hosts[0].owner' NAMESPACE", id="a host below a wildcard of an owner"),
    pytest.param({"challenge": "dns01", "ingress": {"routesFrom": ["b"]},
                  **hosts({"owner": "team"}, {**TO, "host": "*.sandbox.test"})},
                 "ingress.routesFrom", "could serve a.sandbox.test, which has an owner, through *.sandbox.test",
                 "config rm --path ingress.routesFrom", id="a host of an owner below a wildcard of several"),
    pytest.param(hosts({**TO, "exact": "/a", "path": "/"}), "hosts[0].exact", "exactly one of exact, path or regex",
                 "config rm --path 'hosts[0].exact'", id="a whole path and a beginning"),
    pytest.param(hosts({**TO, "regex": "/(a)", "rewrite": r"/\2"}), "hosts[0].rewrite", "names the group 2",
                 "config rm --path 'hosts[0].rewrite'", id="a rewrite by a group that is not there"),
    pytest.param(hosts({"routes": [{**TO, "headers": [{"name": "x-a"}]}]}), "hosts[0].routes[0].headers[0]",
                 "exactly one of exact", "pulumi config", id="a header without a value"),
]  # fmt: skip
"""A config with a contradiction: its key, a part of the reason, and a part of the command that fixes it."""

OF_A_GATEWAY: list[tuple[dict[str, Any], str, str, str]] = [
    ({"hosts": [{**WIKI, "port": 0}]}, "gateways[0].hosts[0].port", "0", "'gateways[0].hosts[0].port'"),
    ({"hosts": []}, "gateways[0].hosts", "a list of at least one", ""),
    ({"hosts": [{"host": "wiki.sandbox.test"}]}, "gateways[0].hosts[0].service", "not set", "hosts[0].service' NAME"),
    ({"hosts": [{**WIKI, "redirectTo": "sandbox.test"}]}, "gateways[0].hosts[0].service", "contradicts",
     "'gateways[0].hosts[0].service'"),
    ({"hosts": [{**WIKI, "host": "*.sandbox.test"}], "challenge": "http01"}, "gateways[0].hosts[0].host",
     "which HTTP-01 cannot prove", "pulumi config set --path 'gateways[0].challenge' dns01"),
    ({"hosts": [WIKI, WIKI]}, "gateways[0].hosts[1].host", "gateways[0].hosts[0].host", "'gateways[0].hosts[1]'"),
    ({"hosts": [HOST]}, "gateways[0].hosts[0].host", "is hosts[0].host as well", "'gateways[0].hosts[0].host'"),
    ({"ingress": {}}, "gateways[0].ingress.service", "is ingress.service as well", "'gateways[0].ingress.service'"),
    ({"certificate": {"secretName": "istio-ingressgateway-certs"}}, "gateways[0].certificate.secretName",
     "is certificate.secretName as well", "'gateways[0].certificate.secretName'"),
    ({"tls": {"hsts": 60}}, "gateways[0].tls.hsts", "would lock browsers out", "'gateways[0].tls.hsts' 0"),
    ({"certificate": {"size": 2048}}, "gateways[0].certificate.size", "is not a size", "certificate.size' 256"),
]  # fmt: skip
"""The same of a gateway, at its own keys."""
CONTRADICTIONS += [
    pytest.param({"gateways": [{**INTERNAL, **changes}]}, *expected) for changes, *expected in OF_A_GATEWAY
]


@pytest.mark.parametrize(("changes", "key", "reason", "fix"), CONTRADICTIONS)
def test_a_contradiction_is_reported_with_its_key_and_the_command_that_fixes_it(
    changes: dict[str, Any], key: str, reason: str, fix: str
) -> None:
    with pytest.raises(ProblemsError) as refused:
        settings(**changes)

    reported = [problem for problem in refused.value.problems if problem.where == key and reason in problem.what]
    assert reported, refused.value
    assert "; accepted: " in reported[0].what
    assert fix in reported[0].fix[0]


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"challenge": "dns01", "acme": acme(issuerKind="Issuer", createIssuers=False)},
                     id="another stack's Issuers may have credentials of their own"),
        pytest.param({"certManager": {"chart": "charts/cert-manager.tgz", "digest": DIGEST, "keyring": "ring.gpg"}},
                     id="a packaged chart with a digest and a signature"),
        pytest.param({"challenge": "dns01", "hosts": [{**HOST, "host": "*.sandbox.test"}]}, id="wildcard with DNS-01"),
        pytest.param(hosts({"redirectTo": "Sandbox.test."}, {"host": "b.sandbox.test", "maintenance": True},
                           {**HOST, "maintenance": True}), id="hosts without a destination"),
        pytest.param({"gcp:project": "acme.com:platform", "ingress": {"selector": {"app.kubernetes.io/name": "a_b.c"}}},
                     id="names that are in use"),
    ],
)  # fmt: skip
def test_what_contradicts_nothing_is_accepted(changes: dict[str, Any]) -> None:
    assert isinstance(settings(**changes), Settings)


OTHER = {
    **INTERNAL,
    "ingress": {"service": "other"},
    "hosts": [{**WIKI, "host": "other.sandbox.test"}],
    "certificate": {"secretName": "other"},
}
ELSEWHERE = {**INTERNAL, "challenge": "http01", "ingress": {**INSIDE, "namespace": "internal"}}


@pytest.mark.parametrize(
    ("changes", "key", "what"),
    [
        ({"gateways": [INTERNAL], "tls": {"hsts": 60}}, "tls.hsts", "lock browsers out"),
        ({"gateways": [INTERNAL, OTHER]}, "gateways[1].name", "is gateways[0].name as well"),
        ({"gateways": [ELSEWHERE], "acme": acme(issuerKind="Issuer")}, "gateways[0].ingress.namespace",
         "has no issuer"),
        ({"gateways": [ELSEWHERE], "mtls": "strict", "hosts": [{**HOST, "namespace": "internal"}]}, "mtls",
         "cannot be had: the namespace of an application is the gateway's own namespace"),
    ],
)  # fmt: skip
def test_a_problem_of_several_gateways_is_reported_once(changes: dict[str, Any], key: str, what: str) -> None:
    with pytest.raises(ProblemsError) as refused:
        settings(**changes)
    (problem,) = refused.value.problems
    assert problem.where == key
    assert what in problem.what
