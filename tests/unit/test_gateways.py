"""Several gateways in one stack: the config, the program and the check of each."""

import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from components.problem import ProblemsError
from config import proofs
from config.cluster import ingress_commands
from config.crosschecks import cross_checks
from config.decoding import decode
from config.models import Settings
from tests.unit import harness
from tests.unit.harness import CERTIFICATE, GATEWAY, ISSUER, PROJECT, RECORD, Recorder, engine_config, good_config
from tests.unit.tlsctl.verify.support import config as stack_config
from tests.unit.tlsctl.verify.support import state
from tlsctl.verify.environment import environments
from tlsctl.verify.results import INGRESS, Report, Result

ROOT = Path(__file__).parents[2]
WIKI = {"host": "wiki.sandbox.test", "service": "wiki", "namespace": "wiki", "port": 80}
INSIDE: dict[str, Any] = {"service": "internal-gateway", "selector": {"istio": "internal-gateway"}}
INTERNAL: dict[str, Any] = {"name": "internal", "ingress": INSIDE, "challenge": "dns01", "hosts": [WIKI]}

Up = Callable[..., Recorder]


def settings(*gateways: dict[str, Any], **changes: Any) -> Settings:
    config = engine_config(good_config(gateways=list(gateways), **changes))
    return decode(Settings, config, PROJECT, "dev", cross_check=cross_checks)


@pytest.fixture
def up(monkeypatch: pytest.MonkeyPatch) -> Up:
    """`up` of a config, on a cluster in which every Service has an address."""
    monkeypatch.setattr("components.kube.load_balancer.find_address", lambda *_, **__: ["203.0.113.10"])
    monkeypatch.setattr("components.kube.mesh.solver_problem", lambda *_, **__: None)
    monkeypatch.setattr("components.kube.client.api_client", lambda *_: None)
    return lambda *gateways: harness.run(
        lambda: runpy.run_path(str(ROOT / "__main__.py"), run_name="__main__"), good_config(gateways=list(gateways))
    )


def test_a_gateway_has_what_it_gives_and_for_the_rest_what_the_stack_has() -> None:
    own, internal = settings(INTERNAL, tls={"minVersion": "1.3"}).views
    assert (own.name, own.path) == ("", ())
    assert (internal.name, internal.path) == ("internal", ("gateways", 0))
    assert internal.settings.ingress.service == "internal-gateway"
    assert (own.settings.challenge, internal.settings.challenge) == ("http01", "dns01")
    assert internal.settings.tls.min_version == "1.3", "as the stack's own"
    assert internal.settings.dns == own.settings.dns
    assert list(internal.settings.certificates) == ["internal-certs"], "the stack's own Secret is not overwritten"


def test_a_secret_can_be_named() -> None:
    named = settings({**INTERNAL, "certificate": {"secretName": "wiki-tls", "algorithm": "RSA"}}).views[1].settings
    assert list(named.certificates) == ["wiki-tls"]
    assert list(settings({**INTERNAL, "certificate": {"algorithm": "RSA"}}).views[1].settings.certificates) == [
        "internal-certs"
    ]


@pytest.mark.parametrize(
    ("changes", "where", "words", "fix"),
    [
        ({"hosts": [{**WIKI, "port": 0}]}, "gateways[0].hosts[0].port", "0", "'gateways[0].hosts[0].port' 80"),
        ({"hosts": []}, "gateways[0].hosts", "a list of at least one", ""),
        ({"ingress": None}, "gateways[0].ingress", "not set", ""),
        (
            {"hosts": [{"host": "wiki.sandbox.test"}]},
            "gateways[0].hosts[0].service",
            "not set",
            "hosts[0].service' NAME",
        ),
        (
            {"hosts": [{**WIKI, "host": "*.sandbox.test"}], "challenge": "http01"},
            "gateways[0].hosts[0].host",
            "which HTTP-01 cannot prove",
            "pulumi config set --path 'gateways[0].challenge' dns01",
        ),
        ({"hosts": [WIKI, WIKI]}, "gateways[0].hosts[1].host", "gateways[0].hosts[0].host", "'gateways[0].hosts[1]'"),
        (
            {"hosts": [{**WIKI, "host": "shop.sandbox.test"}]},
            "gateways[0].hosts[0].host",
            "is hosts[0].host as well",
            "'gateways[0].hosts[0].host' NAME",
        ),
        ({"ingress": {}}, "gateways[0].ingress.service", "is ingress.service as well", "'gateways[0].ingress.service'"),
        (
            {"certificate": {"secretName": "istio-ingressgateway-certs"}},
            "gateways[0].certificate.secretName",
            "is certificate.secretName as well",
            "'gateways[0].certificate.secretName'",
        ),
        ({"tls": {"hsts": 60}}, "gateways[0].tls.hsts", "would lock browsers out", "'gateways[0].tls.hsts' 0"),
        ({"certificate": {"size": 2048}}, "gateways[0].certificate.size", "is not a size", "certificate.size' 256"),
    ],
)
def test_a_problem_of_a_gateway_is_reported_where_it_is(
    changes: dict[str, Any], where: str, words: str, fix: str
) -> None:
    with pytest.raises(ProblemsError) as refused:
        settings({key: value for key, value in {**INTERNAL, **changes}.items() if value is not None})
    found = {problem.where: problem for problem in refused.value.problems}
    assert where in found, f"among {list(found)}"
    assert words in found[where].what
    assert fix in found[where].fix[0]


def test_a_problem_of_the_stacks_own_keys_is_reported_once() -> None:
    with pytest.raises(ProblemsError) as refused:
        settings(INTERNAL, tls={"hsts": 60})
    assert [problem.where for problem in refused.value.problems] == ["tls.hsts"]


def test_names_of_gateways_differ() -> None:
    other = {**INTERNAL, "ingress": {"service": "other"}, "hosts": [{**WIKI, "host": "other.sandbox.test"}]}
    with pytest.raises(ProblemsError, match=r"gateways\[1\].name: .* is gateways\[0\].name as well"):
        settings(INTERNAL, other)


def test_issuers_of_one_namespace_do_not_sign_for_a_gateway_in_another() -> None:
    elsewhere = {**INTERNAL, "challenge": "http01", "ingress": {**INSIDE, "namespace": "internal"}}
    acme = {"email": "platform@sandbox.test", "issuer": "staging", "issuerKind": "Issuer"}
    with pytest.raises(ProblemsError) as refused:
        settings(elsewhere, acme=acme)
    assert [problem.where for problem in refused.value.problems] == ["gateways[0].ingress.namespace"]
    assert "acme.issuerKind ClusterIssuer" in refused.value.problems[0].fix[0]


def test_each_gateway_gets_its_own_parts_and_all_share_the_issuers(up: Up) -> None:
    made = up({**INTERNAL, "challenge": "http01"})
    assert {each.name for each in made.of(GATEWAY)} >= {"tls-gateway", "http-gateway", "internal-tls-gateway"}
    names = {each.inputs["metadata"]["name"] for each in made.of(GATEWAY)}
    assert names == {"http-test", "tls-test", "http-test-internal", "tls-test-internal"}
    assert {each.inputs["metadata"]["name"] for each in made.of(CERTIFICATE)} == {
        "istio-ingressgateway-certs",
        "internal-certs",
    }
    assert "wiki.sandbox.test." in {each.inputs["name"] for each in made.of(RECORD)}
    for issuer in made.of(ISSUER):
        selectors = [each["selector"]["dnsNames"] for each in issuer.inputs["spec"]["acme"]["solvers"]]
        assert selectors == [["shop.sandbox.test", "wiki.sandbox.test"]], "it signs for both gateways' hosts"


def test_a_host_outside_its_gateways_zone_is_refused(up: Up) -> None:
    with pytest.raises(Exception, match=r"gateways\[0\]\.hosts\[0\]\.host: \"wiki\.elsewhere\.test\" lies outside"):
        up({**INTERNAL, "challenge": "http01", "hosts": [{**WIKI, "host": "wiki.elsewhere.test"}]})


def test_every_gateway_is_checked_at_its_own_address() -> None:
    live = {"internal": {"ingressIp": "10.0.0.9", "dnsRecords": {"wiki.sandbox.test": "10.0.0.9"}}}
    own, internal = environments(state(gateways=live), stack_config(gateways=[INTERNAL]), "dev")
    assert (own.gateway, internal.gateway) == ("", "internal")
    assert internal.ip == "10.0.0.9"
    assert list(internal.hosts) == ["wiki.sandbox.test"]


def test_a_gateway_that_is_not_deployed_is_told() -> None:
    with pytest.raises(ProblemsError, match=r"has hosts that are not deployed: wiki\.sandbox\.test"):
        environments(state(), stack_config(gateways=[INTERNAL]), "dev")


def test_what_one_gateways_hosts_share_does_not_explain_anothers_failure() -> None:
    inside = f"{INGRESS} internal"
    results = [
        Result("port-443", INGRESS, "ok", "open"),
        Result("port-443", inside, "failed", "closed"),
        Result("handshake", "shop.sandbox.test", "failed", "reset"),
        Result("handshake", "wiki.sandbox.test", "failed", "reset"),
    ]
    report = Report(results, {}, {inside: inside, "wiki.sandbox.test": inside})
    assert [problem.where for problem in report.because(results[3])] == [f"port-443 ({inside})"]
    assert report.because(results[2]) == [], "it is a problem of its own"


def test_each_zone_has_one_access_and_one_set_of_caa_records() -> None:
    dns = {"zone": "sandbox", "workloadIdentity": True, "caa": True}
    other = {"zone": "other", "project": "elsewhere", "workloadIdentity": True, "caa": True}
    apex = {"host": "sandbox.test", "service": "shop", "namespace": "shop", "port": 80}
    gateways = [
        {"name": "same", "ingress": {"service": "same"}, "hosts": [{**apex, "host": "*.sandbox.test"}]},
        {"name": "far", "ingress": {"service": "far"}, "hosts": [{**apex, "host": "far.sandbox.test"}], "dns": other},
    ]
    loaded = settings(*gateways, challenge="dns01", dns=dns, hosts=[apex])

    delegating = settings(
        *gateways, challenge="dns01", dns={"zone": "sandbox", "challengeZone": {"zone": "p"}}, hosts=[apex]
    )
    assert proofs.delegations(delegating) == {"": ["sandbox.test"], "same": [], "far": []}, "one CNAME for both"
    made = proofs.access(loaded, "test", "pool")
    assert {name: (args["zone"], args["role_id"]) for name, args in made.items()} == {
        "dns01": ("sandbox", "certManagerDns01_test"),
        "dns01-other": ("other", "certManagerDns01_test_other"),
    }, "a role of its own for each zone"
    records = proofs.caa_records(loaded, {"prod": "uri"})
    assert {name: [each["host"] for each in args["hosts"]] for name, args in records.items()} == {
        "caa": ["sandbox.test", "*.sandbox.test"],
        "caa-other": ["far.sandbox.test"],
    }, "a wildcard and its domain share their records, whichever gateway serves them"
    assert [each["dns_names"] for each in proofs.solvers(loaded)] == [
        ["sandbox.test", "*.sandbox.test"],
        ["far.sandbox.test"],
    ], "each is proven in its zone"


def test_mtls_is_for_the_applications_of_all_gateways_and_for_no_gateways_own_namespace() -> None:
    elsewhere = {**INTERNAL, "ingress": {**INSIDE, "namespace": "internal"}}
    hosts = [{**good_config()["hosts"][0], "namespace": "shop"}, {**WIKI, "host": "a.sandbox.test"}]
    assert settings(elsewhere, mtls="strict", hosts=hosts).mesh_namespaces == ["shop", "wiki"], "each once"

    inside = [{**hosts[0], "namespace": "internal"}]
    assert settings(elsewhere, mtls="permissive", hosts=inside).mesh_namespaces == ["wiki"], (
        "its solver stays out of it"
    )
    with pytest.raises(ProblemsError, match=r"mtls: .* cannot be had: .* the gateway's own namespace"):
        settings(elsewhere, mtls="strict", hosts=inside)


def test_a_gateway_may_ask_for_client_certificates_when_the_others_do_not() -> None:
    own, internal = settings({**INTERNAL, "tls": {"clientCa": "employees"}}).views
    assert (own.settings.client_ca_secret, internal.settings.client_ca_secret) == (None, "employees")


def test_what_a_host_of_a_gateway_contradicts_is_reported_there() -> None:
    with pytest.raises(ProblemsError) as refused:
        settings({**INTERNAL, "hosts": [{**WIKI, "redirectTo": "sandbox.test"}]})
    found = {problem.where: problem.fix[0] for problem in refused.value.problems}
    assert "'gateways[0].hosts[0].service'" in found["gateways[0].hosts[0].service"], "with its fix"


def test_the_commands_that_fix_a_gateway_set_its_own_keys() -> None:
    assert ingress_commands()["service"] == "pulumi config set --path ingress.service"
    assert ingress_commands()["challenge"] == "pulumi config set challenge"
    (internal,) = (view for view in settings(INTERNAL).views if view.name)
    assert ingress_commands(internal.path)["service"] == "pulumi config set --path 'gateways[0].ingress.service'"
    assert ingress_commands(internal.path)["challenge"] == "pulumi config set --path 'gateways[0].challenge'"
