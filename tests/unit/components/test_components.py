"""The specs that components send to the cluster, and each trap that a spec can show."""

import base64
import hashlib
import re
from pathlib import Path
from typing import Any

import pulumi
import pytest

from components.acme_issuers import AcmeIssuers
from components.acme_issuers_args import AcmeIssuersArgs, SolverArgs
from components.cert_manager import CertManager, chart_values
from components.cert_manager_args import CertManagerArgs
from components.dns01_identity import Dns01Identity, Dns01IdentityArgs
from components.dns_records import DnsRecords, DnsRecordsArgs
from components.gateway_certificate import GatewayCertificate, earliest
from components.gateway_certificate_args import GatewayCertificateArgs
from components.http_gateway import HttpGateway
from components.inputs import InputsError
from components.reserved_address import ReservedAddress, ReservedAddressArgs
from components.routes import RouteArgs
from components.specs import cert_manager, istio
from components.tls_gateway import TlsGateway
from components.tls_gateway_args import TlsGatewayArgs
from tests.unit.harness import CERTIFICATE, GATEWAY, ISSUER, RECORD, RELEASE, VIRTUAL_SERVICE, Recorder, run

DIGEST = f"sha256:{'a' * 64}"
CHART: CertManagerArgs = {
    "install": True,
    "namespace": "cert-manager",
    "chart": "oci://charts.test/cert-manager",
    "version": "v1.21.2",
}
ZONE = {"project": "platform", "hostedZoneName": "sandbox"}
SOLVER: SolverArgs = {"challenge": "http01", "class_field": "class", "project": "platform", "zone": "sandbox"}
ISSUERS: AcmeIssuersArgs = {
    "create": True,
    "email": "platform@sandbox.test",
    "servers": {"staging": "https://staging.test/dir", "prod": "https://prod.test/dir"},
    "solvers": [SOLVER],
    "timeout": 90,
}
CERTIFICATE_ARGS: GatewayCertificateArgs = {
    "namespace": "istio-system",
    "issuer": "letsencrypt-staging-istio",
    "credentials": [{"secret_name": "certs", "hosts": ["shop.sandbox.test", "api.sandbox.test"]}],
    "key": {"algorithm": "ECDSA", "size": 256, "rotation": "Always"},
    "timeout": 90,
}
ROUTE: RouteArgs = {"path": "/", "service": "shop", "namespace": "shops", "port": 8080}
TLS: TlsGatewayArgs = {
    "gateway": "tls-test",
    "namespace": "istio-system",
    "selector": {"istio": "ingressgateway"},
    "credentials": [{"secret_name": "certs", "hosts": ["shop.sandbox.test"]}],
    "hosts": [
        {
            "host": "shop.sandbox.test",
            "routes": [ROUTE],
        }
    ],
    "min_version": "1.2",
    "cipher_suites": ["ECDHE-ECDSA-AES128-GCM-SHA256"],
}


class TestCertManager:
    def test_the_webhook_is_proven_and_leader_election_stays_in_the_namespace(self) -> None:
        values = chart_values("certificates", {})

        assert values["startupapicheck"] == {"enabled": True, "timeout": "5m"}, "else the first issuer is refused"
        assert values["global"]["leaderElection"]["namespace"] == "certificates", "kube-system is closed on Autopilot"
        assert values["crds"] == {"enabled": True, "keep": True}, "deleting CRDs deletes every Certificate there is"

    def test_given_values_are_merged_key_by_key(self) -> None:
        values = chart_values("cert-manager", {"crds": {"keep": False}, "webhook": {"replicaCount": 3}})

        assert values["crds"] == {"enabled": True, "keep": False}, "only what is given changes"
        assert values["webhook"] == {"replicaCount": 3}, "and the rest is added"

    def test_challenges_do_not_wait_for_workers_that_sleep_and_another_number_is_merged_in(self) -> None:
        values = chart_values("cert-manager", {"config": {"kubernetesAPIQPS": 20}})

        assert values["config"]["kind"] == "ControllerConfiguration", "the chart refuses a config without its kind"
        assert values["config"]["numberOfConcurrentWorkers"] == 60, "as many as there are challenges at once"
        assert values["config"]["kubernetesAPIQPS"] == 20, "only what is given changes"

    def test_the_release_runs_hooks_under_a_constant_name(self) -> None:
        made = run(lambda: CertManager("cm", {**CHART, "install": True}))
        release = made.of(RELEASE)[0].inputs

        assert release["name"] == "cert-manager", "another name could not adopt the CRDs"
        assert release["chart"] == "oci://charts.test/cert-manager"
        assert release["version"] == "v1.21.2"
        assert not release.get("disableWebhooks"), "startupapicheck is a hook"
        assert release["timeout"] > 300, "longer than startupapicheck's own, whose words are better"

    def test_the_default_is_pinned_by_digest(self) -> None:
        release = run(lambda: CertManager("cm", {})).of(RELEASE)[0].inputs
        assert release["chart"] == f"{cert_manager.CHART}@{cert_manager.DIGEST}", "its tag could be moved"
        assert release["version"] == cert_manager.VERSION

        secret = run(lambda: CertManager("cm", {"chart": pulumi.Output.secret(cert_manager.CHART)})).of(RELEASE)[0]
        assert secret.inputs["chart"]["value"] == release["chart"], "also where the config has it as a secret"

    @pytest.mark.parametrize("another", [{"version": "v1.20.3"}, {"chart": "oci://charts.test/cert-manager"}])
    def test_the_digest_of_the_default_is_not_that_of_another(self, another: CertManagerArgs) -> None:
        release = run(lambda: CertManager("cm", another)).of(RELEASE)[0].inputs
        assert "@" not in release["chart"], "it would be refused"

    def test_a_digest_pins_the_reference(self) -> None:
        release = run(lambda: CertManager("cm", {**CHART, "digest": DIGEST})).of(RELEASE)[0].inputs

        assert release["chart"] == f"oci://charts.test/cert-manager@{DIGEST}", "Helm compares it, and the version too"
        assert release["version"] == "v1.21.2"

    def test_a_package_is_taken_when_it_has_the_digest(self, tmp_path: Path) -> None:
        package = tmp_path / "chart.tgz"
        package.write_bytes(b"chart")
        digest = f"sha256:{hashlib.sha256(b'chart').hexdigest()}"
        args: CertManagerArgs = {**CHART, "chart": str(package), "digest": digest}

        assert run(lambda: CertManager("cm", args)).of(RELEASE)[0].inputs["chart"] == str(package)

    def test_a_package_with_another_digest_is_refused(self, tmp_path: Path) -> None:
        package = tmp_path / "chart.tgz"
        package.write_bytes(b"another chart")
        args: CertManagerArgs = {**CHART, "chart": str(package), "digest": DIGEST}

        with pytest.raises(InputsError, match=rf"chart is sha256:[0-9a-f]+, and not {DIGEST}"):
            run(lambda: CertManager("cm", args))

    @pytest.mark.parametrize(
        ("chart", "reason"),
        [
            ("/nowhere/chart.tgz", "cannot be read: No such file or directory"),
            ("./charts/cert-manager", "has no digest that can be compared"),
            ("https://charts.test/cert-manager.tgz", "has no digest that can be compared"),
            (f"oci://charts.test/cert-manager@sha256:{'b' * 64}", "names another digest itself"),
        ],
    )
    def test_a_digest_that_nothing_compares_is_refused(self, chart: str, reason: str) -> None:
        args: CertManagerArgs = {**CHART, "chart": chart, "digest": DIGEST}

        with pytest.raises(InputsError, match=reason):
            run(lambda: CertManager("cm", args))

    def test_a_chart_that_is_a_secret_is_refused_without_its_name(self) -> None:
        def program() -> None:
            CertManager("cm", {**CHART, "chart": pulumi.Output.secret("/hunter2/chart.tgz"), "digest": DIGEST})

        with pytest.raises(InputsError, match="chart cannot be read: No such file or directory") as refused:
            run(program)
        assert "hunter2" not in str(refused.value)

    def test_a_keyring_has_the_signature_verified(self) -> None:
        signed = run(lambda: CertManager("cm", {**CHART, "keyring": "/keys/ring.gpg"})).of(RELEASE)[0].inputs
        unsigned = run(lambda: CertManager("cm", CHART)).of(RELEASE)[0].inputs

        assert (signed["verify"], signed["keyring"]) == (True, "/keys/ring.gpg")
        assert "verify" not in unsigned, "without a keyring there is nothing to verify with"

    @pytest.mark.parametrize("given", ["restricted", "baseline"])
    def test_the_namespace_enforces_a_pod_security_standard(self, given: str) -> None:
        args: CertManagerArgs = CHART if given == "restricted" else {**CHART, "pod_security": given}
        namespace = run(lambda: CertManager("cm", args)).of("kubernetes:core/v1:Namespace")[0]

        assert namespace.inputs["metadata"]["labels"] == {"pod-security.kubernetes.io/enforce": given}

    def test_one_that_is_there_is_left_alone(self) -> None:
        made = run(lambda: CertManager("cm", {**CHART, "install": False}))

        assert [each.name for each in made] == ["cm"], "only the component itself"


class TestAcmeIssuers:
    def test_both_environments_are_made_and_awaited(self) -> None:
        made = run(lambda: AcmeIssuers("issuers", ISSUERS)).of(ISSUER)

        assert [each.inputs["metadata"]["name"] for each in made] == [
            "letsencrypt-staging-istio",
            "letsencrypt-prod-istio",
        ], "always both, so that a flip is a change of issuerRef"
        for issuer in made:
            annotations = issuer.inputs["metadata"]["annotations"]
            assert annotations == {"pulumi.com/waitFor": "condition=Ready"}, "up ends when there is an account"
            assert issuer.create_timeout == "90s", "and never hangs"

    def test_an_issuer_of_a_namespace_signs_for_nobody_else(self) -> None:
        args: AcmeIssuersArgs = {**ISSUERS, "kind": "Issuer", "namespace": "gateways"}
        made = run(lambda: AcmeIssuers("issuers", args))

        assert not made.of(ISSUER), "none is cluster-wide"
        issuers = made.of("kubernetes:cert-manager.io/v1:Issuer")
        assert [each.inputs["metadata"]["namespace"] for each in issuers] == ["gateways", "gateways"]

    def test_a_cluster_issuer_has_no_namespace(self) -> None:
        issuer = run(lambda: AcmeIssuers("issuers", {**ISSUERS, "namespace": "gateways"})).of(ISSUER)[0]

        assert "namespace" not in issuer.inputs["metadata"], "the API server would refuse it"

    def test_names_and_domains_are_selected_by_solvers_of_their_own(self) -> None:
        solver: SolverArgs = {**SOLVER, "dns_names": ["SHOP.sandbox.test", "*.a.test"], "dns_zones": ["b.test"]}
        issuer = run(lambda: AcmeIssuers("issuers", {**ISSUERS, "solvers": [solver]})).of(ISSUER)[0]
        solvers = issuer.inputs["spec"]["acme"]["solvers"]

        assert [each["selector"] for each in solvers] == [
            {"dnsNames": ["shop.sandbox.test", "*.a.test"]},
            {"dnsZones": ["b.test"]},
        ], "in one selector a name would have to be in both"
        assert solvers[0]["http01"] == solvers[1]["http01"], "solved alike"

    def test_a_domain_is_no_wildcard(self) -> None:
        solver: SolverArgs = {**SOLVER, "dns_zones": ["*.b.test"]}

        with pytest.raises(InputsError, match=r"solvers\[0\]\.dns_zones\[0\]: '\*\.b\.test' is a wildcard"):
            run(lambda: AcmeIssuers("issuers", {**ISSUERS, "solvers": [solver]}))

    def test_each_environment_has_an_account_key_of_its_own(self) -> None:
        issuers = run(lambda: AcmeIssuers("issuers", ISSUERS)).of(ISSUER)
        secrets = {issuer.inputs["spec"]["acme"]["privateKeySecretRef"]["name"] for issuer in issuers}
        assert len(secrets) == 2, "an account belongs to one server"

    @pytest.mark.parametrize(
        ("solver", "expected"),
        [
            # Istio serves it without an IngressClass object, and no node port is opened for a challenge.
            ({}, {"http01": {"ingress": {"class": "istio", "serviceType": "ClusterIP"}}}),
            (
                {"class_field": "ingressClassName"},
                {"http01": {"ingress": {"ingressClassName": "istio", "serviceType": "ClusterIP"}}},
            ),
            ({"challenge": "dns01"}, {"dns01": {"cloudDNS": ZONE}}),
            (
                {"challenge": "dns01", "follow_cname": True, "wait_instead_of_self_check": 0},
                {"dns01": {"cloudDNS": ZONE, "cnameStrategy": "Follow"}, "waitInsteadOfSelfCheck": "0s"},
            ),
        ],
    )
    def test_a_solver_without_names_is_for_every_name(self, solver: Any, expected: dict[str, Any]) -> None:
        issuer = run(lambda: AcmeIssuers("issuers", {**ISSUERS, "solvers": [{**SOLVER, **solver}]})).of(ISSUER)[0]

        assert issuer.inputs["spec"]["acme"]["solvers"] == [expected]

    def test_each_solver_is_for_its_own_names(self) -> None:
        solvers: list[SolverArgs] = [
            {**SOLVER, "dns_names": ["a.test"]},
            {**SOLVER, "challenge": "dns01", "dns_names": ["*.b.test"], "wait_instead_of_self_check": 5},
        ]
        issuer = run(lambda: AcmeIssuers("issuers", {**ISSUERS, "solvers": solvers})).of(ISSUER)[0]
        http, dns = issuer.inputs["spec"]["acme"]["solvers"]

        assert ("http01" in http, http["selector"]) == (True, {"dnsNames": ["a.test"]})
        assert ("dns01" in dns, dns["selector"]) == (True, {"dnsNames": ["*.b.test"]})
        assert "waitInsteadOfSelfCheck" not in http, "cert-manager looks first"
        assert dns["waitInsteadOfSelfCheck"] == "5s", "as the API server reads a duration"

    def test_the_ca_bundle_goes_as_base64_and_the_profile_as_it_is(self, authority: str) -> None:
        args: AcmeIssuersArgs = {**ISSUERS, "ca_bundle": authority, "profile": "tlsserver"}
        spec = run(lambda: AcmeIssuers("issuers", args)).of(ISSUER)[0].inputs["spec"]["acme"]

        assert base64.b64decode(spec["caBundle"]).decode() == authority
        assert spec["profile"] == "tlsserver"


ACCESS: Dns01IdentityArgs = {
    "zone": "sandbox",
    "pool": "projects/42/locations/global/workloadIdentityPools/platform.svc.id.goog",
    "role_id": "certManagerDns01_dev",
}


class TestDns01Identity:
    def test_the_service_account_itself_has_a_role_on_the_zone_alone(self) -> None:
        made = run(lambda: Dns01Identity("dns01", ACCESS))
        (member,) = made.of("gcp:dns/dnsManagedZoneIamMember:DnsManagedZoneIamMember")

        assert member.inputs["member"] == (
            "principal://iam.googleapis.com/projects/42/locations/global/workloadIdentityPools/platform.svc.id.goog"
            "/subject/ns/cert-manager/sa/cert-manager"
        )
        assert member.inputs["managedZone"] == "sandbox"
        assert [each.type for each in made if "serviceaccount" in each.type.lower()] == [], "no Google account, no key"

    def test_its_role_has_what_the_solver_calls(self) -> None:
        (role,) = run(lambda: Dns01Identity("dns01", ACCESS)).of("gcp:projects/iAMCustomRole:IAMCustomRole")

        verbs = {each.removeprefix("dns.") for each in role.inputs["permissions"]}
        records = {f"resourceRecordSets.{verb}" for verb in ("create", "delete", "list", "update")}
        assert verbs == {"changes.create", "changes.get", *records}, "zones are not listed: the solver is told its zone"

    @pytest.mark.parametrize("pool", ["platform.svc.id.goog", "projects/platform/locations/global/x"])
    def test_a_pool_without_the_projects_number_is_refused(self, pool: str) -> None:
        with pytest.raises(InputsError, match=r"pool: .* is not projects/NUMBER"):
            run(lambda: Dns01Identity("dns01", {**ACCESS, "pool": pool}))


class TestExternalAccounts:
    KEY = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"

    def made(self, **args: Any) -> Recorder:
        given: Any = {**ISSUERS, **args}
        return run(lambda: AcmeIssuers("issuers", given))

    def test_a_key_becomes_a_secret_beside_the_issuer_and_is_hidden_in_the_state(self) -> None:
        accounts = {"prod": {"key_id": "kid", "key_secret": self.KEY}}
        done = self.made(external_accounts=accounts, cluster_namespace="certs")

        (secret,) = done.of("kubernetes:core/v1:Secret")
        assert secret.inputs["metadata"] == {"name": "letsencrypt-prod-istio-external-account", "namespace": "certs"}
        assert secret.inputs["stringData"]["value"] == {"secret": self.KEY}, "as a secret"
        assert self.KEY not in secret.shown, "the state has it encrypted"
        staging, prod = (each.inputs["spec"]["acme"] for each in done.of(ISSUER))
        assert "externalAccountBinding" not in staging, "another CA, or none"
        reference = {"name": "letsencrypt-prod-istio-external-account", "key": "secret"}
        assert prod["externalAccountBinding"] == {"keyID": "kid", "keySecretRef": reference}
        assert secret.urn in done.named("issuers-prod").dependencies, "cert-manager does not try again without it"

    def test_an_issuer_of_a_namespace_has_it_there(self) -> None:
        accounts = {"staging": {"key_id": "kid", "key_secret": self.KEY}}
        done = self.made(external_accounts=accounts, kind="Issuer", namespace="gateways")

        (secret,) = done.of("kubernetes:core/v1:Secret")
        assert secret.inputs["metadata"]["namespace"] == "gateways"

    def test_a_secret_that_is_there_is_named(self) -> None:
        done = self.made(external_accounts={"staging": {"key_id": "kid", "secret_name": "zerossl"}})

        assert not done.of("kubernetes:core/v1:Secret")
        binding = done.of(ISSUER)[0].inputs["spec"]["acme"]["externalAccountBinding"]
        assert binding["keySecretRef"] == {"name": "zerossl", "key": "secret"}


class TestDnsRecords:
    def test_names_that_are_proven_in_another_zone_lead_there(self) -> None:
        hosts = ["shop.sandbox.test", "*.shop.sandbox.test", "api.sandbox.test"]
        args: DnsRecordsArgs = {
            "hosts": hosts, "ip": "203.0.113.10", "zone": "sandbox",
            "challenge_domain": "proofs.test", "challenge_hosts": hosts[:2],
        }  # fmt: skip
        made = run(lambda: DnsRecords("dns", args)).of(RECORD)
        aliases = {each.inputs["name"]: each.inputs["rrdatas"] for each in made if each.inputs["type"] == "CNAME"}

        assert aliases == {"_acme-challenge.shop.sandbox.test.": ["shop.sandbox.test.proofs.test."]}, (
            "a wildcard and its domain are proven by one name"
        )

    def test_each_host_gets_an_a_record_at_the_address(self) -> None:
        hosts = ["shop.sandbox.test", "*.sandbox.test"]
        made = run(lambda: DnsRecords("dns", {"hosts": hosts, "ip": "203.0.113.10", "zone": "sandbox", "ttl": 60})).of(
            RECORD
        )

        assert [each.inputs["name"] for each in made] == ["shop.sandbox.test.", "*.sandbox.test."], "with the dot"
        for record in made:
            assert record.inputs["rrdatas"] == ["203.0.113.10"]
            assert (record.inputs["type"], record.inputs["ttl"]) == ("A", 60)
            assert record.inputs["managedZone"] == "sandbox"

    def test_each_host_gets_an_aaaa_record_where_there_is_an_ipv6_address(self) -> None:
        args: DnsRecordsArgs = {"hosts": ["shop.sandbox.test"], "zone": "sandbox", "ipv6": "2001:db8::1"}
        both: DnsRecordsArgs = {**args, "ip": "203.0.113.10"}

        def addresses(args: DnsRecordsArgs) -> dict[str, Any]:
            made = run(lambda: DnsRecords("dns", args)).of(RECORD)
            return {each.inputs["type"]: (each.name, each.inputs["rrdatas"]) for each in made}

        aaaa = ("dns-shop.sandbox.test-ipv6", ["2001:db8::1"])
        assert addresses(args) == {"AAAA": aaaa}, "the only one"
        assert addresses(both) == {"A": ("dns-shop.sandbox.test", ["203.0.113.10"]), "AAAA": aaaa}, "one of each"

    def test_without_any_address_there_is_nothing_to_write(self) -> None:
        with pytest.raises(pulumi.RunError, match="ip is missing"):
            run(lambda: DnsRecords("dns", {"hosts": ["shop.sandbox.test"], "zone": "sandbox"}))


class TestReservedAddress:
    def test_the_address_is_reserved_as_it_is(self) -> None:
        args: ReservedAddressArgs = {"ip": "203.0.113.10", "region": "europe-west1", "object_name": "gateway-dev"}

        def program() -> None:
            pulumi.export("value", ReservedAddress("address", args).chart_value)

        done = run(program)

        (made,) = done.of("gcp:compute/address:Address")
        assert (made.inputs["address"], made.inputs["region"]) == ("203.0.113.10", "europe-west1"), "promoted"
        assert made.inputs["addressType"] == "EXTERNAL", "no other can be"
        assert done.outputs["value"] == "--set service.loadBalancerIP=203.0.113.10", "what Istio's chart takes"


class TestHttpGateway:
    def test_the_redirect_is_a_catch_all_route_and_not_https_redirect(self) -> None:
        spec = istio.redirect_spec("istio-system/http-test", ["shop.sandbox.test"])

        assert spec["http"] == [{"redirect": {"scheme": "https", "redirectCode": 301}}], "no match: sorted last"
        gateway = istio.http_gateway_spec({"istio": "ingressgateway"}, ["shop.sandbox.test"])
        assert "tls" not in gateway["servers"][0], "httpsRedirect would answer the solver's path too"
        assert gateway["servers"][0]["hosts"] == ["shop.sandbox.test"], "not *: two stacks share a gateway"

    def test_a_host_below_a_wildcard_is_redirected_with_it(self) -> None:
        hosts = ["a.test", "shop.a.test", "*.a.test", "*.deep.a.test", "*.b.test"]
        spec = istio.redirect_spec("istio-system/http-test", hosts)
        assert spec["hosts"] == ["a.test", "*.a.test", "*.b.test"], "Istio refuses both in one VirtualService"
        assert istio.http_gateway_spec({}, hosts)["servers"][0]["hosts"] == hosts, "and takes the Gateway's"

    def test_only_the_redirect_is_on_port_80(self) -> None:
        def program() -> None:
            HttpGateway(
                "http",
                {
                    "gateway": "http-test",
                    "namespace": "istio-system",
                    "selector": TLS["selector"],
                    "hosts": ["shop.sandbox.test"],
                },
            )
            TlsGateway("tls", TLS)

        recorded = run(program)
        made = recorded.of(VIRTUAL_SERVICE)

        for each in [*recorded.of(GATEWAY), *made]:
            left_alone = {f"external-dns.{level}kubernetes.io/controller" for level in ("", "alpha.")}
            assert each.inputs["metadata"]["annotations"].keys() == left_alone, "external-dns has no records for it"
        for each in made:
            plain = "istio-system/http-test" in each.inputs["spec"]["gateways"]
            redirects = all("redirect" in route for route in each.inputs["spec"]["http"])
            assert plain == redirects, f"{each.name} would serve an application over plain HTTP"
        assert len(made) == 2, "the redirect and the application"


class TestGatewayCertificate:
    def test_it_is_awaited_within_a_bound(self) -> None:
        certificate = run(lambda: GatewayCertificate("certificate", CERTIFICATE_ARGS)).of(CERTIFICATE)[0]

        annotations = certificate.inputs["metadata"]["annotations"]
        assert annotations == {"pulumi.com/waitFor": "condition=Ready"}, "up ends when it is signed"
        assert certificate.create_timeout == "90s", "and never hangs"
        assert certificate.inputs["metadata"]["namespace"] == "istio-system", "where the gateway's Pods are"

    def test_an_issuer_of_its_namespace_can_sign_it(self) -> None:
        made = run(lambda: GatewayCertificate("certificate", {**CERTIFICATE_ARGS, "issuer_kind": "Issuer"}))

        assert made.of(CERTIFICATE)[0].inputs["spec"]["issuerRef"]["kind"] == "Issuer"

    def test_the_key_is_ecdsa_and_rotated(self) -> None:
        spec = self.spec(["shop.sandbox.test"])

        assert spec["privateKey"] == {"algorithm": "ECDSA", "size": 256, "rotationPolicy": "Always"}
        assert spec["issuerRef"] == {
            "group": "cert-manager.io",
            "kind": "ClusterIssuer",
            "name": "letsencrypt-staging-istio",
        }
        assert "renewBefore" not in spec, "lifetimes shrink: a fixed time would one day exceed one"

    @pytest.mark.parametrize(
        ("host", "profile", "named"),
        [
            ("shop.sandbox.test", None, True),
            ("a" * 59 + ".test", "classic", True),
            ("a" * 60 + ".test", None, False),
            ("shop.sandbox.test", "tlsserver", False),
            ("shop.sandbox.test", "shortlived", False),
        ],
    )
    def test_there_is_a_common_name_only_where_one_fits(self, host: str, profile: str | None, named: bool) -> None:
        spec = self.spec([host], profile=profile)

        assert ("commonName" in spec) is named, f"{len(host)} characters, profile {profile}"
        assert spec["dnsNames"] == [host], "it is always among the names"

    def test_the_first_expiry_counts(self) -> None:
        statuses = [{"notAfter": "2026-02-01T00:00:00Z"}, {"notAfter": "2026-01-01T00:00:00Z"}, None, {}]

        assert earliest(statuses, "notAfter") == "2026-01-01T00:00:00Z"

    @staticmethod
    def spec(hosts: list[str], **changes: Any) -> dict[str, Any]:
        credentials = [{"secret_name": "certs", "hosts": hosts}]
        args: Any = {"issuer": "letsencrypt-staging-istio", "credentials": credentials, **changes}
        (made,) = run(lambda: GatewayCertificate("certificate", args)).of(CERTIFICATE)
        spec: dict[str, Any] = made.inputs["spec"]
        return spec


def tls_spec(**changes: Any) -> dict[str, Any]:
    given: dict[str, Any] = {
        "selector": {"istio": "ingressgateway"},
        "credentials": [("certs", ["shop.sandbox.test"])],
        "min_version": "1.2",
        "cipher_suites": ["ECDHE-ECDSA-AES128-GCM-SHA256"],
        **changes,
    }
    return istio.tls_gateway_spec(**given)


class TestTlsGateway:
    def test_the_gateway_names_the_secret_and_hardens_tls(self) -> None:
        server = tls_spec()["servers"][0]

        assert server["port"] == {"number": 443, "name": "https", "protocol": "HTTPS"}
        assert server["tls"] == {
            "mode": "SIMPLE",
            "credentialName": "certs",
            "minProtocolVersion": "TLSV1_2",
            "cipherSuites": ["ECDHE-ECDSA-AES128-GCM-SHA256"],
        }, "Istio applies only what is written here"

    def test_tls_1_3_takes_no_cipher_list(self) -> None:
        tls = tls_spec(min_version="1.3")["servers"][0]["tls"]

        assert tls["minProtocolVersion"] == "TLSV1_3"
        assert "cipherSuites" not in tls

    def test_several_certificates_are_servers_with_ports_of_different_names(self) -> None:
        credentials = [(name, [f"{name}.test"]) for name in ("a", "b")]
        servers = tls_spec(credentials=credentials)["servers"]

        assert [server["tls"]["credentialName"] for server in servers] == ["a", "b"]
        assert len({server["port"]["name"] for server in servers}) == 2, "Istio refuses a name twice"

    def test_the_longest_prefix_is_tried_first(self) -> None:
        given: Any = [{"path": path, "service": "s", "namespace": "n", "port": 1} for path in ("/", "/v2", "/v")]
        spec = istio.virtual_service_spec("gw", {"host": "shop.test", "routes": given})

        prefixes = [route["match"][0]["uri"]["prefix"] for route in spec["http"]]
        assert prefixes == ["/v2", "/v", "/"], "Istio takes the first match, and / matches everything"

    def test_a_route_goes_to_the_services_own_namespace_and_port(self) -> None:
        route = istio.virtual_service_spec("gw", {"host": "shop.sandbox.test", "routes": [ROUTE]})["http"][0]

        assert route["route"][0]["destination"] == {
            "host": "shop.shops.svc.cluster.local",
            "port": {"number": 8080},
        }
        assert "headers" not in route, "no HSTS unless it is asked for"

    def test_hsts_is_sent_by_https_routes(self) -> None:
        route = istio.virtual_service_spec("gw", {"host": "shop.sandbox.test", "routes": [ROUTE]}, hsts=63072000)[
            "http"
        ][0]

        assert route["headers"] == {"response": {"set": {"strict-transport-security": "max-age=63072000"}}}

    def test_of_one_path_the_route_with_the_most_headers_is_tried_first(self) -> None:
        to: Any = {"service": "s", "namespace": "n", "port": 1}
        one, two = {"name": "x-a", "exact": "1"}, {"name": "x-b", "prefix": "2"}
        given: Any = [{**to, "path": "/", "headers": each} for each in ((), (one,), (one, two))]
        given.append({**to, "path": "/v1", "headers": ()})
        spec = istio.virtual_service_spec("gw", {"host": "shop.test", "routes": given})

        assert [(each["match"][0]["uri"]["prefix"], each["match"][0].get("headers")) for each in spec["http"]] == [
            ("/v1", None),
            ("/", {"x-a": {"exact": "1"}, "x-b": {"prefix": "2"}}),
            ("/", {"x-a": {"exact": "1"}}),
            ("/", None),
        ]

    def test_a_route_has_its_timeout_its_retries_and_the_headers_of_its_host(self) -> None:
        given: Any = {**ROUTE, "timeout": 5, "retries": 0, "response_headers": {"x-b": "100%"}}
        served: Any = {"host": "shop.test", "routes": [given], "response_headers": {"x-a": "1", "x-b": "2"}}
        (route,) = istio.virtual_service_spec("gw", served)["http"]

        assert (route["timeout"], route["retries"]) == ("5s", {"attempts": 0}), "none is not Istio's default"
        assert route["headers"]["response"]["set"] == {"x-a": "1", "x-b": "100%%"}, "Envoy takes % for a variable"

    def test_a_redirect_and_maintenance_are_the_only_answer_and_send_hsts_too(self) -> None:
        for served, found in (
            (
                {"host": "www.test.dev", "redirect_to": "test.dev"},
                {"redirect": {"scheme": "https", "authority": "test.dev", "redirectCode": 301}},
            ),
            (
                {"host": "test.dev", "maintenance": True, "routes": [ROUTE]},
                {"directResponse": {"status": 503, "body": {"string": istio.MAINTENANCE_BODY}}},
            ),
        ):
            (route,) = istio.virtual_service_spec("gw", served, hsts=60)["http"]
            headers = route.pop("headers")["response"]["set"]
            assert route == found
            assert headers["strict-transport-security"] == "max-age=60", "every answer over HTTPS has it"
            assert ("retry-after" in headers) is ("maintenance" in served)

    @pytest.mark.parametrize("served", [{"routes": [ROUTE]}, {"redirect_to": "b.test"}, {"maintenance": True}])
    def test_a_wildcards_answers_are_not_for_the_hosts_below_it(self, served: dict[str, Any]) -> None:
        others = ["shop.a.test", "*.deep.a.test", "a.test", "*.a.test", "shopa.test"]
        (route,) = istio.virtual_service_spec("gw", {"host": "*.a.test", **served}, others=others)["http"]

        (match,) = route["match"]
        pattern = match["withoutHeaders"][":authority"]["regex"]
        for below in ("shop.a.test", "SHOP.a.test", "shop.a.test:443", "x.deep.a.test"):
            assert re.fullmatch(pattern, below), "Istio would give it the wildcard's answer where that is older"
        for own in ("a.test", "x.a.test", "shopXa.test", "deep.a.test", "x-shop.a.test"):
            assert not re.fullmatch(pattern, own), f"{own} is the wildcard's, or nobody's"

    def test_other_hosts_do_not_change_what_an_exact_host_answers(self) -> None:
        served: Any = {"host": "shop.a.test", "routes": [ROUTE]}
        spec = istio.virtual_service_spec("gw", served, others=["*.a.test", "shop.a.test", "x.a.test"])
        assert spec == istio.virtual_service_spec("gw", served)

    def test_each_host_knows_the_others(self) -> None:
        hosts: Any = [{"host": host, "routes": [ROUTE]} for host in ("*.a.test", "shop.a.test")]
        credentials: Any = [{"secret_name": "certs", "hosts": ["*.a.test", "shop.a.test"]}]
        made = run(lambda: TlsGateway("tls", {**TLS, "hosts": hosts, "credentials": credentials})).of(VIRTUAL_SERVICE)
        matches = {each.inputs["spec"]["hosts"][0]: each.inputs["spec"]["http"][0]["match"][0] for each in made}
        assert "withoutHeaders" in matches["*.a.test"], "it leaves the other one's requests"
        assert "withoutHeaders" not in matches["shop.a.test"]

    @pytest.mark.parametrize(
        ("host", "problem"),
        [
            ({}, r"hosts\[0\]\.routes is missing: a host has routes, a redirect, or is in maintenance"),
            ({"redirect_to": "b.test", "routes": [ROUTE]}, r"hosts\[0\]\.routes: contradicts the redirect"),
            ({"redirect_to": "b.test", "maintenance": True}, r"hosts\[0\]\.maintenance: contradicts the redirect"),
            ({"redirect_to": "a.test"}, r"hosts\[0\]\.redirect_to is the host itself"),
            ({"redirect_to": "*.a.test"}, r"hosts\[0\]\.redirect_to: '\*\.a\.test' is a wildcard"),
            ({"routes": [ROUTE, ROUTE]}, r"hosts\[0\]\.routes\[1\]\.path is the path of an earlier route"),
            (
                {"routes": [{**ROUTE, "headers": [{"name": "x-a"}]}]},
                r"hosts\[0\]\.routes\[0\]\.headers\[0\]: set exactly one of exact or prefix",
            ),
            (
                {"routes": [ROUTE], "response_headers": {"x-a": "1\n2"}},
                r"hosts\[0\]\.response_headers: .* has a value of x-a that has characters",
            ),
            (
                {"routes": [ROUTE], "response_headers": {"content-length": "1"}},
                r"hosts\[0\]\.response_headers: .* has content-length, which belongs to the connection",
            ),
        ],
    )
    @pytest.mark.parametrize("late", [False, True])
    def test_a_host_that_contradicts_itself_is_refused(self, host: dict[str, Any], problem: str, late: bool) -> None:
        def program() -> None:
            # An Output's value is known when the program has run.
            given = {key: pulumi.Output.from_input(value) if late else value for key, value in host.items()}
            TlsGateway("tls", {**TLS, "hosts": [{"host": "a.test", **given}]})  # type: ignore[typeddict-item]

        with pytest.raises(InputsError, match=problem):
            run(program)

    @pytest.mark.parametrize(
        ("credentials", "problem"),
        [
            (
                [{"secret_name": "certs", "hosts": ["a.test"]}, {"secret_name": "certs", "hosts": ["b.test"]}],
                r"credentials\[1\]\.secret_name is the Secret of earlier credentials: one certificate is one server",
            ),
            (
                [{"secret_name": "a", "hosts": ["a.test"]}, {"secret_name": "b", "hosts": ["A.test"]}],
                r"credentials\[1\]\.hosts\[0\] has another certificate already",
            ),
        ],
    )
    def test_credentials_that_browsers_or_istio_would_trip_over_are_refused(
        self, credentials: Any, problem: str
    ) -> None:
        with pytest.raises(InputsError, match=problem):
            run(lambda: TlsGateway("tls", {**TLS, "credentials": credentials}))

    def test_a_wildcard_is_served_but_has_no_url(self) -> None:
        def program() -> None:
            host: Any = {**TLS["hosts"][0], "host": "*.sandbox.test"}
            pulumi.export("urls", TlsGateway("tls", {**TLS, "hosts": [host]}).urls)

        made = run(program)

        assert made.of(VIRTUAL_SERVICE)[0].inputs["metadata"]["name"] == "sandbox.test-wildcard", "no * in names"
        assert made.outputs["urls"] == []


def test_a_secret_that_is_refused_is_not_quoted() -> None:
    def program() -> None:
        solver: SolverArgs = {**SOLVER, "dns_names": [pulumi.Output.secret("hunter_2.test")]}
        AcmeIssuers("issuers", {**ISSUERS, "solvers": [solver]})

    with pytest.raises(InputsError, match=r"solvers\[0\]\.dns_names\[0\] is a secret that is not accepted") as refused:
        run(program)
    assert "hunter" not in str(refused.value)


def test_public_modules_name_one_type_token_per_component() -> None:
    def program() -> None:
        AcmeIssuers("issuers", ISSUERS)
        GatewayCertificate("certificate", CERTIFICATE_ARGS)
        TlsGateway("tls", TLS)

    tokens = [each.type for each in run(program) if each.type.startswith("istio-gateway-tls:")]
    assert tokens == [f"istio-gateway-tls:index:{name}" for name in ("AcmeIssuers", "GatewayCertificate", "TlsGateway")]
