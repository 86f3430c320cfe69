"""The whole program, under mocks, once per stack."""

import json
import re
from typing import Any

import pulumi
import pytest
import yaml

from config.loading import warnings
from tests.unit import harness
from tests.unit.config.support import HOST, INTERNAL, IP, ROOT, example_stack, load, program, stack_config
from tests.unit.harness import GATEWAY, ISSUER, RECORD, RELEASE, VIRTUAL_SERVICE, Recorder, good_config

OUTPUTS = {
    "urls", "acmeAccounts", "ingressIp", "issuer", "issuerScope", "certificateSecret", "certificateNotAfter",
    "certificateRenewalTime", "dnsRecords",
}  # fmt: skip
PROOFS = {"zone": "sandbox", "challengeZone": {"zone": "proofs"}, "workloadIdentity": True}


@pytest.mark.parametrize("stack", ["dev", "prod", "sandbox"])
def test_every_stack_runs_to_its_outputs(up: Any, stack: str) -> None:
    done: Recorder = up(stack_config(stack), stack=stack)

    assert set(done.outputs) == OUTPUTS, "these names are what other programs read"
    assert done.outputs["issuer"] == f"letsencrypt-{'prod' if stack == 'prod' else 'staging'}-istio"
    assert set(done.outputs["dnsRecords"].values()) == {IP}, "every host points at the gateway"
    assert {f"https://{host}" for host in done.outputs["dnsRecords"]} == set(done.outputs["urls"])


def test_the_example_of_a_whole_stack_is_one(up: Any) -> None:
    config, recorder = example_stack()

    done: Recorder = up(config, stack="prod", recorder=recorder)

    assert done.outputs["urls"] == ["https://acme.dev", "https://www.acme.dev"], "the public gateway's hosts"
    assert done.outputs["gateways"]["internal"]["urls"] == ["https://wiki.acme.dev"], "and the internal one's"
    assert done.of("gcp:compute/address:Address"), "the address stays"
    assert {resource.inputs["type"] for resource in done.of(RECORD)} >= {"A", "CAA"}
    assert list(warnings(load(config), frozenset())) == [], "nothing in it is warned of"


@pytest.mark.parametrize("stack", ["dev", "prod"])
def test_a_stack_file_as_it_is_cloned_names_what_is_to_be_filled_in(stack: str) -> None:
    text = (ROOT / f"Pulumi.{stack}.yaml").read_text()
    prefix = f"{harness.PROJECT}:"
    config = {key.removeprefix(prefix): value for key, value in yaml.safe_load(text)["config"].items()}

    with pytest.raises(pulumi.RunError) as refused:
        harness.run(program, config, stack=stack)

    for key in ("gcp:project", "gke.cluster", "acme.email", "dns.zone", "hosts[0].host"):
        assert f"{key}: " in str(refused.value), f"{key} is a placeholder in Pulumi.{stack}.yaml"


def test_a_project_of_another_name_is_told_whose_keys_the_commands_set(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused() -> str:
        with pytest.raises(pulumi.RunError) as error:
            harness.run(program, good_config(hosts=[]), stack="dev")
        return str(error.value)

    assert "named" not in refused()
    monkeypatch.setattr(pulumi, "get_project", lambda: "acme")
    assert refused().endswith("named acme, so the commands have to say istio-gateway-tls:KEY instead of KEY.")


def test_more_hosts_register_no_more_hooks(up: Any) -> None:
    def hooks(number: int) -> int:
        host = good_config()["hosts"][0]
        hosts = [{**host, "host": f"h{at}.sandbox.test"} for at in range(number)]
        config = good_config(hosts=hosts, certificate={"grouping": "perHost"}, dns={"zone": "a", "caa": True})
        done: Recorder = up(config)
        return len(done.hooks)

    assert hooks(12) == hooks(2) > 0, "the SDK starts a server for each hook that is registered in the same moment"


def test_the_picture_in_the_readme_is_the_graph(up: Any) -> None:
    done: Recorder = up(good_config())
    token = "istio-gateway-tls:index:"
    component = {
        resource.urn: resource.type.removeprefix(token) for resource in done if resource.type.startswith(token)
    }
    owner = component | {resource.urn: component[resource.parent] for resource in done if resource.parent in component}
    graph = {
        (owner[before], component[resource.urn])
        for resource in done
        if resource.urn in component
        for before in resource.dependencies
        if before in owner
    }
    picture = (ROOT / "README.md").read_text().split("```mermaid\n")[1].split("```")[0]
    edges = set(re.findall(r"(\w+)(?:\[.*?\])? --> (\w+)", picture))

    # The records wait for the address, which is a value and not a resource.
    assert edges == graph | {("IngressGateway", "DnsRecords")}, "an arrow is an order, and every order is an arrow"


def test_every_kubernetes_object_is_made_by_the_stacks_own_provider(up: Any) -> None:
    done: Recorder = up(good_config())
    provider = done.named("cluster")

    for resource in done:
        if resource.type.startswith("kubernetes:"):
            assert resource.provider.startswith(provider.urn), f"{resource.name} went to the ambient cluster"


def test_resources_have_components_for_parents(up: Any) -> None:
    done: Recorder = up(good_config())
    components = {resource.urn for resource in done if resource.type.startswith("istio-gateway-tls:index:")}

    for resource in done:
        if resource.name != "cluster" and resource.urn not in components:
            assert resource.parent in components, f"{resource.name} lies loose in the stack"
    assert len(components) == 7, "one component per part of the graph"


def test_protect_covers_what_the_whole_cluster_uses_and_nothing_else(up: Any) -> None:
    done: Recorder = up(good_config(protect="true"))
    protected = {
        resource.type for resource in done if resource.protect and not resource.type.startswith("istio-gateway")
    }

    assert protected == {RELEASE, ISSUER, "kubernetes:core/v1:Namespace"}, "a host can still be removed"


def test_the_cluster_can_have_an_identifier_of_the_users_own(up: Any) -> None:
    identifier = "clusterIdentifier"

    assert up(good_config(clusterIdentifier="platform-1")).named("cluster").inputs[identifier] == "platform-1"
    assert identifier not in up(good_config()).named("cluster").inputs, "without one it goes by server and CA"
    gke = good_config(gke={"cluster": "platform", "location": "europe-west1"}, kubeconfig="")
    assert up(gke).named("cluster").inputs[identifier] == (
        "projects/platform/locations/europe-west1/clusters/platform"
    ), "else a new endpoint or CA replaces the provider, and with it everything"
    assert up({**gke, "clusterIdentifier": "x"}).named("cluster").inputs[identifier] == "x"


def test_a_certificate_is_requested_after_caa_records_and_access_to_the_zone(up: Any) -> None:
    hosts = [HOST, {**HOST, "host": "*.sandbox.test", "challenge": "dns01"}]
    made: Recorder = up(good_config(hosts=hosts, dns={**PROOFS, "caa": True}))

    assert made.named("caa-sandbox.test").inputs["rrdatas"] == [
        f'0 issuewild "letsencrypt.org; accounturi={harness.account(name)}; validationmethods=dns-01"'
        for name in ("prod", "staging")
    ], "each host has its own challenge"
    certificate = made.named("certificate")
    for before in ("caa-shop.sandbox.test", "dns01-zone", "delegations-sandbox.test", "dns-shop.sandbox.test"):
        assert made.named(before).urn in certificate.dependencies, f"no order before {before}"


@pytest.mark.parametrize(
    ("challenge", "earlier", "later"),
    [("http01", "dns-shop.sandbox.test", "certificate"), ("dns01", "tls-gateway", "dns")],
)
def test_users_arrive_before_the_order_only_where_it_needs_the_addresses(
    up: Any, challenge: str, earlier: str, later: str
) -> None:
    hosts = [HOST, {**HOST, "host": "blog.sandbox.test", "challenge": "dns01"}]
    made: Recorder = up(good_config(challenge=challenge, hosts=hosts, gateways=[INTERNAL]))

    assert made.named(earlier).urn in made.named(later).dependencies
    assert made.named("internal-tls-gateway").urn in made.named("internal-dns").dependencies, "each gateway has its own"


def test_a_certificate_is_requested_after_cert_manager_where_others_make_the_issuers(up: Any) -> None:
    acme = {**good_config()["acme"], "createIssuers": False}
    made: Recorder = up(good_config(acme=acme))

    assert made.named("cert-manager-release").urn in made.named("certificate").dependencies


def test_a_renamed_stack_keeps_the_names_of_its_objects(up: Any) -> None:
    def names(done: Recorder) -> list[tuple[str, str]]:
        return sorted((resource.name, str(resource.inputs.get("metadata", {}).get("name"))) for resource in done)

    before = names(up(good_config(reserveHosts=True, dashboard=True), stack="dev"))
    after = up(good_config(reserveHosts=True, dashboard=True, stackName="dev"), stack="staging")
    assert names(after) == before, "no object gets another name"
    assert names(up(good_config(reserveHosts=True, dashboard=True), stack="staging")) != before, "as without the key"


def test_a_second_stack_reads_the_accounts_of_the_first_one(up: Any) -> None:
    made: Recorder = up(good_config(certManager={"install": False}, dns={"zone": "sandbox", "caa": True}))

    assert harness.account("staging") in made.named("caa-shop.sandbox.test").inputs["rrdatas"][1]


OUTSIDE = [HOST, *({**HOST, "host": host} for host in ("shop.elsewhere.test", "notsandbox.test"))]
REFUSED = [
    pytest.param({"hosts": OUTSIDE}, r'hosts\[1\]\.host: "shop.elsewhere.test" lies outside(?s:.)*hosts\[2\]\.host',
                 id="hosts outside of the zone"),
    pytest.param({"gateways": [{**INTERNAL, "challenge": "http01", "hosts": [OUTSIDE[1]]}]},
                 r'gateways\[0\]\.hosts\[0\]\.host: "shop.elsewhere.test" lies outside', id="of a gateway"),
    pytest.param({"dns": {"zone": "sandbox", "zones": [{"zone": "proofs", "domain": "proof.test"}]},
                  "hosts": [HOST, {**HOST, "host": "shop.proof.test"}]},
                 r"dns\.zones\[0\]\.domain: .* is not the domain of the managed zone proofs; accepted: proofs\.test",
                 id="another domain than the zone's"),
    pytest.param({"challenge": "dns01", "dns": PROOFS, "hosts": [{**HOST, "host": "a." * 115 + "sandbox.test"}]},
                 r"dns\.challengeZone\.zone: .* would be proven by a name of", id="too long for the challenge zone"),
    pytest.param({"gcp:project": "closed", "challenge": "dns01", "dns": {"zone": "a", "workloadIdentity": True}},
                 r"pulumi config set --path dns\.workloadPool projects/NUMBER", id="a project that cannot be read"),
]  # fmt: skip
"""Changes of a config, and the problem."""


@pytest.mark.parametrize(("changes", "problem"), REFUSED)
def test_what_google_cloud_would_refuse_is_refused_before_anything_is_registered(
    up: Any, changes: dict[str, Any], problem: str
) -> None:
    recorder = Recorder()
    with pytest.raises(pulumi.RunError, match=problem) as refused:
        up(good_config(**changes), recorder=recorder)

    assert "hosts[0].host: " not in str(refused.value).replace("gateways[0].hosts[0].host", "")
    assert not [made for made in recorder if not made.type.startswith("pulumi:providers")]


def test_production_is_hardened(up: Any) -> None:
    done: Recorder = up(stack_config("prod"), stack="prod")
    values = done.of(RELEASE)[0].inputs["values"]
    label = done.of("kubernetes:core/v1:Namespace")[0].inputs["metadata"]["labels"]
    routes = (route for resource in done.of(VIRTUAL_SERVICE) for route in resource.inputs["spec"]["http"][:1])
    headers = [route["headers"] for route in routes if "route" in route]

    assert not done.of(ISSUER), "a ClusterIssuer would sign for anyone who can create Certificates"
    assert label == {"pod-security.kubernetes.io/enforce": "restricted", "istio-injection": "disabled"}
    for part in (values, values["webhook"], values["cainjector"]):
        assert part["networkPolicy"]["enabled"] is True, "it has no other connections"
    assert {header["response"]["set"]["strict-transport-security"] for header in headers} == {"max-age=63072000"}


@pytest.mark.parametrize(
    ("changes", "secrets", "words"),
    [
        ({"production": "true", "reserveHosts": True}, set(), "the issuers are ClusterIssuers"),
        ({"production": "true", "challenge": "dns01"}, set(), "with an ACME account of their own"),
        ({"production": "true", "challenge": "dns01", "gateways": [INTERNAL]}, set(), "config set --path dns.caa true"),
        (
            {
                "production": "true",
                "dns": {"zone": "sandbox", "caa": True},
                "ingress": {"routesFrom": ["*"]},
                "challenge": "dns01",
            },
            set(),
            "ingress.routesFrom is `*`: a VirtualService of any namespace",
        ),
        (
            {
                "production": "true",
                "challenge": "dns01",
                "reserveHosts": True,
                "dns": {"zone": "sandbox", "workloadIdentity": True},
            },
            set(),
            "--path dns.workloadAccount",
        ),
        ({}, {"hosts"}, "hosts is a secret in the config, and names cannot be kept secret"),
        ({"hosts": [{**HOST, "maintenance": True}]}, set(), "hosts[0] is in maintenance"),
    ],
)
def test_a_risk_in_the_config_is_warned_of(changes: dict[str, Any], secrets: set[str], words: str) -> None:
    (warning,) = warnings(load(good_config(**changes)), secrets)

    assert words in warning


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"certManager": {"install": False}, "production": "true", "reserveHosts": True},
        {"challenge": "dns01", "production": "true", "dns": {"zone": "sandbox", "caa": True}},
        {"gateways": [INTERNAL], "production": "true", "reserveHosts": True},
    ],
)
def test_there_is_no_warning_without_a_fix(changes: dict[str, Any]) -> None:
    assert not list(warnings(load(good_config(**changes)), {"kubeconfig", "certManager"}))


def test_secrets_of_the_config_are_secret_inputs(up: Any) -> None:
    canary = "hunter2"
    config = {
        "kubeconfig": f'{{"current-context": "{canary}"}}',
        "context": canary,
        "clusterIdentifier": canary,
        "certManager": {
            "values": {"extraEnv": [{"name": "TOKEN", "value": canary}]},
            "chart": f"oci://{canary}.test/c",
        },
        "acme": {
            "email": f"{canary}@sandbox.test",
            "issuer": "staging",
            "profile": canary,
            "servers": {"staging": f"https://{canary}.test/dir"},
        },
        "alertLabels": {"release": canary},
    }
    done: Recorder = up(good_config(alerts="prometheus", **config), secret=tuple(config))

    holders = {resource.name for resource in done if canary in str(resource.inputs)}
    expected = {"cluster", "cert-manager-release", "issuers-staging", "issuers-prod", "alerts-scrape", "alerts-rules"}
    assert holders == expected, "all of them were used"
    for resource in done:
        assert canary not in resource.shown + resource.urn, f"{resource.name} shows what the config has as a secret"
    assert canary not in str(done.outputs)


@pytest.mark.parametrize("kind", ["prometheus", "gmp"])
def test_alerts_watch_the_stacks_own_certificates_from_cert_managers_namespace(up: Any, kind: str) -> None:
    done: Recorder = up(good_config(alerts=kind, alertLabels={"release": "monitoring"}), stack="Test_1")
    rules = done.named("alerts-rules")

    assert rules.inputs["metadata"] == {
        "name": "certificates-test-1",
        "namespace": "cert-manager",
        "labels": {"release": "monitoring"},
    }, "named after the stack, as Kubernetes takes names"
    assert "istio-ingressgateway-certs" in str(rules.inputs["spec"]), "the metrics of the Certificate it made"
    component = next(resource for resource in done if resource.urn == rules.parent)
    assert done.of(RELEASE)[0].urn in component.dependencies, "the namespace is there first"


def test_a_gateway_with_an_ipv6_address_alone_has_one_record(up: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("components.kube.load_balancer.find_address", lambda *_, **__: ["2001:db8::1"])

    done = up(good_config(ingress={"family": "ipv6"}))

    records = {resource.inputs["type"]: resource.inputs["rrdatas"] for resource in done.of(RECORD)}
    assert records == {"AAAA": ["2001:db8::1"]}
    assert done.outputs["ingressIpv6"] == "2001:db8::1"


def test_a_dashboard_is_the_stacks_own(up: Any) -> None:
    (made,) = up(good_config(dashboard=True, dashboardLabels={"team": "edge"})).of("kubernetes:core/v1:ConfigMap")
    metadata = {"name": "certificates-dashboard-test", "namespace": "istio-system", "labels": {"team": "edge"}}
    assert made.inputs["metadata"] == metadata, "two stacks may share a gateway's namespace"
    assert "istio-ingressgateway-certs" in made.inputs["data"]["certificates.json"], "it shows the stack's certificate"


def test_the_hosts_of_all_gateways_are_reserved_for_their_namespaces(up: Any) -> None:
    gateway = {**INTERNAL, "ingress": {**INTERNAL["ingress"], "namespace": "internal", "routesFrom": ["team"]}}

    done = up(good_config(reserveHosts=True, gateways=[gateway]))

    admission = "kubernetes:admissionregistration.k8s.io/v1:ValidatingAdmissionPolicy"
    (policy,), (binding,) = done.of(admission), done.of(f"{admission}Binding")
    assert policy.inputs["metadata"] == binding.inputs["metadata"] == {"name": "reserved-hosts-test"}
    assert binding.inputs["spec"]["policyName"] == "reserved-hosts-test"
    spec = policy.inputs["spec"]
    (excluded,) = spec["matchConstraints"]["namespaceSelector"]["matchExpressions"]
    assert excluded["values"] == ["istio-system", "internal", "team"]
    variables = {variable["name"]: variable["expression"] for variable in spec["variables"]}
    assert {"shop.sandbox.test", INTERNAL["hosts"][0]["host"], "*.sandbox.test"} <= set(json.loads(variables["names"]))
    assert json.loads(variables["secrets"]) == ["istio-ingressgateway-certs", "internal-certs"]
    assert json.loads(variables["selectors"]) == [{"istio": "ingressgateway"}, INTERNAL["ingress"]["selector"]]


def test_the_owner_of_a_host_may_name_it_although_it_is_reserved(up: Any) -> None:
    done = up(good_config(reserveHosts=True, hosts=[{"host": "shop.sandbox.test", "owner": "team"}]))

    (policy,) = done.of("kubernetes:admissionregistration.k8s.io/v1:ValidatingAdmissionPolicy")
    variables = {variable["name"]: variable["expression"] for variable in policy.inputs["spec"]["variables"]}
    assert json.loads(variables["owners"]) == {"shop.sandbox.test": "team"}
    servers = {gateway.name: gateway.inputs["spec"]["servers"][0]["hosts"] for gateway in done.of(GATEWAY)}
    assert servers == {"http-gateway": ["./shop.sandbox.test"], "tls-gateway": ["team/shop.sandbox.test"]}
    assert done.outputs["urls"] == ["https://shop.sandbox.test"]


def test_resources_of_another_gateway_begin_with_its_name(up: Any) -> None:
    made: Recorder = up(good_config(gateways=[{**INTERNAL, "challenge": "http01"}]))

    gateways = {gateway.name: gateway.inputs["metadata"]["name"] for gateway in made.of(GATEWAY)}
    assert gateways == {
        "http-gateway": "http-test",
        "tls-gateway": "tls-test",
        "internal-http-gateway": "http-test-internal",
        "internal-tls-gateway": "tls-test-internal",
    }
