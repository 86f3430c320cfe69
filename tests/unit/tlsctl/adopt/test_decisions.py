"""What becomes of objects that were made by hand: the config, what to remove, and what stays."""

from typing import Any

import pytest

from config.models import Settings
from config.production import PROJECT
from config.reading import read_settings
from tests.unit.tlsctl.adopt.objects import (
    ADDRESS,
    CERTIFICATE,
    ISTIO,
    SHOP,
    certificate,
    commands,
    controller,
    gateway,
    hosts,
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

ODD, OTHER = "odd.acme.dev", "shop.other.dev"
EDIT = f"kubectl --namespace {ISTIO} edit gateways.networking.istio.io shop-gateway"
CLOSE = ["pulumi config rm --path ingress.routesFrom", "pulumi up"]
HELM = Release("cert-manager", "v1.21.2")


def decided(**changed: Any) -> Decision:
    """The decision on a cluster that was set up by hand, with these changes."""
    return decide(inventory(**changed), "prod")


def accepted(decision: Decision) -> Settings:
    """The config, as the program reads it."""
    config = {f"{PROJECT}:{name}": value for name, value in decision.config.items()}
    return read_settings({"gcp:project": "project", **config}, "prod")


def test_what_was_set_up_by_hand_becomes_a_config_that_the_program_accepts() -> None:
    decision = decided()
    assert decision.config == {
        "acme": {"issuer": "prod", "email": "platform@acme.dev", "createIssuers": True},
        "hosts": [{"host": SHOP, "service": "shop", "namespace": "shop", "port": 80}],
        "dns": {"zone": "acme", "ttl": 60},
        "ingress": {"routesFrom": ["*"]},
        "certManager": {"install": False},
        "certificate": {"algorithm": "RSA", "size": 2048},
    }
    assert accepted(decision).hosts[0].host == SHOP


@pytest.mark.parametrize(
    ("gateway_hosts", "routes", "copied", "after", "reason"),
    [
        pytest.param(
            [SHOP, ODD],
            [route(), route("odd", ODD, rewrite={"uri": "/"})],
            [],
            [EDIT],
            "VirtualService istio-system/odd has a route with rewrite, which the config cannot express",
            id="a gateway that serves others too is edited",
        ),
        pytest.param(
            ["*"],
            [route("shop", SHOP, OTHER)],
            ["shop-by-hand"],
            [EDIT, f"kubectl --namespace {ISTIO} delete virtualservice shop-by-hand"],
            f"{OTHER} lies outside the managed zone acme",
            id="a route with a host that stays keeps its gateway, and its copy is for the time of the up",
        ),
        pytest.param(
            ["*"],
            [route(SHOP, SHOP, OTHER)],
            [f"{SHOP}-by-hand"],
            [EDIT],
            f"{OTHER} lies outside the managed zone acme",
            id="the copy of a route that was taken over stays for the host that stays",
        ),
    ],
)
def test_objects_with_other_hosts_stay_and_the_reason_is_noted(
    gateway_hosts: list[str], routes: list[Any], copied: list[str], after: list[str], reason: str
) -> None:
    decision = decided(gateways=[gateway("shop-gateway", *gateway_hosts)], virtual_services=routes)
    assert hosts(decision) == [SHOP]
    assert [obj["metadata"]["name"] for obj in decision.before] == copied
    assert commands(decision) == [*after, *CLOSE]
    assert reason in notes(decision)


@pytest.mark.parametrize(
    ("release", "by_helm", "section"),
    [
        pytest.param(
            Release("cert-manager", "v1.21.2", {"crds": {"enabled": True}, "replicaCount": 2}),
            True,
            {"values": {"replicaCount": 2}},
            id="with its values",
        ),
        pytest.param(HELM, False, {"values": {"crds": {"enabled": False}}}, id="CRDs that Helm did not make stay so"),
        pytest.param(Release("cert-manager", "v1.13.3"), True, {}, id="too old: it is upgraded"),
    ],
)
def test_a_helm_release_of_cert_manager_is_taken_over(release: Release, by_helm: bool, section: Any) -> None:
    decision = decided(release=release, definitions_by_helm=by_helm)
    assert decision.config.get("certManager", {}) == section
    assert "createIssuers" not in decision.config["acme"], "the stack makes them with cert-manager"
    assert ("the `up` upgrades it to" in notes(decision)) is (release.version == "v1.13.3")


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"release": Release("cm", "v1.21.2")}, "is the Helm release cm"),
        ({}, "is installed in cert-manager by a manifest"),
        (
            {
                "release": HELM,
                "deployments": [controller(), obj("Deployment", "other", {}, namespace="cert-manager")],
            },
            "shares the namespace cert-manager",
        ),
    ],
)
def test_another_installation_of_cert_manager_is_used_as_it_is(changed: dict[str, Any], reason: str) -> None:
    decision = decided(**changed)
    assert decision.config["certManager"] == {"install": False}
    assert reason in notes(decision)


BY_HAND = issuer("prod") | {"metadata": {"name": "letsencrypt"}}
REFERENCE: dict[str, Any] = {"issuerRef": {"name": "letsencrypt", "kind": "ClusterIssuer"}}


def blog(**spec: Any) -> dict[str, Any]:
    """A Certificate that somebody else uses."""
    return certificate("blog", "blog.acme.dev", **spec) | {"metadata": {"name": "blog", "namespace": "blog"}}


def test_the_solvers_also_prove_names_of_others() -> None:
    assert decided(certificates=[certificate(), blog()]).config["acme"]["dnsNames"] == ["blog.acme.dev"]


def test_an_issuer_of_another_name_is_removed_last_unless_others_use_it() -> None:
    alone = decided(issuers=[BY_HAND], certificates=[certificate(**REFERENCE)])
    assert alone.config["acme"]["issuer"] == "prod", "by its server"
    assert commands(alone)[-3:] == ["kubectl delete clusterissuer letsencrypt", *CLOSE]
    shared = decided(issuers=[BY_HAND], certificates=[certificate(**REFERENCE), blog(**REFERENCE)])
    assert not any("clusterissuer" in command for command in commands(shared))


def test_a_certificate_whose_name_is_no_secrets_name_is_replaced_in_another_secret() -> None:
    decision = decided(certificates=[certificate(SHOP, secretName=CERTIFICATE)])
    assert decision.config["certificate"]["secretName"] == f"{CERTIFICATE}-2", "two Certificates block each other"
    assert f"kubectl --namespace {ISTIO} delete certificates.cert-manager.io {SHOP}" in commands(decision)


def test_hosts_keep_the_order_of_the_certificates_names() -> None:
    api = "api.acme.dev"
    decision = decided(
        certificates=[certificate(CERTIFICATE, SHOP, api)],
        gateways=[gateway("shop-gateway", api, SHOP)],
        virtual_services=[route("api", api), route()],
    )
    assert hosts(decision) == [SHOP, api]
    assert "signed again, once" not in notes(decision)


def test_a_host_with_a_record_elsewhere_needs_dns01() -> None:
    elsewhere = inventory(record_sets=[record(address="198.51.100.7")])
    assert decide(elsewhere, "prod").config["hosts"] == []
    assert "HTTP-01 would prove it there" in notes(decide(elsewhere, "prod"))
    moved = decide(elsewhere, "prod", "dns01")
    assert (moved.elsewhere, moved.config["challenge"]) == ([SHOP], "dns01"), "its record moves last"


def test_a_secret_that_is_mounted_into_the_gateway_is_noted_with_the_patch() -> None:
    pod = {
        "volumes": [{"name": "own"}, {"name": "certs", "secret": {"secretName": CERTIFICATE}}],
        "containers": [{"volumeMounts": [{"name": "certs", "mountPath": "/etc/istio/ingressgateway-certs"}]}],
    }
    template = {"metadata": {"labels": {"istio": "ingressgateway"}}, "spec": pod}
    text = notes(decided(deployments=[controller(), obj("Deployment", "istio-ingressgateway", {"template": template})]))
    assert f"has the Secret {CERTIFICATE} mounted at /etc/istio/ingressgateway-certs" in text
    assert '"path":"/spec/template/spec/containers/0/volumeMounts/0"' in text
    assert '"path":"/spec/template/spec/volumes/1"' in text


HTTP_SOLVER, DNS_SOLVER = {"http01": {"ingress": {"class": "istio"}}}, {"dns01": {"cloudDNS": {"project": "project"}}}


@pytest.mark.parametrize(
    ("solvers", "expected"),
    [
        ([HTTP_SOLVER, DNS_SOLVER], (None, {"*.acme.dev": "dns01"})),
        ([HTTP_SOLVER, {**DNS_SOLVER, "selector": {"dnsZones": ["acme.dev"]}}], ("dns01", {})),
        (
            [{**DNS_SOLVER, "selector": {"dnsZones": ["acme.dev"]}}, {**HTTP_SOLVER, "selector": {"dnsNames": [SHOP]}}],
            (None, {"*.acme.dev": "dns01"}),
        ),
        ([HTTP_SOLVER, {**DNS_SOLVER, "selector": {"matchLabels": {"team": "a"}}}], (None, {})),
    ],
    ids=["the first of two, and the only one for a wildcard", "a zone", "a name before a zone", "labels of others"],
)
def test_each_host_is_proven_by_the_solver_that_its_selector_fits(solvers: Any, expected: Any) -> None:
    decision = decided(
        issuers=[issuer(solvers=solvers)],
        gateways=[gateway("shop-gateway", SHOP, "*.acme.dev")],
        virtual_services=[route("shop", SHOP, "*.acme.dev")],
        certificates=[certificate(CERTIFICATE, SHOP, "*.acme.dev")],
    )
    own = {host["host"]: host["challenge"] for host in decision.config["hosts"] if "challenge" in host}
    assert (decision.config.get("challenge"), own) == expected
    accepted(decision)


def test_records_with_more_than_one_address_are_named() -> None:
    several = {"name": f"{SHOP}.", "type": "A", "ttl": 60, "rrdatas": [ADDRESS, "192.0.2.9"]}
    assert f"leads to {ADDRESS}, 192.0.2.9; the stack's" in str(decided(record_sets=[several]).notes)

    policy = {"name": f"{SHOP}.", "type": "A", "ttl": 60, "routingPolicy": {"wrr": {"items": []}}}
    by_policy = decided(record_sets=[policy])
    assert by_policy.config["hosts"] == [], "the host stays as it is"
    assert "has an A record with a routing policy" in str(by_policy.notes)


@pytest.mark.parametrize(
    ("kind", "value", "command"),
    [
        ("AAAA", "2001:db8::1", "record-sets delete {} --zone acme --project project --type AAAA"),
        ("CNAME", "lb.acme.org.", "remove --zone acme --project project --name {} --ttl 60 --type CNAME lb.acme.org."),
    ],
)
def test_records_beside_the_gateways_are_removed_from_the_zone_by_the_printed_commands(
    kind: str, value: str, command: str
) -> None:
    other = {**record(ttl=60), "type": kind, "rrdatas": [value]}
    (problem,) = (one for one in decided(record_sets=[other]).notes if one.where.startswith("record set"))
    assert any(command.format(other["name"]) in line for line in problem.fix)


def test_https_redirect_prevents_challenges() -> None:
    by_hand = gateway()
    by_hand["spec"]["servers"][0]["tls"] = {"httpsRedirect": True}
    (problem,) = decided(gateways=[by_hand]).before_notes
    assert '[{"op":"remove","path":"/spec/servers/0/tls"}]' in problem.fix[0]


def test_an_old_istio_and_other_tools_are_noted() -> None:
    assert "Istio 1.22" in notes(decided(istio_api="networking.istio.io/v1alpha3"))
    by_hand = gateway()
    by_hand["metadata"]["annotations"] = {"argocd.argoproj.io/tracking-id": "x"}
    assert "is also applied by Argo CD" in notes(decided(gateways=[by_hand]))


def test_the_context_names_the_gke_cluster() -> None:
    decision = decided(context="gke_project_europe-west1_main")
    assert decision.config["gke"] == {"cluster": "main", "location": "europe-west1"}


def test_the_config_of_the_gateway_has_only_what_differs_from_the_defaults() -> None:
    by_hand, selector = gateway(), {"istio": "edge"}
    by_hand["spec"]["selector"] = selector
    decision = decided(gateways=[by_hand], services=[service(selector={**selector, "app": "edge"})])
    assert decision.config["ingress"] == {"selector": selector, "routesFrom": ["*"]}
    assert ADDRESS not in str(decision.config), "the address is read each time"


@pytest.mark.parametrize(
    ("listed", "routes_from"),
    [
        ([SHOP], ["*"]),
        (["*/*.acme.dev"], ["*"]),
        (["*"], ["*"]),
        ([f"./{SHOP}"], None),
        ([f"{ISTIO}/{SHOP}", "other.acme.dev"], None),
    ],
    ids=str,
)
def test_the_stacks_gateways_list_hosts_like_those_beside_them(
    listed: list[str], routes_from: list[str] | None
) -> None:
    """Istio merges servers of `HOST` and `./HOST`, and Envoy refuses the port then."""
    decision = decided(gateways=[gateway("shop-gateway", *listed)])
    assert accepted(decision).ingress.routes_from == (routes_from or [])
    assert commands(decision)[-2:] == CLOSE or routes_from is None


def test_an_empty_cluster_is_no_error() -> None:
    decision = decide(Inventory(zone="acme", domain="acme.dev", project="project"), "prod")
    assert (decision.config["hosts"], decision.after) == ([], [])
