"""The settings: their defaults, what follows from them, and the part of each gateway."""

from typing import Any

import pytest

from config import proofs
from config.args import Composition
from config.cluster import ingress_commands
from tests.unit.certificates import CA
from tests.unit.config.support import HOST, INSIDE, INTERNAL, acme, load, settings
from tests.unit.harness import good_config

GKE = {"cluster": "one", "location": "europe-west1-b"}


def test_names_are_normalised() -> None:
    written = ["SHOP.Sandbox.test", "api.sandbox.test.", "BÜCHER.sandbox.test"]
    loaded = settings(hosts=[{**HOST, "host": host} for host in written])

    assert list(loaded.challenges) == ["shop.sandbox.test", "api.sandbox.test", "xn--bcher-kva.sandbox.test"]


@pytest.mark.parametrize("version", [1.2, "1.2"])
def test_a_tls_version_may_be_a_yaml_number(version: Any) -> None:
    assert settings(tls={"minVersion": version}).tls.min_version == "1.2"


def test_a_ca_bundle_in_pem_is_accepted() -> None:
    assert settings(acme=acme(caBundle=CA)).acme.ca_bundle == CA


def test_the_issuers_come_with_cert_manager_by_default() -> None:
    assert settings().creates_issuers
    assert not settings(certManager={"install": False}).creates_issuers
    assert settings(certManager={"install": False}, acme=acme(createIssuers=True)).creates_issuers


@pytest.mark.parametrize(
    ("changes", "region"),
    [
        ({"gke": {**GKE, "location": "europe-west1"}}, "europe-west1"),
        ({"gke": GKE}, "europe-west1"),
        ({"gke": GKE, "ingress": {"region": "us-east4"}}, "us-east4"),
        ({}, ""),
    ],
)
def test_the_region_of_the_address_is_the_clusters(changes: dict[str, Any], region: str) -> None:
    assert load({**good_config(**changes), "kubeconfig": ""}).region == region


def test_a_gateway_has_its_own_keys_and_otherwise_the_stacks() -> None:
    own, internal = settings(gateways=[INTERNAL], tls={"minVersion": "1.3"}).views
    assert (own.name, own.path) == ("", ())
    assert (internal.name, internal.path) == ("internal", ("gateways", 0))
    assert internal.settings.ingress.service == "internal-gateway"
    assert (own.settings.challenge, internal.settings.challenge) == ("http01", "dns01")
    assert internal.settings.tls.min_version == "1.3"
    assert internal.settings.dns == own.settings.dns
    assert internal.own == {"name", "ingress", "challenge", "hosts"}


@pytest.mark.parametrize(
    ("section", "secret"),
    [(None, "internal-certs"), ({"algorithm": "RSA"}, "internal-certs"), ({"secretName": "wiki-tls"}, "wiki-tls")],
)
def test_a_gateway_has_a_secret_of_its_own(section: dict[str, Any] | None, secret: str) -> None:
    views = settings(gateways=[{**INTERNAL, "certificate": section}]).views
    assert [list(view.settings.certificates) for view in views] == [["istio-ingressgateway-certs"], [secret]]


def test_a_gateway_may_ask_for_client_certificates_when_the_others_do_not() -> None:
    own, internal = settings(gateways=[{**INTERNAL, "tls": {"clientCa": "employees"}}]).views
    assert (own.settings.client_ca_secret, internal.settings.client_ca_secret) == (None, "employees")


def test_mtls_applies_to_the_applications_of_all_gateways_but_not_to_the_gateways_namespaces() -> None:
    elsewhere = {**INTERNAL, "ingress": {**INSIDE, "namespace": "internal"}}
    names = ("shop", "istio-system", "shop", "internal", "api")
    hosts = [{**HOST, "host": f"h{at}.sandbox.test", "namespace": name} for at, name in enumerate(names)]
    loaded = settings(hosts=hosts, gateways=[elsewhere], mtls="permissive")
    assert loaded.mesh_namespaces == ["api", "shop", "wiki"], "the solvers run in the gateways' namespaces"


def test_the_commands_for_a_gateway_set_its_own_keys() -> None:
    own, internal = (ingress_commands(view.path) for view in settings(gateways=[INTERNAL]).views)
    assert own["service"] == "pulumi config set --path ingress.service"
    assert own["challenge"] == "pulumi config set challenge"
    assert internal["service"] == "pulumi config set --path 'gateways[0].ingress.service'"
    assert internal["challenge"] == "pulumi config set --path 'gateways[0].challenge'"
    assert "kubeconfig" not in ingress_commands(gke=True), "it comes from Google Cloud"


SECOND = {"name": "second", "dns": {"zone": "other"}, "hosts": [{**HOST, "host": "shop.other.test"}]}
"""Hosts of another zone, at the stack's own gateway."""


@pytest.mark.parametrize("section", [{}, {"ingress": None}], ids=["no key", "an empty key"])
def test_a_gateway_without_a_service_shares_that_of_the_stack(section: dict[str, Any]) -> None:
    own, second = settings(ingress={"service": "edge"}, gateways=[{**SECOND, **section}]).views
    assert (own.shares_service, second.shares_service) == (False, True)
    assert (second.settings.ingress.service, second.settings.dns.zone) == ("edge", "other")
    assert second.settings.certificate.secret_name == "second-certs"
    commands = ingress_commands(second.path, shares_service=True)
    assert commands["service"] == "pulumi config set --path ingress.service", "it is the stack's key"
    assert commands["challenge"] == "pulumi config set --path 'gateways[0].challenge'", "it may have its own"


def test_the_address_of_a_service_is_reserved_once() -> None:
    promoted = {"address": "promote", "region": "europe-west1"}
    stack = Composition(settings(ingress=promoted, gateways=[SECOND]), "dev", None)
    assert [gateway.promotes for gateway in stack.gateways] == [True, False]


def test_each_zone_has_one_access_and_one_set_of_caa_records() -> None:
    dns = {"zone": "sandbox", "workloadIdentity": True, "caa": True}
    other = {"zone": "other", "project": "elsewhere", "workloadIdentity": True, "caa": True}
    apex = {**HOST, "host": "sandbox.test"}
    gateways = [
        {"name": "same", "ingress": {"service": "same"}, "hosts": [{**apex, "host": "*.sandbox.test"}]},
        {"name": "far", "ingress": {"service": "far"}, "hosts": [{**apex, "host": "far.sandbox.test"}], "dns": other},
    ]
    loaded = settings(gateways=gateways, challenge="dns01", dns=dns, hosts=[apex])

    delegating = settings(
        gateways=gateways, challenge="dns01", dns={"zone": "sandbox", "challengeZone": {"zone": "p"}}, hosts=[apex]
    )
    assert proofs.delegations(delegating) == {"": {"sandbox.test"}, "same": set(), "far": set()}, "one CNAME for both"
    made = proofs.access(loaded, "test", "pool")
    assert {name: (args["zone"], args["role_id"]) for name, args in made.items()} == {
        "dns01": ("sandbox", "certManagerDns01_test"),
        "dns01-other": ("other", "certManagerDns01_test_other"),
    }, "a role of its own for each zone"
    records = proofs.caa_records(loaded, {"prod": "uri"})
    assert {name: [host["host"] for host in args["hosts"]] for name, args in records.items()} == {
        "caa": ["sandbox.test", "*.sandbox.test"],
        "caa-other": ["far.sandbox.test"],
    }, "a wildcard and its domain share their records, even on two gateways"
    assert [solver["dns_names"] for solver in proofs.solvers(loaded)] == [
        ["sandbox.test", "*.sandbox.test"],
        ["far.sandbox.test"],
    ]
