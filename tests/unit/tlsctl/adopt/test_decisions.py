"""What becomes of objects that were made by hand: the config, what to remove, and what stays."""

from typing import Any

import pytest

from config.crosschecks import cross_checks
from config.decoding import decode
from config.models import Settings
from config.production import PROJECT
from tests.unit.tlsctl.adopt.objects import (
    ADDRESS,
    CERTIFICATE,
    ISTIO,
    SHOP,
    certificate,
    commands,
    controller,
    gateway,
    inventory,
    issuer,
    notes,
    obj,
    record,
    route,
    service,
)
from tlsctl.adopt.decisions import Decision, decide
from tlsctl.adopt.objects import Inventory, Release


def accepted(decision: Decision) -> Settings:
    """The config, as the program reads it."""
    config = {f"{PROJECT}:{name}": value for name, value in decision.config.items()}
    return decode(Settings, {"gcp:project": "project", **config}, PROJECT, "prod", cross_check=cross_checks)


def test_the_ten_steps_become_a_config_that_the_program_takes() -> None:
    decision = decide(inventory(), "prod")

    assert decision.config == {
        "acme": {"issuer": "prod", "email": "platform@acme.dev", "createIssuers": True},
        "hosts": [{"host": SHOP, "service": "shop", "namespace": "shop", "port": 80}],
        "dns": {"zone": "acme", "ttl": 60},
        "certManager": {"install": False},
        "certificate": {"algorithm": "RSA", "size": 2048},
    }
    assert accepted(decision).hosts[0].host == SHOP, "nothing is left to fill in"


def test_the_gateway_goes_before_the_route_on_it_and_is_out_of_use_before_that() -> None:
    patch = '[{"op":"replace","path":"/spec/servers/1/hosts","value":["*"]}]'
    assert commands(decide(inventory(), "prod")) == [
        f"kubectl --namespace {ISTIO} patch gateways.networking.istio.io shop-gateway --type json --patch '{patch}'",
        "sleep 60",
        f"kubectl --namespace {ISTIO} delete gateways.networking.istio.io shop-gateway",
        f"kubectl --namespace {ISTIO} delete virtualservice shop",
    ], "the stack's Gateway serves when the older one is gone; its own route has been there since the up"


def test_a_gateway_that_serves_others_too_is_not_deleted() -> None:
    odd = route("odd", "odd.acme.dev", rewrite={"uri": "/"})
    decision = decide(
        inventory(gateways=[gateway("shop-gateway", SHOP, "odd.acme.dev")], virtual_services=[route(), odd]), "prod"
    )

    assert [each["host"] for each in decision.config["hosts"]] == [SHOP]
    assert commands(decision) == [f"kubectl --namespace {ISTIO} edit gateways.networking.istio.io shop-gateway"]
    assert "VirtualService istio-system/odd has a route with rewrite, which the config cannot express" in notes(
        decision
    )


def test_a_route_of_the_name_that_the_program_uses_is_copied_before_it_is_taken_over() -> None:
    decision = decide(inventory(virtual_services=[route(SHOP)]), "prod")

    (copy,) = decision.before
    assert copy["metadata"] == {"name": f"{SHOP}-by-hand", "namespace": ISTIO}
    assert copy["spec"]["gateways"] == ["istio-system/shop-gateway", "istio-system/tls-prod"]
    assert copy["spec"]["http"] == route()["spec"]["http"], "it routes as before"
    assert commands(decision)[-1] == f"kubectl --namespace {ISTIO} delete virtualservice {SHOP}-by-hand"
    assert not any(command.endswith(f"virtualservice {SHOP}") for command in commands(decision)), "the stack has it"


def test_routes_on_a_gateway_for_all_hosts_are_copied_since_it_gives_way_at_once() -> None:
    decision = decide(inventory(gateways=[gateway("shop-gateway", "*")]), "prod")

    assert decision.config["hosts"][0]["host"] == SHOP, "the route says which hosts there are"
    assert [each["metadata"]["name"] for each in decision.before] == ["shop-by-hand"]


def test_a_route_for_a_host_that_stays_keeps_its_gateway() -> None:
    both = inventory(gateways=[gateway("shop-gateway", "*")], virtual_services=[route("shop", SHOP, "shop.other.dev")])
    decision = decide(both, "prod")

    assert [each["host"] for each in decision.config["hosts"]] == [SHOP]
    assert "shop.other.dev lies outside the managed zone acme" in notes(decision)
    assert commands(decision) == [
        f"kubectl --namespace {ISTIO} edit gateways.networking.istio.io shop-gateway",
        f"kubectl --namespace {ISTIO} delete virtualservice shop-by-hand",
    ], "the copy was for the time of the up"


def test_the_copy_of_a_route_that_was_taken_over_stays_for_the_host_that_stays() -> None:
    both = inventory(gateways=[gateway("shop-gateway", "*")], virtual_services=[route(SHOP, SHOP, "shop.other.dev")])

    assert commands(decide(both, "prod")) == [
        f"kubectl --namespace {ISTIO} edit gateways.networking.istio.io shop-gateway"
    ]


def test_cert_manager_by_helm_is_taken_over_with_its_values() -> None:
    release = Release("cert-manager", "cert-manager", "v1.21.2", {"crds": {"enabled": True}, "replicaCount": 2})
    decision = decide(inventory(release=release, definitions_by_helm=True), "prod")

    assert decision.config["certManager"] == {"values": {"replicaCount": 2}}
    assert "createIssuers" not in decision.config["acme"], "they come with it"


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"release": Release("cm", "cert-manager", "v1.21.2")}, "is the Helm release cm"),
        ({}, "is installed in cert-manager by a manifest"),
        (
            {
                "release": Release("cert-manager", "cert-manager", "v1.21.2"),
                "deployments": [controller(), obj("Deployment", "other", {}, namespace="cert-manager")],
            },
            "shares the namespace cert-manager",
        ),
    ],
)
def test_a_cert_manager_that_is_no_release_of_that_name_is_used_as_it_is(changed: dict[str, Any], why: str) -> None:
    decision = decide(inventory(**changed), "prod")

    assert decision.config["certManager"] == {"install": False}
    assert why in notes(decision)


def test_a_cert_manager_that_is_too_old_is_told() -> None:
    release = Release("cert-manager", "cert-manager", "v1.13.3")
    decision = decide(inventory(release=release, definitions_by_helm=True), "prod")

    assert "version" not in decision.config.get("certManager", {}), "the program refuses that one"
    assert "the `up` upgrades it to" in notes(decision)


def test_definitions_that_helm_did_not_make_stay_so() -> None:
    release = Release("cert-manager", "cert-manager", "v1.21.2")
    decision = decide(inventory(release=release), "prod")

    assert decision.config["certManager"]["values"] == {"crds": {"enabled": False}}


def test_names_that_others_have_signed_are_kept_in_the_solvers() -> None:
    other = certificate("blog", "blog.acme.dev") | {"metadata": {"name": "blog", "namespace": "blog"}}
    decision = decide(inventory(certificates=[certificate(), other]), "prod")

    assert decision.config["acme"]["dnsNames"] == ["blog.acme.dev"]


def test_an_issuer_of_another_name_is_left_and_removed_in_the_end() -> None:
    by_hand = issuer("prod") | {"metadata": {"name": "letsencrypt"}}
    signed = certificate(issuerRef={"name": "letsencrypt", "kind": "ClusterIssuer"})
    decision = decide(inventory(issuers=[by_hand], certificates=[signed]), "prod")

    assert decision.config["acme"]["issuer"] == "prod", "by its server"
    assert commands(decision)[-1] == "kubectl delete clusterissuer letsencrypt"


def test_an_issuer_that_others_use_stays() -> None:
    by_hand = issuer("prod") | {"metadata": {"name": "letsencrypt"}}
    reference: dict[str, Any] = {"issuerRef": {"name": "letsencrypt", "kind": "ClusterIssuer"}}
    other = certificate("blog", "blog.acme.dev", **reference) | {"metadata": {"name": "blog", "namespace": "blog"}}
    decision = decide(inventory(issuers=[by_hand], certificates=[certificate(**reference), other]), "prod")

    assert not any("clusterissuer" in command for command in commands(decision))


def test_a_certificate_whose_name_cannot_be_a_secrets_is_left_and_its_secret_not_shared() -> None:
    by_hand = certificate("shop.acme.dev", secretName=CERTIFICATE)
    decision = decide(inventory(certificates=[by_hand]), "prod")

    assert decision.config["certificate"]["secretName"] == f"{CERTIFICATE}-2", "two Certificates for one Secret block"
    assert f"kubectl --namespace {ISTIO} delete certificates.cert-manager.io shop.acme.dev" in commands(decision)


def test_the_order_of_the_names_is_the_certificates() -> None:
    api = "api.acme.dev"
    decision = decide(
        inventory(
            certificates=[certificate(CERTIFICATE, SHOP, api)],
            gateways=[gateway("shop-gateway", api, SHOP)],
            virtual_services=[route("api", api), route()],
        ),
        "prod",
    )

    assert [each["host"] for each in decision.config["hosts"]] == [SHOP, api]
    assert "signed again, once" not in notes(decision)


def test_a_host_that_leads_elsewhere_waits_for_dns01() -> None:
    elsewhere = inventory(record_sets=[record(address="198.51.100.7")])

    assert decide(elsewhere, "prod").config["hosts"] == []
    assert "HTTP-01 would prove it there" in notes(decide(elsewhere, "prod"))
    moved = decide(elsewhere, "prod", "dns01")
    assert (moved.elsewhere, moved.config["challenge"]) == ([SHOP], "dns01"), "its record moves last"


def test_a_secret_that_is_mounted_into_the_gateway_is_told_with_the_patch() -> None:
    pod = {
        "volumes": [{"name": "own"}, {"name": "certs", "secret": {"secretName": CERTIFICATE}}],
        "containers": [{"volumeMounts": [{"name": "certs", "mountPath": "/etc/istio/ingressgateway-certs"}]}],
    }
    template = {"metadata": {"labels": {"istio": "ingressgateway"}}, "spec": pod}
    deployment = obj("Deployment", "istio-ingressgateway", {"template": template})
    told = notes(decide(inventory(deployments=[controller(), deployment]), "prod"))

    assert f"has the Secret {CERTIFICATE} mounted at /etc/istio/ingressgateway-certs" in told
    assert '"path":"/spec/template/spec/containers/0/volumeMounts/0"' in told
    assert '"path":"/spec/template/spec/volumes/1"' in told


def test_https_redirect_is_in_the_way_of_challenges() -> None:
    by_hand = gateway()
    by_hand["spec"]["servers"][0]["tls"] = {"httpsRedirect": True}
    (problem,) = decide(inventory(gateways=[by_hand]), "prod").before_notes

    assert '[{"op":"remove","path":"/spec/servers/0/tls"}]' in problem.fix[0]


def test_an_istio_too_old_is_told() -> None:
    assert "Istio 1.22" in notes(decide(inventory(istio_api="networking.istio.io/v1alpha3"), "prod"))


def test_who_else_applies_an_object_is_told() -> None:
    by_hand = gateway()
    by_hand["metadata"]["annotations"] = {"argocd.argoproj.io/tracking-id": "x"}

    assert "is also applied by Argo CD" in notes(decide(inventory(gateways=[by_hand]), "prod"))


def test_the_gke_cluster_is_named_by_the_context() -> None:
    decision = decide(inventory(context="gke_project_europe-west1_main"), "prod")

    assert decision.config["gke"] == {"cluster": "main", "location": "europe-west1"}


def test_only_what_differs_from_the_defaults_is_said_of_the_gateway() -> None:
    by_hand = gateway()
    by_hand["spec"]["selector"] = {"istio": "edge"}
    decision = decide(
        inventory(gateways=[by_hand], services=[service(selector={"istio": "edge", "app": "edge"})]), "prod"
    )

    assert decision.config["ingress"] == {"selector": {"istio": "edge"}}
    assert ADDRESS not in str(decision.config), "the address is read each time"


def test_nothing_at_all_is_no_error() -> None:
    decision = decide(Inventory(zone="acme", domain="acme.dev", project="project"), "prod")

    assert decision.config["hosts"] == []
    assert decision.after == []
