"""The whole program, under mocks, once per stack."""

import re
from typing import Any

import pulumi
import pytest
import yaml

from config.loading import warnings
from tests.unit import harness
from tests.unit.config.support import HOST, INTERNAL, IP, ROOT, acme, example_stack, load, program, stack_config
from tests.unit.harness import CERTIFICATE, GATEWAY, ISSUER, RECORD, RELEASE, VIRTUAL_SERVICE, Recorder, good_config

PROOFS = {"zone": "sandbox", "challengeZone": {"zone": "proofs"}, "workloadIdentity": True}


@pytest.mark.parametrize("stack", ["dev", "prod", "sandbox"])
def test_every_stack_runs_to_its_outputs(up: Any, stack: str) -> None:
    done: Recorder = up(stack_config(stack), stack=stack)

    assert set(done.outputs) == {
        "urls",
        "acmeAccounts",
        "ingressIp",
        "issuer",
        "issuerScope",
        "certificateSecret",
        "certificateNotAfter",
        "certificateRenewalTime",
        "dnsRecords",
    }, "these names are what other programs read"
    assert done.outputs["ingressIp"] == IP, "the address was read from the Service"
    assert done.outputs["certificateSecret"] == "istio-ingressgateway-certs", "the first Secret's name is fixed"
    assert done.outputs["certificateNotAfter"] == harness.NOT_AFTER, "it comes from the awaited status"
    assert done.outputs["certificateRenewalTime"] == harness.RENEWAL_TIME, "it comes from the awaited status"
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


def test_a_preview_without_a_cluster_leaves_the_address_unknown() -> None:
    done = harness.run(program, good_config(), preview=True)

    assert done.of(RECORD)[0].inputs["rrdatas"] != [IP], "nothing was read"
    assert done.of(CERTIFICATE), "the rest of the graph is planned all the same"


def test_the_certificate_comes_after_names_port_80_and_issuers(up: Any) -> None:
    done: Recorder = up(good_config())
    order = [resource.name for resource in done]
    certificate = done.of(CERTIFICATE)[0]
    component = next(resource for resource in done if resource.urn == certificate.parent)

    for before in (done.of(RECORD)[0], done.named("http-gateway"), done.named("http-redirect"), *done.of(ISSUER)):
        assert before.urn in component.dependencies, f"{before.name} is what the ACME server needs"
        assert order.index(before.name) < order.index(certificate.name), f"{before.name} is made first"
    tls = next(resource for resource in done if resource.urn == done.named("tls-gateway").parent)
    assert certificate.urn in tls.dependencies, "a Gateway before its Secret serves nothing"


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


def test_issuers_come_after_the_webhook_is_proven(up: Any) -> None:
    done: Recorder = up(good_config())
    component = next(resource for resource in done if resource.urn == done.of(ISSUER)[0].parent)

    assert done.of(RELEASE)[0].urn in component.dependencies, "the first issuer would be refused otherwise"


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


def test_a_second_stack_uses_the_cert_manager_and_issuers_of_the_cluster(up: Any) -> None:
    done: Recorder = up(good_config(certManager={"install": False}), stack="Second_1")

    assert not done.of(RELEASE), "cert-manager is there"
    assert not done.of(ISSUER), "the issuers are cluster-wide, and there"
    assert {resource.inputs["metadata"]["name"] for resource in done.of(GATEWAY)} == {
        "http-second-1",
        "tls-second-1",
    }, "named apart from the first stack's, and as Kubernetes takes names"


def test_issuers_are_made_for_a_cert_manager_of_another_stack(up: Any) -> None:
    config = good_config(certManager={"install": False})
    done: Recorder = up({**config, "acme": {**config["acme"], "createIssuers": True}})

    assert len(done.of(ISSUER)) == 2, "acme.createIssuers asks for them"


def test_a_gke_cluster_is_entered_with_the_plugin_and_without_credentials(up: Any) -> None:
    config = good_config(gke={"cluster": "platform", "location": "europe-west1"}, kubeconfig="")
    done: Recorder = up(config)
    kubeconfig = done.named("cluster").inputs["kubeconfig"]

    assert "https://192.0.2.1" in str(kubeconfig), "the endpoint comes from the gcp provider"
    assert "gke-gcloud-auth-plugin" in str(kubeconfig), "the plugin brings the credentials"
    identifier = done.of("pulumi:providers:kubernetes")[0].inputs["clusterIdentifier"]
    assert identifier == "projects/platform/locations/europe-west1/clusters/platform", (
        "else a new endpoint or CA replaces the provider, and with it everything"
    )


def test_the_cluster_can_have_an_identifier_of_the_users_own(up: Any) -> None:
    identifier = "clusterIdentifier"

    assert up(good_config(clusterIdentifier="platform-1")).named("cluster").inputs[identifier] == "platform-1"
    assert identifier not in up(good_config()).named("cluster").inputs, "without one it goes by server and CA"
    gke = good_config(gke={"cluster": "platform", "location": "europe-west1"}, kubeconfig="", clusterIdentifier="x")
    assert up(gke).named("cluster").inputs[identifier] == "x", "what the state has can be kept"


def test_a_new_endpoint_and_ca_of_a_gke_cluster_leave_its_name(up: Any) -> None:
    config = good_config(gke={"cluster": "platform", "location": "europe-west1"}, kubeconfig="")
    before, after = (up(config, recorder=Recorder(endpoint=endpoint)).named("cluster") for endpoint in "ab")

    assert before.inputs["kubeconfig"] != after.inputs["kubeconfig"], "the endpoint is another one"
    assert before.inputs["clusterIdentifier"] == after.inputs["clusterIdentifier"], "the cluster is not"


def test_production_has_issuers_for_the_gateways_namespace_only(up: Any) -> None:
    done: Recorder = up(stack_config("prod"), stack="prod")

    assert not done.of(ISSUER), "a ClusterIssuer would sign for anyone who can create Certificates"
    made = done.of("kubernetes:cert-manager.io/v1:Issuer")
    assert {resource.inputs["metadata"]["namespace"] for resource in made} == {"istio-system"}, (
        "where the Certificates are"
    )
    assert {resource.inputs["spec"]["issuerRef"]["kind"] for resource in done.of(CERTIFICATE)} == {"Issuer"}
    assert done.outputs["issuerScope"] == "Certificates in istio-system"


def test_cluster_issuers_solve_for_the_stacks_own_names_and_what_is_added(up: Any) -> None:
    config = good_config()
    acme = {**config["acme"], "dnsNames": ["blog.sandbox.test"], "dnsZones": ["other.test"]}
    done: Recorder = up({**config, "acme": acme})

    for issuer in done.of(ISSUER):
        selectors = [solver["selector"] for solver in issuer.inputs["spec"]["acme"]["solvers"]]
        assert selectors == [{"dnsNames": ["shop.sandbox.test", "blog.sandbox.test"]}, {"dnsZones": ["other.test"]}]
    assert done.outputs["issuerScope"] == (
        "Certificates in any namespace, for shop.sandbox.test, blog.sandbox.test, other.test and every name below it"
    )


def test_hosts_of_one_stack_are_proven_in_different_ways(up: Any) -> None:
    hosts = [HOST, {**HOST, "host": "*.sandbox.test", "challenge": "dns01"}]
    made: Recorder = up(good_config(hosts=hosts, dns=PROOFS))
    http, dns = made.named("issuers-staging").inputs["spec"]["acme"]["solvers"]

    assert http["selector"] == {"dnsNames": ["shop.sandbox.test"]}
    assert dns["selector"] == {"dnsNames": ["*.sandbox.test"]}
    assert dns["dns01"] == {
        "cloudDNS": {"project": "platform", "hostedZoneName": "proofs"},
        "cnameStrategy": "Follow",
    }, "in the zone for proofs only"
    assert made.named("dns-challenge-sandbox.test").inputs["rrdatas"] == ["sandbox.test.proofs.test."]
    member = made.named("dns01-zone").inputs
    assert member["managedZone"] == "proofs", "that is the zone that cert-manager may write"
    assert member["member"].startswith("principal://iam.googleapis.com/projects/42/"), "the project's number was read"
    assert made.named("dns01-zone").urn in made.named("certificate").dependencies, "no order before it is granted"


def test_the_accounts_of_both_issuers_are_in_caa_records_before_the_certificate(up: Any) -> None:
    hosts = [HOST, {**HOST, "host": "*.sandbox.test", "challenge": "dns01"}]
    made: Recorder = up(good_config(hosts=hosts, dns={"zone": "sandbox", "caa": True}))
    plain, wild = (made.named(f"caa-{owner}").inputs["rrdatas"] for owner in ("shop.sandbox.test", "sandbox.test"))

    accounts = [harness.account(name) for name in ("prod", "staging")]
    assert plain == [
        *(f'0 issue "letsencrypt.org; accounturi={account}; validationmethods=http-01"' for account in accounts),
        '0 issuewild ";"',
    ]
    assert wild == [
        f'0 issuewild "letsencrypt.org; accounturi={account}; validationmethods=dns-01"' for account in accounts
    ]
    assert made.outputs["acmeAccounts"] == {"staging": accounts[1], "prod": accounts[0]}
    assert made.named("caa-shop.sandbox.test").urn in made.named("certificate").dependencies, "no order before them"


def test_a_second_stack_reads_the_accounts_of_the_first_one(up: Any) -> None:
    made: Recorder = up(good_config(certManager={"install": False}, dns={"zone": "sandbox", "caa": True}))

    assert harness.account("staging") in made.named("caa-shop.sandbox.test").inputs["rrdatas"][1]


def many_hosts(count: int) -> dict[str, Any]:
    hosts = [{**HOST, "host": f"h{number}.sandbox.test"} for number in range(count)]
    return {"hosts": hosts, "acme": acme(issuer="prod"), "certificate": {"grouping": "perHost"}}


OUTSIDE = [HOST, *({**HOST, "host": host} for host in ("shop.elsewhere.test", "notsandbox.test"))]
REFUSED = [
    pytest.param({"hosts": OUTSIDE}, {}, r'hosts\[1\]\.host: "shop.elsewhere.test" lies outside(?s:.)*hosts\[2\]\.host',
                 id="hosts outside of the zone"),
    pytest.param({"gateways": [{**INTERNAL, "challenge": "http01", "hosts": [OUTSIDE[1]]}]}, {},
                 r'gateways\[0\]\.hosts\[0\]\.host: "shop.elsewhere.test" lies outside', id="of a gateway"),
    pytest.param({}, {"zone_domain": ""}, r"dns\.zone: 'sandbox' cannot be read.*404[^$]*managed-zones list",
                 id="no such zone"),
    pytest.param({}, {"visibility": "private"}, r"dns\.zone: 'sandbox' is a private zone", id="a private zone"),
    pytest.param({"challenge": "dns01", "dns": PROOFS, "hosts": [{**HOST, "host": "a." * 115 + "sandbox.test"}]}, {},
                 r"dns\.challengeZone\.zone: .* would be proven by a name of", id="too long for the challenge zone"),
    pytest.param({"gcp:project": "closed", "challenge": "dns01", "dns": {"zone": "a", "workloadIdentity": True}}, {},
                 r"pulumi config set --path dns\.workloadPool projects/NUMBER", id="a project that cannot be read"),
    pytest.param(many_hosts(51), {}, "51 new certificates are wanted", id="more certificates than the CA signs"),
]  # fmt: skip
"""Changes of a config, answers of Google Cloud, and the problem."""


@pytest.mark.parametrize(("changes", "answers", "problem"), REFUSED)
def test_what_google_cloud_or_the_ca_would_refuse_is_refused_before_anything_is_registered(
    up: Any, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], answers: dict[str, Any], problem: str
) -> None:
    monkeypatch.setattr("config.rollout.reader", lambda *_: lambda *_: None)
    recorder = Recorder(**answers)
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

    assert label == {"pod-security.kubernetes.io/enforce": "restricted"}
    for part in (values, values["webhook"], values["cainjector"]):
        assert part["networkPolicy"]["enabled"] is True, "it has no other connections"
    assert {header["response"]["set"]["strict-transport-security"] for header in headers} == {"max-age=63072000"}


@pytest.mark.parametrize(
    ("changes", "secrets", "words"),
    [
        ({"production": "true"}, set(), "the issuers are ClusterIssuers"),
        ({}, {"hosts"}, "hosts is a secret in the config, and names cannot be kept secret"),
    ],
)
def test_a_risk_in_the_config_is_warned_of(changes: dict[str, str], secrets: set[str], words: str) -> None:
    (warning,) = warnings(load(good_config(**changes)), secrets)

    assert words in warning


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"certManager": {"install": False}, "production": "true"},
        {"challenge": "dns01", "production": "true"},
        {"gateways": [INTERNAL], "production": "true"},
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


def test_there_are_no_alerts_unless_asked_for(up: Any) -> None:
    default, off = up(good_config()), up(good_config(alerts="off"))

    assert {resource.name for resource in default} == {resource.name for resource in off}, "off is the default"
    assert not [resource.name for resource in default if resource.name.startswith("alerts")], "the graph is what it was"


def test_the_main_file_stays_a_table_of_contents() -> None:
    assert len((ROOT / "__main__.py").read_text().splitlines()) < 80, "logic belongs into a component"


def test_an_address_is_reserved_only_where_the_config_says_so_and_is_protected(up: Any) -> None:
    left = up(good_config())
    assert not left.of("gcp:compute/address:Address"), "it is left as it is"

    promoted = up(good_config(ingress={"address": "promote", "region": "europe-west1"}))
    (address,) = promoted.of("gcp:compute/address:Address")
    assert address.protect, "though the rest of the stack is not"
    assert (address.inputs["name"], address.inputs["address"]) == ("gateway-test", IP)
    assert promoted.outputs["ingressChartValue"] == f"--set service.loadBalancerIP={IP}"


@pytest.mark.parametrize(("family", "kinds"), [("ipv4", ["A"]), ("ipv6", ["AAAA"]), ("dual", ["A", "AAAA"])])
def test_the_hosts_get_records_of_the_gateways_ip_versions(
    up: Any, monkeypatch: pytest.MonkeyPatch, family: str, kinds: list[str]
) -> None:
    addresses = {"ipv4": [IP], "ipv6": ["2001:db8::1"], "dual": [IP, "2001:db8::1"]}[family]
    monkeypatch.setattr("components.kube.load_balancer.find_address", lambda *_, **__: addresses)

    done = up(good_config(ingress={"family": family}))

    records = {resource.inputs["type"]: resource.inputs["rrdatas"] for resource in done.of(RECORD)}
    assert records == dict(zip(kinds, [[address] for address in addresses], strict=True))
    assert done.outputs.get("ingressIpv6") == (None if family == "ipv4" else "2001:db8::1")


def test_a_dashboard_is_made_only_where_the_config_says_so_and_is_the_stacks_own(up: Any) -> None:
    kind = "kubernetes:core/v1:ConfigMap"
    assert not up(good_config()).of(kind), "off is the default"

    (made,) = up(good_config(dashboard=True, dashboardLabels={"team": "edge"})).of(kind)
    metadata = {"name": "certificates-dashboard-test", "namespace": "istio-system", "labels": {"team": "edge"}}
    assert made.inputs["metadata"] == metadata, "two stacks may share a gateway's namespace"
    assert "istio-ingressgateway-certs" in made.inputs["data"]["certificates.json"], "it shows the stack's certificate"


def test_a_host_in_maintenance_is_warned_of_at_every_preview() -> None:
    host = {**good_config()["hosts"][0], "maintenance": True}
    (warning,) = warnings(load(good_config(hosts=[host])), frozenset())
    assert warning.startswith("hosts[0] is in maintenance: every request is answered 503"), "where, and what it means"
    assert warning.endswith("pulumi config set --path 'hosts[0].maintenance' false"), "and what ends it"


def test_each_gateway_has_its_own_parts_and_all_share_the_issuers(up: Any) -> None:
    made: Recorder = up(good_config(gateways=[{**INTERNAL, "challenge": "http01"}]))

    gateways = {gateway.name: gateway.inputs["metadata"]["name"] for gateway in made.of(GATEWAY)}
    assert gateways == {
        "http-gateway": "http-test",
        "tls-gateway": "tls-test",
        "internal-http-gateway": "http-test-internal",
        "internal-tls-gateway": "tls-test-internal",
    }
    certificates = {certificate.inputs["metadata"]["name"] for certificate in made.of(CERTIFICATE)}
    assert certificates == {"istio-ingressgateway-certs", "internal-certs"}
    assert "wiki.sandbox.test." in {record.inputs["name"] for record in made.of(RECORD)}
    for issuer in made.of(ISSUER):
        selectors = [solver["selector"]["dnsNames"] for solver in issuer.inputs["spec"]["acme"]["solvers"]]
        assert selectors == [["shop.sandbox.test", "wiki.sandbox.test"]], "it signs for both gateways' hosts"
